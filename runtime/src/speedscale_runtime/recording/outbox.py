"""What was captured and not yet acknowledged: bounded, and counted to the last pair.

Filled by connections (`add`, `add_opaque`), emptied by `sender` (`take`, then `settle`). A pair is in exactly one
place: the queue (frames), the spill, or the batch under way; queue and batch share `limit` bytes. Overflow goes
to the spill where there is one, else the new pair is dropped and counted.

A pair is rendered as soon as it comes, because it comes after the bytes went on (`hub`): what waits is then of
known size, and closed batches are ready to go. Runs on the event loop's thread only.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from speedscale_runtime.protocols.exchange import Cause, Exchange
from speedscale_schemas.frames import FrameError

from .capture import Facts, Recorder
from .causes import Drop
from .ledger import CAPTURED, DROPPED, SEEN, SLOTS, TRUNCATED, Ledger
from .spill import Spill

_HEAD_LEAST = 256  # a frame's head is longer than that: what has no room for it need not be rendered
_QUEUE_BYTES = SLOTS["queue_bytes"]
_SPILL_BYTES = SLOTS["spill_bytes"]


class Batch(NamedTuple):
    """Frames to be sent together; `size` bytes."""

    body: bytes
    pairs: int
    size: int


class Outbox:
    """The one outbox of a worker."""

    def __init__(
        self,
        recorder: Recorder,
        ledger: Ledger,
        *,
        limit: int,
        batch_max_bytes: int,
        spill: Spill | None,
    ) -> None:
        """`limit` bounds memory in bytes."""
        self._recorder = recorder
        self._cells = ledger.cells
        self._limit = limit
        self._batch_max = batch_max_bytes
        self._spill = spill
        self._closed: deque[tuple[list[bytes], int]] = deque()  # whole batches: frames, bytes
        self._open: list[bytes] = []  # the batch that still grows
        self._open_bytes = 0
        self._overflow = Drop.QUEUE_FULL  # why a pair has no room
        self.held = 0  # bytes in queue and the batch under way
        self.on_data: Callable[[], None] = lambda: None

    # -- what connections call

    def add(self, facts: Facts, exchange: Exchange) -> None:
        """Take an exchange that ended."""
        cells = self._cells
        cells[SEEN] += 1
        request, response = len(exchange.request_body), len(exchange.response_body)
        if exchange.incomplete and not exchange.status:
            cells[DROPPED[_why_incomplete(exchange)]] += 1
            return
        if self._spill is None and self.held + request + response + _HEAD_LEAST > self._limit:
            cells[DROPPED[self._overflow]] += 1
            return
        try:
            frame = self._recorder.http(facts, exchange)
        except Exception as error:
            self._failed(error)
            return
        if exchange.response_body_length > response or exchange.request_body_length > request:
            cells[TRUNCATED] += 1
        self._keep(frame)

    def add_opaque(self, facts: Facts, started_ns: int, ended_ns: int) -> None:
        """Take the record of a connection that was passed on without being understood."""
        self._cells[SEEN] += 1
        try:
            frame = self._recorder.opaque(facts, started_ns, ended_ns)
        except Exception as error:
            self._failed(error)
            return
        self._keep(frame)

    def drop(self, cause: Drop, count: int) -> None:
        """Count pairs that were seen and will not be captured."""
        self._cells[DROPPED[cause]] += count

    def _failed(self, error: Exception) -> None:
        self.drop(Drop.TOO_LARGE if isinstance(error, FrameError) else Drop.INTERNAL, 1)

    def _keep(self, frame: bytes) -> None:
        size, spill = len(frame), self._spill
        held = self.held + size
        if spill is not None and (spill.count or held > self._limit):
            self._cells[DROPPED[Drop.SPILL_FULL]] += not spill.put(frame)
            self._gauge()
            self.on_data()
            return
        if held > self._limit:
            self._cells[DROPPED[self._overflow]] += 1
            return
        self.held = self._cells[_QUEUE_BYTES] = held
        total = self._open_bytes + size
        if total <= self._batch_max:
            self._open.append(frame)
            self._open_bytes = total
            if total == size:  # the first one
                self.on_data()
        else:
            self._close_batch()
            self._open.append(frame)
            self._open_bytes = size
            self.on_data()

    def _close_batch(self) -> None:
        if self._open:
            self._closed.append((self._open, self._open_bytes))
            self._open, self._open_bytes = [], 0

    # -- what the sender calls

    @property
    def batch_ready(self) -> bool:
        """Whether there is enough for a batch without waiting for more."""
        return bool(self._closed) or (self._spill is not None and self._spill.count > 0)

    @property
    def empty(self) -> bool:
        """Whether nothing waits: neither queued nor spilled (a batch under way is the sender's)."""
        return not self._open and not self._closed and (self._spill is None or not self._spill.count)

    async def take(self) -> Batch | None:
        """Return the oldest pairs as a batch, None when there are none; `settle` it in the end."""
        if not self._closed:
            self._close_batch()
        if self._closed:
            frames, size = self._closed.popleft()
            return Batch(b"".join(frames), len(frames), size)
        if self._spill is not None:
            found = await self._spill.take()
            self.drop(Drop.SPILL_ERROR, self._spill.take_failed())
            if found is not None:
                data, count = found
                self.held += len(data)
                return Batch(data, count, len(data))
        return None

    def settle(self, batch: Batch, cause: Drop | None) -> None:
        """End a batch: acknowledged (None), or dropped for a cause."""
        self.held -= batch.size
        if cause is None:
            self._cells[CAPTURED] += batch.pairs
        else:
            self.drop(cause, batch.pairs)
        self._gauge()

    def abandon(self, cause: Drop) -> int:
        """Drop everything that waits, and from now on what comes; return how many pairs waited."""
        self._close_batch()
        count = sum(len(frames) for frames, _ in self._closed)
        if self._spill is not None:
            failed = self._spill.take_failed()
            self.drop(Drop.SPILL_ERROR, failed)
            count += self._spill.count
            self._spill.close()
            self._spill, self._cells[_SPILL_BYTES] = None, 0
        self._overflow, self._limit = cause, -1
        self.drop(cause, count)
        self._closed.clear()
        self.held = 0
        self._gauge()
        return count

    def _gauge(self) -> None:
        self._cells[_QUEUE_BYTES] = self.held
        if self._spill is not None:
            self._cells[_SPILL_BYTES] = self._spill.bytes


def _why_incomplete(exchange: Exchange) -> Drop:
    """Name the reason why an exchange without an answer is of no use."""
    if exchange.incomplete == Cause.CLIENT_GONE:
        return Drop.CLIENT_GONE if exchange.request_end_ns else Drop.BODY_INCOMPLETE
    if exchange.incomplete == Cause.SERVER_GONE:
        return Drop.SERVER_GONE
    return Drop.GAP if exchange.incomplete == Cause.GAP else Drop.PARSE_ERROR
