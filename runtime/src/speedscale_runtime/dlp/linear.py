"""Patterns of users, matched in linear time: hyperscan finds where a match begins and ends; nothing backtracks.

Called by `rules` for custom detectors. A text is searched once, however often it is asked about; of the matches that
begin at one place the longest counts, and none overlaps the one before. Built-in detectors do not need it: their
grammars are ours, and bounded.
"""

from __future__ import annotations

import re
import sys
from bisect import bisect_left
from typing import Any

import hyperscan

_ANY = re.compile(rb"[\s\S]*")


class LinearPattern:
    """A pattern with the one method that detectors ask of a grammar."""

    __slots__ = ("_database", "_last", "_spans")

    def __init__(self, expression: str, caseless: bool) -> None:
        """Compile; ValueError says why the expression cannot be matched in linear time with its start known."""
        flags = hyperscan.HS_FLAG_DOTALL | hyperscan.HS_FLAG_SOM_LEFTMOST
        self._database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        try:
            self._database.compile(
                expressions=[expression.encode("utf-8")],
                ids=[1],
                elements=1,
                flags=[flags | hyperscan.HS_FLAG_CASELESS if caseless else flags],
            )
        except hyperscan.HyperscanError as error:
            raise ValueError(str(error)) from error
        self._last: bytes | None = None
        self._spans: list[tuple[int, int]] = []

    def search(self, data: bytes, start: int = 0, stop: int = sys.maxsize, /) -> re.Match[bytes] | None:
        """Return the first match that begins at `start` or behind it and ends before `stop`, or None."""
        if data is not self._last:
            self._spans, self._last = self._all(data), data
        at = bisect_left(self._spans, (start, 0))
        if at == len(self._spans) or self._spans[at][1] > stop:
            return None
        return _ANY.fullmatch(data, *self._spans[at])

    def _all(self, data: bytes) -> list[tuple[int, int]]:
        longest: dict[int, int] = {}
        self._database.scan(data, match_event_handler=_on, context=longest)
        spans: list[tuple[int, int]] = []
        for start in sorted(longest):
            if longest[start] > start and (not spans or start >= spans[-1][1]):
                spans.append((start, longest[start]))
        return spans


def _on(pattern: int, start: int, end: int, flags: int, longest: Any) -> None:
    longest[start] = max(end, longest.get(start, 0))
