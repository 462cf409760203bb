"""The one hyperscan database of a rule: what to look at closely, found at memory speed on raw bytes.

Each detector's patterns, one pattern set for names of fields, and the triggers for everything that could hide a value
(`triggers`). End offsets only: start-of-match costs more, and some patterns are too large for it. What has no hit is
clean and is never parsed; what has more than a million is refused.

Compiling takes two seconds of a processor, so a process remembers its databases, images ship those of the built-in
rules (`shipped`), and a `Store` keeps the others for the next process, under a digest of all that they depend on.
"""

from __future__ import annotations

import contextlib
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
_SHIPPED = Path(__file__).with_name("compiled")  # in images; a checkout has none


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
        database = _database(_with_triggers(patterns), folder)
        self._scan = database.scan
        self._scratch = hyperscan.Scratch(database)  # what a scan writes to: databases are shared, also by threads

    def scan(self, data: bytes) -> list[tuple[int, int]]:
        """Return (id, end) of every hit, ascending by end; empty when the data is clean.

        TooMuch beyond a million hits: the caller fails closed.
        """
        found: list[tuple[int, int]] = []
        try:
            self._scan(data, _on, 0, found, self._scratch)  # by position: names cost as much as a short text's search
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
        database = _kept(patterns, folder)
        _DATABASES.put(patterns, database)
    return database


def _kept(patterns: tuple[Pattern, ...], folder: Path | None) -> hyperscan.Database:
    stores = [Store(_SHIPPED, shipped=True), *([Store(folder)] if folder is not None else [])]
    key = _key(patterns, platform.machine())
    for store in stores:
        found = store.load(key)
        if found is not None:
            with contextlib.suppress(hyperscan.HyperscanError):  # what another version made it refuses
                return hyperscan.loadb(found, _MODE)
    database = _compile(patterns)
    if folder is not None:
        stores[-1].save(key, hyperscan.dumpb(database))
    return database


def ship(patterns: Sequence[Pattern], folder: Path, machine: str) -> None:
    """Compile what a `Prefilter` of these patterns needs on `machine` (as `uname -m` says it) into a folder.

    Wheels of hyperscan are built for the least of processors and say so (no features): the same patterns give the same
    bytes on x86_64 and aarch64. Intel's Atom line is the exception, where it chooses another engine.
    """
    all_ = _with_triggers(patterns)
    Store(folder).save(_key(all_, machine), hyperscan.dumpb(_compile(all_)))


def _with_triggers(patterns: Sequence[Pattern]) -> tuple[Pattern, ...]:
    return (*(Pattern(i, e, c, "trigger") for i, e, c in TRIGGERS), *patterns)


def _key(patterns: Sequence[Pattern], machine: str) -> bytes:
    """Return a digest of all that a compiled database depends on."""
    # it tells hyperscan's version, and what of the processor it makes use of
    probe = _built([Pattern(0, "a", False, "")])
    made_by = [str(probe.info()), _MODE, machine]
    said = [[p.id, p.expression, _flags(p.caseless)] for p in patterns]
    return hashlib.sha256(json.dumps([made_by, said]).encode("utf-8")).digest()


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
