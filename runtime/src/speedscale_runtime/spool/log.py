"""The segment log: append-only files of records, with a bound on their total size.

Used by `committer` (which alone appends, from one thread) and by `reader`s (any thread). Invariants: what `append`
returned for is on disk; after any crash the log opens, with everything acknowledged and nothing invented; a full
log refuses, it never drops. No asyncio here.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from speedscale_runtime import durable

from . import names
from .records import (
    CHECKPOINT,
    HEADER_SIZE,
    Damage,
    Position,
    Record,
    encode,
    encode_checkpoint,
    scan,
)
from .senders import SenderTable


class SpoolFull(Exception):
    """Not stored: `reason` is `spool_full` (our own bound), `disk_full` (the file system's) or `disk_error`."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class SpoolLocked(Exception):
    """Another process uses this spool."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`max_bytes`: all segments together; `segment_bytes`: a segment is closed when it is larger than this."""

    max_bytes: int = 1024 * 1024 * 1024
    segment_bytes: int = 32 * 1024 * 1024


@dataclass(slots=True)
class Segment:
    """One file: `size` is how much of it is durable and readable, `pairs` how many frames that holds.

    `first_pair` numbers its first frame since the log was opened, so that a reader knows what it missed. `last_ns` is
    when its newest batch was received (ns since 1970; 0 where it has none).
    """

    number: int
    nonce: int
    path: Path
    size: int = 0
    pairs: int = 0
    first_pair: int = 0
    last_ns: int = 0


@dataclass(slots=True)
class Recovery:
    """What opening found: whole records and pairs, the bytes of torn tails that were cut, and damage skipped."""

    records: int = 0
    pairs: int = 0
    torn_bytes: int = 0
    damage: list[tuple[str, int, int]] = field(default_factory=list)  # file, offset, bytes


class SegmentLog:
    """The log in `folder`, which it creates (mode 0700) and locks; SpoolLocked when another process has it.

    `write` and `fsync` are `os.write` and `os.fsync` unless a test puts failing ones in their place.
    """

    def __init__(
        self,
        folder: Path,
        limits: Limits,
        *,
        write: Callable[[int, bytes], int] = os.write,
        fsync: Callable[[int], None] = os.fsync,
    ) -> None:
        self._folder, self._limits, self._write, self._fsync = folder, limits, write, fsync
        self._mutex = threading.Lock()
        self._segments: dict[int, Segment] = {}
        self._senders = SenderTable()
        self.recovery = Recovery()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock_fd = self._lock()
        self._fd = -1
        self._fresh_needed = True  # an old segment is never appended to
        self._head_bytes = 0  # of the checkpoint that the open segment begins with
        try:
            self._recover()
            self._writable()  # on a full disk there is none yet: what is there can still be read
        except BaseException:
            os.close(self._lock_fd)
            raise

    @property
    def end(self) -> Position:
        """The place behind the last durable record."""
        with self._mutex:
            last = self._last()
            return Position(last.number, last.size) if last else Position(0, 0)

    @property
    def total_pairs(self) -> int:
        """Pairs recovered at start and appended since."""
        with self._mutex:
            last = self._last()
            return last.first_pair + last.pairs if last else 0

    @property
    def size(self) -> int:
        """Bytes of all segments."""
        with self._mutex:
            return sum(s.size for s in self._segments.values())

    @property
    def limits(self) -> Limits:
        """The bounds this log was opened with."""
        return self._limits

    @property
    def senders_forgotten(self) -> int:
        """Senders dropped from the table because it was full."""
        return self._senders.forgotten

    def segments(self) -> list[Segment]:
        """Return copies of all segments, the oldest first."""
        with self._mutex:
            return [replace(s) for s in self._segments.values()]

    def segment(self, number: int) -> Segment | None:
        """Return a copy of one segment, or None when it is gone."""
        with self._mutex:
            found = self._segments.get(number)
            return replace(found) if found else None

    def has(self, sender: str, epoch: int, sequence: int) -> bool:
        """Say whether this batch is on disk already."""
        with self._mutex:
            return self._senders.has(sender, epoch, sequence)

    def behind(self, position: Position, pair: int) -> tuple[int, int]:
        """Return how many bytes and pairs lie behind a reader's place and the number of its next pair."""
        size = 0
        with self._mutex:
            for segment in self._segments.values():
                if segment.number == position.segment:
                    size += max(0, segment.size - position.offset)
                elif segment.number > position.segment:
                    size += segment.size
        return size, max(0, self.total_pairs - pair)

    def waiting_since(self, position: Position) -> int:
        """Return when the newest batch was received of the segment that a reader is in (ns since 1970).

        That is how old what it waits for is at the least; 0 where there is nothing behind its place.
        """
        with self._mutex:
            for segment in self._segments.values():
                behind = segment.number == position.segment and segment.size > position.offset
                if (behind or segment.number > position.segment) and segment.last_ns:
                    return segment.last_ns
        return 0

    def expired(self, before_ns: int) -> Position:
        """Return the place before which every batch was received earlier than `before_ns`."""
        with self._mutex:
            for segment in self._segments.values():
                if segment.last_ns >= before_ns:
                    return Position(segment.number, 0)
            last = self._last()
            return Position(last.number + 1, 0) if last else Position(0, 0)

    def room(self, size: int) -> bool:
        """Say whether a payload of `size` bytes fits below the bound now."""
        return self.size + size + HEADER_SIZE <= self._limits.max_bytes

    def append(self, records: Sequence[Record]) -> list[SpoolFull | None]:
        """Make the records durable with one fsync; return per record None, or why it was not stored.

        Without records a new segment is begun where one is due.

        Only the committer's thread calls this. A record that is stored is readable when this returns.
        """
        segment = self._writable()
        if segment is None:
            return [SpoolFull("disk_full") for _ in records]
        used, taken, results = self.size, [], []
        pending = bytearray()
        for record in records:
            data = encode(record, segment.nonce)
            fits = used + len(data) <= self._limits.max_bytes
            results.append(None if fits else SpoolFull("spool_full"))
            if fits:
                used += len(data)
                pending += data
                taken.append(record)
        if taken and (reason := self._durably(segment, bytes(pending))):
            return [r or SpoolFull(reason) for r in results]
        with self._mutex:
            segment.size += len(pending)
            segment.pairs += sum(r.pairs for r in taken)
            for record in taken:
                segment.last_ns = max(segment.last_ns, record.time_ns)
                self._senders.add(record.sender, record.epoch, record.sequence)
        return results

    def release(self, before: Position) -> list[Segment]:
        """Delete the segments that end before `before`, never the one written to; return them."""
        with self._mutex:
            last = max(self._segments, default=0)
            gone = [s for n, s in self._segments.items() if n < before.segment and n != last]
            for segment in gone:
                del self._segments[segment.number]
        for segment in gone:
            segment.path.unlink(missing_ok=True)
        return gone

    def rotate(self) -> None:
        """Have the next append begin a new segment, so that `release` can delete the one written to so far."""
        self._fresh_needed = True

    def close(self) -> None:
        """Close the files and give the lock back."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        os.close(self._lock_fd)

    def _last(self) -> Segment | None:
        return self._segments[max(self._segments)] if self._segments else None

    def _durably(self, segment: Segment, data: bytes) -> str:
        """Write and sync; return an empty string, or the reason why nothing of it counts."""
        try:
            view = memoryview(data)
            while view:
                view = view[self._write(self._fd, bytes(view)) :]
            self._fsync(self._fd)
        except OSError as error:
            self._undo(segment)
            return _reason(error)
        return ""

    def _undo(self, segment: Segment) -> None:
        """Cut what was not acknowledged; where even that fails the segment is left, and a new one begun."""
        try:
            os.ftruncate(self._fd, segment.size)
            os.lseek(self._fd, segment.size, os.SEEK_SET)
        except OSError:
            pass
        self._fresh_needed = True  # after a failed fsync the kernel may have dropped pages: never append here again

    def _writable(self) -> Segment | None:
        segment = self._last()
        if segment and not self._fresh_needed and segment.size - self._head_bytes <= self._limits.segment_bytes:
            return segment
        try:
            return self._start_segment()
        except OSError as error:
            _reason(error)
            return None

    def _start_segment(self) -> Segment:
        number = max(self._segments, default=0) + 1
        nonce = secrets.randbits(32)
        path = self._folder / names.name(number, nonce)
        first = encode_checkpoint(self._senders.dump(), nonce)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            view = memoryview(first)
            while view:
                view = view[self._write(fd, bytes(view)) :]
            self._fsync(fd)
            durable.sync(self._folder)
        except OSError:
            os.close(fd)
            path.unlink(missing_ok=True)
            raise
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._fresh_needed, self._head_bytes = fd, False, len(first)
        segment = Segment(number, nonce, path, len(first), first_pair=self.total_pairs)
        with self._mutex:
            self._segments[number] = segment
        return segment

    def _lock(self) -> int:
        fd = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(fd, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(fd)
            raise SpoolLocked(f"{self._folder} is in use by process {holder}") from None
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode("ascii"), 0)
        return fd

    def _recover(self) -> None:
        for file in names.find(self._folder):
            segment = Segment(*file)
            segment.first_pair = self.recovery.pairs
            self._recover_segment(segment)
            if segment.size:
                self._segments[segment.number] = segment
            else:
                segment.path.unlink()

    def _recover_segment(self, segment: Segment) -> None:
        length = segment.path.stat().st_size
        if not length:
            return
        with segment.path.open("r+b") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            with memoryview(data) as view:
                good = self._take_in(segment, view)
            segment.size = good
        if good < length:
            os.truncate(segment.path, good)

    def _take_in(self, segment: Segment, view: memoryview) -> int:
        """Count a segment's records; return where it is to be cut: before a torn tail, else at its end."""
        good = 0
        for item in scan(view, segment.nonce):
            if isinstance(item, Damage):
                if item.torn:
                    self.recovery.torn_bytes += item.length
                else:  # left where it is, for whoever wants to look; readers step over it
                    self.recovery.damage.append((segment.path.name, item.offset, item.length))
                    good = item.offset + item.length
                continue
            offset, header = item
            good = offset + header.size
            if header.magic == CHECKPOINT:
                self._senders.load(bytes(view[good - header.length : good]))
                continue
            self.recovery.records += 1
            self.recovery.pairs += header.pairs
            segment.pairs += header.pairs
            segment.last_ns = max(segment.last_ns, header.time_ns)
            self._senders.add(header.sender, header.epoch, header.sequence)
        return good


def _reason(error: OSError) -> str:
    """Return why the disk took nothing; an error that is not about the disk's state is raised on."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "disk_full"
    if error.errno in (errno.EIO, errno.EROFS):
        return "disk_error"
    raise error
