"""One direction of one stream: chunks that pass through several rings, put back in order.

Called by `connection`. Pure. The kernel numbers the bytes of a direction; chunks may come in any order, and again. What
is in order goes out at once (`take`); what is ahead of it waits. What is missing is told as a gap by capture, like a
chunk, or is declared missing by the caller (`give_up`), who knows how long to wait and how much may wait. Nothing is
ever joined across bytes that are missing: a gap goes out in its place, as a piece of its own.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import NamedTuple

from .causes import Missing


class Piece(NamedTuple):
    """The next part of a direction: `size` bytes, which are missing where `data` is None.

    `ts` is Unix time in nanoseconds; `begins` says that a call of the application began with these bytes.
    """

    data: bytes | None
    size: int
    ts: int
    missing: Missing | None = None
    begins: bool = False


class Direction:
    """The bytes of one direction, from `expected` on; `waiting_bytes` of them have come too early."""

    __slots__ = ("_ahead", "_offsets", "expected", "final", "repeated", "waiting_bytes")

    def __init__(self, expected: int = 0) -> None:
        self.expected = expected
        self.final = -1  # offset at which it ends, once that is known
        self.waiting_bytes = 0
        self.repeated = 0  # bytes that came again
        self._ahead: dict[int, Piece] = {}  # by offset
        self._offsets: list[int] = []  # of `_ahead`, as a heap

    @property
    def complete(self) -> bool:
        """Whether it ended and all of it came."""
        return 0 <= self.final <= self.expected

    @property
    def oldest_ts(self) -> int:
        """The time of the first of what came too early, 0 when nothing did."""
        return self._ahead[self._offsets[0]].ts if self._offsets else 0

    @property
    def reached(self) -> int:
        """Behind the last byte that is known of."""
        ends = (offset + piece.size for offset, piece in self._ahead.items())
        return max(self.expected, self.final, max(ends, default=0))

    @property
    def broken(self) -> bool:
        """Whether something is missing before what has come."""
        return bool(self._offsets) or self.final > self.expected

    def take(self, offset: int, piece: Piece) -> list[Piece]:
        """Take bytes or a gap at `offset`; return what is in order now."""
        if offset == self.expected and not self._ahead:
            self.expected += piece.size
            return [piece]
        late = self.expected - offset
        if late >= piece.size:
            self.repeated += piece.size
            return []
        if late > 0:
            self.repeated += late
            offset, piece = self.expected, _rest(piece, late)
        before = self._ahead.get(offset)
        if before is not None and before.size >= piece.size:
            self.repeated += piece.size
            return []
        if before is None:
            heappush(self._offsets, offset)
        self._ahead[offset] = piece
        self.waiting_bytes += _size(piece) - (_size(before) if before is not None else 0)
        return self._in_order()

    def end(self, offset: int) -> None:
        """Note where it ends; the first word counts."""
        if self.final < 0:
            self.final = offset

    def give_up(self, reason: Missing, ts: int) -> list[Piece]:
        """Declare missing what keeps the rest from going out; return that gap and what is in order now.

        Only for a direction that is `broken`. The gap's time is that of what follows it, `ts` where it is the end.
        """
        stop = self._offsets[0] if self._offsets else self.final
        gap = Piece(None, stop - self.expected, self.oldest_ts or ts, reason)
        self.expected = stop
        return [gap, *self._in_order()]

    def forget(self) -> None:
        """Give back the memory: nobody asks for the bytes any more, they are only counted."""
        self.expected = self.reached
        self._ahead.clear()
        self._offsets.clear()
        self.waiting_bytes = 0

    def _in_order(self) -> list[Piece]:
        found: list[Piece] = []
        while self._offsets and self._offsets[0] <= self.expected:
            offset = heappop(self._offsets)
            piece = self._ahead.pop(offset)
            late = self.expected - offset
            self.waiting_bytes -= _size(piece)
            if late >= piece.size:
                self.repeated += piece.size
                continue
            if late:
                self.repeated += late
                piece = _rest(piece, late)
            self.expected += piece.size
            found.append(piece)
        return found


def _rest(piece: Piece, start: int) -> Piece:
    """Return a piece without its first bytes, which are known already."""
    data = piece.data[start:] if piece.data is not None else None
    return Piece(data, piece.size - start, piece.ts, piece.missing)


def _size(piece: Piece) -> int:
    return len(piece.data) if piece.data is not None else 0
