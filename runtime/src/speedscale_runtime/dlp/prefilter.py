"""The one hyperscan database of a rule: what to look at closely, found at memory speed on raw bytes.

Each detector's patterns, one pattern set for names of fields, and the triggers for everything that could hide a value
(`triggers`). End offsets only: start-of-match costs more, and some patterns are too large for it. What has no hit is
clean and is never parsed; what has more than a million is refused.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import hyperscan

from speedscale_schemas.errors import ConfigError

from .triggers import FIRST, KEY, TRIGGERS
from .work import MAX_HITS, TooMuch

__all__ = ["FIRST", "KEY", "Pattern", "Prefilter", "refusal"]

_KEPT = 8  # databases, of about two megabytes each


class Pattern(NamedTuple):
    """One expression: hits report `id`."""

    id: int
    expression: str
    caseless: bool
    source: str


class Prefilter:
    """A compiled database; `scan` returns the hits in order of their ends."""

    __slots__ = ("_scan", "_scratch")

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        """Compile; ConfigError names the pattern that hyperscan refuses, and why."""
        database = _compile((*(Pattern(i, e, c, "trigger") for i, e, c in TRIGGERS), *patterns))
        self._scan = database.scan
        self._scratch = database.scratch.clone()  # what a scan writes to: databases are shared, also by threads

    def scan(self, data: bytes) -> list[tuple[int, int]]:
        """Return (id, end) of every hit, ascending by end; empty when the data is clean.

        TooMuch beyond a million hits: the caller fails closed.
        """
        found: list[tuple[int, int]] = []
        try:
            self._scan(data, match_event_handler=_on, context=found, scratch=self._scratch)
        except hyperscan.ScanTerminated as error:
            raise TooMuch(f"more than {MAX_HITS} hits in one text") from error
        return found


def _on(pattern: int, start: int, end: int, flags: int, found: Any) -> bool | None:
    found.append((pattern, end))
    return True if len(found) > MAX_HITS else None


def _flags(caseless: bool) -> int:
    flags: int = hyperscan.HS_FLAG_DOTALL
    return flags | hyperscan.HS_FLAG_CASELESS if caseless else flags


@functools.lru_cache(maxsize=_KEPT)
def _compile(patterns: tuple[Pattern, ...]) -> hyperscan.Database:
    """Compile, or return what was compiled of the same: it takes seconds, and rules differ in keys and chains only."""
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    try:
        database.compile(
            expressions=[p.expression.encode("utf-8") for p in patterns],
            ids=[p.id for p in patterns],
            elements=len(patterns),
            flags=[_flags(p.caseless) for p in patterns],
        )
    except hyperscan.HyperscanError as error:
        raise ConfigError([_culprit(patterns) or f"dlp: the patterns do not compile: {error}"]) from error
    return database


def _culprit(patterns: Sequence[Pattern]) -> str:
    for pattern in patterns:
        reason = refusal(pattern.expression, pattern.caseless)
        if reason:
            return f"{pattern.source}: pattern {pattern.expression!r}: {reason}"
    return ""


def refusal(expression: str, caseless: bool = False) -> str:
    """Return why hyperscan refuses an expression, or an empty string (back-references, look-around, size)."""
    try:
        hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK).compile(
            expressions=[expression.encode("utf-8")], ids=[1], elements=1, flags=[_flags(caseless)]
        )
    except hyperscan.HyperscanError as error:
        return str(error)
    return ""
