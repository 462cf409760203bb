"""A reader: walks the log from a place, one record at a time, up to what is durable.

One per exporter. It steps over damage, and over segments that were deleted before it came to them; what was in them
is counted as lost. Not safe for threads by itself.
"""

from __future__ import annotations

from typing import BinaryIO

from .log import Segment, SegmentLog
from .records import BATCH, HEADER_SIZE, Position, Record, header_at, next_record, payload_intact

_HEADER_AND_SENDER = HEADER_SIZE + 0xFFFF


class Reader:
    """Reads `log` from `position` on; `damaged_bytes` and `lost_pairs` say what could not be read."""

    def __init__(self, log: SegmentLog, position: Position) -> None:
        self._log = log
        self._at = position
        self._file: BinaryIO | None = None
        self._number = 0  # of the open file
        self._pair = -1  # number of the next pair, as segments count them; -1 before the first segment
        self.damaged_bytes = 0
        self.lost_pairs = 0
        self._segment()

    @property
    def position(self) -> Position:
        """The place of the next record."""
        return self._at

    @property
    def pair(self) -> int:
        """The number of the next pair, as segments count them."""
        return max(self._pair, 0)

    def next(self) -> Record | None:
        """Return the next record, or None at the end of what is durable."""
        while (segment := self._segment()) is not None:
            record = self._read(segment)
            if record is not None:
                return record
        return None

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _segment(self) -> Segment | None:
        """Return the segment with something to read, having moved there; None when all is read."""
        while True:
            here = self._log.segment(self._at.segment)
            if here is None or self._at.offset >= here.size or self._file is None:
                later = [s for s in self._log.segments() if (s.number, s.size) > self._at]
                if not later:
                    return None
                here = later[0]
            if here.number == self._number and self._file is not None:
                return here
            try:
                self._open(here)
            except FileNotFoundError:
                if self._log.segment(here.number) is not None:
                    raise
                continue  # released between the two looks
            return here

    def _open(self, segment: Segment) -> None:
        file = segment.path.open("rb")
        self.close()
        self._file = file
        self._number = segment.number
        if segment.number > self._at.segment:
            self._at = Position(segment.number, 0)
            if self._pair >= 0:
                self.lost_pairs += max(0, segment.first_pair - self._pair)
            self._pair = segment.first_pair
        else:
            self._pair = segment.first_pair + self._pairs_before(segment, self._at.offset)

    def _pairs_before(self, segment: Segment, offset: int) -> int:
        pairs = at = 0
        while at < offset:
            header = header_at(self._bytes(at, _HEADER_AND_SENDER), 0, segment.nonce)
            if header is None:
                return pairs
            pairs += header.pairs if header.magic == BATCH else 0
            at += header.size
        return pairs

    def _bytes(self, offset: int, length: int) -> bytes:
        assert self._file is not None
        self._file.seek(offset)
        return self._file.read(length)

    def _read(self, segment: Segment) -> Record | None:
        """Read one record; None after a checkpoint or damage was stepped over."""
        at = self._at.offset
        limit = segment.size - at
        head = self._bytes(at, min(limit, HEADER_SIZE))
        sender = int.from_bytes(head[4:6], "big") if len(head) == HEADER_SIZE else 0
        head += self._bytes(at + len(head), min(sender, limit - len(head))) if sender else b""
        header = header_at(head, 0, segment.nonce)
        if header is not None and header.size <= limit:
            payload = self._bytes(at + header.size - header.length, header.length)
            if payload_intact(header, payload):
                self._at = Position(segment.number, at + header.size)
                if header.magic != BATCH:
                    return None
                self._pair += header.pairs
                return Record(header.sender, header.epoch, header.sequence, header.pairs, payload, header.time_ns)
        rest = self._bytes(at, limit)
        following = next_record(rest, 1, segment.nonce)
        skipped = limit if following is None else following
        self.damaged_bytes += skipped
        self._at = Position(segment.number, at + skipped)
        return None
