"""What was captured and not yet acknowledged: bounded, rendered off the path of traffic, counted to the last pair.

Filled by connections (`add`, `add_opaque`), emptied by `sender` (`take`, then `settle`). A pair is in exactly one
place: pending (observed, not rendered), queue (frames), spill, or the batch under way; all of them but the spill
share `limit` bytes. Overflow goes to the spill where there is one, else the new pair is dropped and counted.

Rendering comes in slices of `SLICE` between events of traffic, so that a burst delays nobody by much.
Runs on the event loop's thread only.
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

SLICE = 12
RENDER_DELAY_S = 0.003
_HEAD_GUESS = 1200  # bytes that a pair's head takes, until it is rendered
_QUEUE_BYTES = SLOTS["queue_bytes"]
_SPILL_BYTES = SLOTS["spill_bytes"]

Later = Callable[[float, Callable[[], None]], object]


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
        later: Later,
    ) -> None:
        """`later(delay_s, callback)` schedules on the loop; `limit` bounds memory in bytes."""
        self._recorder = recorder
        self._cells = ledger.cells
        self._limit = limit
        self._batch_max = batch_max_bytes
        self._spill = spill
        self._later = later
        self._scheduled = False
        self._pending: deque[tuple[Facts, Exchange | tuple[int, int], int]] = deque()
        self._queue: deque[bytes] = deque()
        self._queued = 0
        self._pending_bytes = 0
        self.held = 0  # bytes in pending, queue and the batch under way
        self.on_data: Callable[[], None] = lambda: None

    # -- what connections call

    def add(self, facts: Facts, exchange: Exchange) -> None:
        """Take an exchange that ended."""
        cells = self._cells
        cells[SEEN] += 1
        if exchange.incomplete and not exchange.status:
            cells[DROPPED[_why_incomplete(exchange)]] += 1
            return
        self._push(facts, exchange, _HEAD_GUESS + len(exchange.request_body) + len(exchange.response_body))

    def add_opaque(self, facts: Facts, started_ns: int, ended_ns: int) -> None:
        """Take the record of a connection that was passed on without being understood."""
        self._cells[SEEN] += 1
        self._push(facts, (started_ns, ended_ns), _HEAD_GUESS)

    def drop(self, cause: Drop, count: int) -> None:
        """Count pairs that were seen and will not be captured."""
        self._cells[DROPPED[cause]] += count

    def _push(self, facts: Facts, what: Exchange | tuple[int, int], size: int) -> None:
        if self.held + size > self._limit and (self._spill is None or not self._make_room(size)):
            self._cells[DROPPED[Drop.QUEUE_FULL]] += 1
            return
        self.held += size
        self._pending_bytes += size
        self._pending.append((facts, what, size))
        if not self._scheduled:
            self._scheduled = True
            self._later(RENDER_DELAY_S, self._render_slice)

    def _make_room(self, size: int) -> bool:
        """With a spill only what is pending counts here: it leaves memory as soon as it is rendered."""
        return self._pending_bytes + size <= self._limit

    # -- rendering

    def _render_slice(self) -> None:
        pending = self._pending
        for _ in range(min(SLICE, len(pending))):
            self._render(*pending.popleft())
        if pending:
            self._later(0, self._render_slice)
        else:
            self._scheduled = False
        self._gauge()
        if self._queue or (self._spill is not None and self._spill.count):
            self.on_data()

    def _render(self, facts: Facts, what: Exchange | tuple[int, int], size: int) -> None:
        self.held -= size
        self._pending_bytes -= size
        try:
            if isinstance(what, Exchange):
                frame = self._recorder.http(facts, what)
                if what.response_body_length > len(what.response_body) or what.request_body_length > len(
                    what.request_body
                ):
                    self._cells[TRUNCATED] += 1
            else:
                frame = self._recorder.opaque(facts, *what)
        except FrameError:
            self._cells[DROPPED[Drop.TOO_LARGE]] += 1
            return
        except Exception:
            self._cells[DROPPED[Drop.INTERNAL]] += 1
            return
        self._keep(frame)

    def _keep(self, frame: bytes) -> None:
        spill = self._spill
        if spill is not None and (spill.count or self.held + len(frame) > self._limit):
            if not spill.put(frame):
                self._cells[DROPPED[Drop.SPILL_FULL]] += 1
            return
        self._queue.append(frame)
        self._queued += len(frame)
        self.held += len(frame)

    # -- what the sender calls

    @property
    def batch_ready(self) -> bool:
        """Whether there is enough for a batch without waiting for more."""
        return self._queued >= self._batch_max or (self._spill is not None and self._spill.count > 0)

    @property
    def empty(self) -> bool:
        """Whether nothing waits: neither pending, queued nor spilled (a batch under way is the sender's)."""
        return not self._queue and not self._pending and (self._spill is None or not self._spill.count)

    def render_all(self) -> None:
        """Render what is pending at once; for the end of the process."""
        while self._pending:
            self._render(*self._pending.popleft())
        self._gauge()

    async def take(self) -> Batch | None:
        """Return the oldest pairs as a batch, None when there are none; `settle` it in the end."""
        if self._queue:
            frames: list[bytes] = []
            size, queue = 0, self._queue
            while queue and (not frames or size + len(queue[0]) <= self._batch_max):
                frames.append(queue.popleft())
                size += len(frames[-1])
            self._queued -= size
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
        """Drop everything that waits and return how many pairs that were."""
        self.render_all()
        count = len(self._queue)
        if self._spill is not None:
            failed = self._spill.take_failed()
            self.drop(Drop.SPILL_ERROR, failed)
            count += self._spill.count
            self._spill.close()
        self.drop(cause, count)
        self._queue.clear()
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
    return Drop.PARSE_ERROR
