"""The one hyperscan database of a rule: what to look at closely, found at memory speed on raw bytes.

Each detector's patterns, one pattern set for names of fields, and the triggers for everything that could hide a value
(`triggers`). End offsets only: start-of-match costs more, and some patterns are too large for it. What has no hit is
clean and is never parsed; what has more than a million is refused.

Compiling takes two seconds of a processor, so a process remembers its databases, and a `Store` keeps them for the next
process, under a digest of all that they depend on.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import hyperscan

from speedscale_schemas.errors import ConfigError

from .memory import Memory
from .store import Store
from .triggers import FIRST, KEY, TRIGGERS
from .work import MAX_HITS, TooMuch

__all__ = ["FIRST", "KEY", "Pattern", "Prefilter", "refusal"]

_KEPT = 8  # databases, of about two megabytes each
_MODE = hyperscan.HS_MODE_BLOCK
_CPU = Path("/proc/cpuinfo")


class Pattern(NamedTuple):
    """One expression: hits report `id`."""

    id: int
    expression: str
    caseless: bool
    source: str


_DATABASES: Memory[tuple[Pattern, ...], hyperscan.Database] = Memory(_KEPT)


class Prefilter:
    """A compiled database; `scan` returns the hits in order of their ends."""

    __slots__ = ("_scan", "_scratch")

    def __init__(self, patterns: Sequence[Pattern], folder: Path | None = None) -> None:
        """Compile, or take what is kept in `folder`; ConfigError names the pattern that hyperscan refuses, and why."""
        database = _database((*(Pattern(i, e, c, "trigger") for i, e, c in TRIGGERS), *patterns), folder)
        self._scan = database.scan
        self._scratch = hyperscan.Scratch(database)  # what a scan writes to: databases are shared, also by threads

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


def _database(patterns: tuple[Pattern, ...], folder: Path | None) -> hyperscan.Database:
    """Return the database of some patterns; rules that differ in keys and chains only share one."""
    database = _DATABASES.get(patterns)
    if database is None:
        database = _compile(patterns) if folder is None else _kept(patterns, Store(folder))
        _DATABASES.put(patterns, database)
    return database


def _kept(patterns: tuple[Pattern, ...], store: Store) -> hyperscan.Database:
    key = _key(patterns)
    found = store.load(key)
    if found is not None:
        try:
            return hyperscan.loadb(found, _MODE)
        except hyperscan.HyperscanError:
            pass  # it refuses what was made by another version, or for another processor
    database = _compile(patterns)
    store.save(key, hyperscan.dumpb(database))
    return database


def _key(patterns: Sequence[Pattern]) -> bytes:
    """Return a digest of all that a compiled database depends on."""
    probe = _built([Pattern(0, "a", False, "")])  # its description names hyperscan's own version
    made_by = [str(probe.info()), _MODE, *_processor()]
    said = [[p.id, p.expression, _flags(p.caseless)] for p in patterns]
    return hashlib.sha256(json.dumps([made_by, said]).encode("utf-8")).digest()


def _processor() -> tuple[str, str]:
    """Return the architecture, and what the processor can do as far as the system tells."""
    try:
        lines = _CPU.read_text("ascii", "replace").splitlines()
    except OSError:
        lines = []
    return platform.machine(), next((line for line in lines if line.lower().startswith(("flags", "features"))), "")


def _compile(patterns: Sequence[Pattern]) -> hyperscan.Database:
    try:
        return _built(patterns)
    except hyperscan.HyperscanError as error:
        raise ConfigError([_culprit(patterns) or f"dlp: the patterns do not compile: {error}"]) from error


def _built(patterns: Sequence[Pattern]) -> hyperscan.Database:
    database = hyperscan.Database(mode=_MODE)
    database.compile(
        expressions=[p.expression.encode("utf-8") for p in patterns],
        ids=[p.id for p in patterns],
        elements=len(patterns),
        flags=[_flags(p.caseless) for p in patterns],
    )
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
        _built([Pattern(1, expression, caseless, "")])
    except hyperscan.HyperscanError as error:
        return str(error)
    return ""
