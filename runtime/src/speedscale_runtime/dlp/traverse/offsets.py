"""Decode an escaped text and remember where each decoded byte began, so that edits can be mapped back.

Only where it changes is remembered, not every byte: a text of 64 MiB with one escape costs two entries.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable

_KNOWN = 1024  # escapes whose meaning is kept while a text is decoded


class Offsets:
    """`offsets[i]` is where decoded byte i began in the encoded text; one more than there are bytes, for the end."""

    __slots__ = ("_raw", "_starts")

    def __init__(self) -> None:
        self._starts = [0]
        self._raw = [0]  # one's complement of the offset where all bytes of a stretch began at it

    def columns(self) -> tuple[list[int], list[int]]:
        """Return where stretches begin, decoded and raw (one's complement where all bytes began there), to be grown."""
        return self._starts, self._raw

    def unit(self, decoded: int, raw: int) -> None:
        """From decoded byte `decoded` on, all began at `raw`."""
        self._starts.append(decoded)
        self._raw.append(~raw)

    @property
    def cost(self) -> int:
        """What it took to make, in units of work."""
        return 50 * len(self._starts)

    def __getitem__(self, i: int) -> int:
        at = bisect_right(self._starts, i) - 1
        raw = self._raw[at]
        return ~raw if raw < 0 else raw + i - self._starts[at]


def decode(data: bytes, unit: re.Pattern[bytes], meaning: Callable[[re.Match[bytes]], bytes]) -> tuple[bytes, Offsets]:
    """Return the decoded bytes and where each of them began in `data`.

    `unit` matches one escape; `meaning` returns what it stands for (its own text where it stands for nothing).
    """
    parts: list[bytes] = []
    offsets = Offsets()
    known: dict[bytes, bytes] = {}
    starts, raws = offsets.columns()
    at = size = 0
    for match in unit.finditer(data):
        start, end = match.span()
        if start > at:
            parts.append(data[at:start])
            size += start - at
        escaped = data[start:end]
        text = known.get(escaped)
        if text is None:
            text = meaning(match)
            if len(known) < _KNOWN:
                known[escaped] = text
        parts.append(text)
        after = size + len(text)
        starts += (size, after)
        raws += (~start, end)
        size, at = after, end
    parts.append(data[at:])
    return b"".join(parts), offsets
