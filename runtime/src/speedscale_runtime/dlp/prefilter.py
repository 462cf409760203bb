"""The one hyperscan database of a rule: what to look at closely, found at memory speed on raw bytes.

Each detector's patterns, one pattern set for names of fields, and triggers for everything that could hide a value
(escapes, entities, UTF-16, base64 and hex runs). End offsets only: start-of-match costs more, and some patterns are
too large for it. What has no hit is clean and is never parsed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import hyperscan

from speedscale_schemas.errors import ConfigError

# Ids of what is no detector; detectors are numbered from FIRST.
KEY, ESCAPE, PERCENT, ENTITY, UTF16, RUN, NUMBER = range(7)
FIRST = 16

_A = r"[A-Za-z0-9+/_\-]"
_EDGE = r"(?:^|[^A-Za-z0-9+/_\-])"
_S = "[CDI-Za-f]"  # what the first of four base64 characters is where they begin with an ASCII character

_TRIGGERS: tuple[tuple[int, str, bool], ...] = (
    (ESCAPE, r"\\[u/x0-9nrtbf\"\\]", False),
    (PERCENT, r"%[0-9A-Fa-f]{2}", False),
    (ENTITY, r"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,31});", False),
    (UTF16, r"[\x09-\x7e]\x00[\x09-\x7e]\x00[\x09-\x7e]\x00|\x00[\x09-\x7e]\x00[\x09-\x7e]\x00[\x09-\x7e]", False),
    # base64 of text: the first byte is ASCII (or begins UTF-8, or UTF-16), the fourth or seventh is ASCII.
    (RUN, rf"{_EDGE}(?:{_S}{_A}{{3}}{_S}{_A}{{9}}|{_S}{_A}{{7}}{_S}{_A}{{5}})", False),
    (RUN, rf"{_EDGE}(?:[w-z0-9][I-LYZabo-r4-7]|A[A-H]){_A}{{2}}(?:{_S}{_A}{{9}}|{_A}{{4}}{_S}{_A}{{5}})", False),
    # base64 of gzip, Zstandard and zlib
    (RUN, rf"{_EDGE}(?:H4sI|KLUv|e(?:A[E-H]|J[w-z]|N[o-r]|F[4-7])){_A}{{10}}", False),
    # the same behind a slash, an underscore or a dash, as in paths
    (RUN, rf"[/_\-](?:{_S}{_A}{{3}}{_S}{_A}{{3}}{_S}{_A}{{5}}|H4sI{_A}{{10}})", False),
    # hex of text, and of gzip and Zstandard
    (RUN, r"(?:[2-7][0-9A-Fa-f]){8}|1[fF]8[bB]0[08]|28[bB]52[fF][fF][dD]", False),
)


class Pattern(NamedTuple):
    """One expression: hits report `id`."""

    id: int
    expression: str
    caseless: bool
    source: str


class Prefilter:
    """A compiled database; `scan` returns the hits in order of their ends."""

    __slots__ = ("_scan",)

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        """Compile; ConfigError names the pattern that hyperscan refuses, and why."""
        everything = [*(Pattern(i, e, c, "trigger") for i, e, c in _TRIGGERS), *patterns]
        self._scan = _compile(everything).scan

    def scan(self, data: bytes) -> list[tuple[int, int]]:
        """Return (id, end) of every hit, ascending by end; empty when the data is clean."""
        found: list[tuple[int, int]] = []
        self._scan(data, match_event_handler=_on, context=found)
        return found


def _on(pattern: int, start: int, end: int, flags: int, found: Any) -> None:
    found.append((pattern, end))


def _flags(caseless: bool) -> int:
    flags: int = hyperscan.HS_FLAG_DOTALL
    return flags | hyperscan.HS_FLAG_CASELESS if caseless else flags


def _compile(patterns: Sequence[Pattern]) -> hyperscan.Database:
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
