"""Taking batches in: bounded, checked, on disk, and only then acknowledged.

The HTTP face calls `admit`, `take` and `release`. A batch is unpacked and looked at by one thread, so that what is
acknowledged can be read; the committer's group commit makes it durable. A batch that is known by sender, epoch and
sequence is acknowledged and not stored twice; one that is in hand is waited for.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from speedscale_runtime.rrpair import jsontext
from speedscale_runtime.spool import Committer, Record, SegmentLog, SpoolFull, wire
from speedscale_runtime.spool.wire import Meta
from speedscale_schemas import frames
from speedscale_schemas.errors import PeerError
from speedscale_schemas.frames import FrameError

from .metrics import Metrics
from .problems import Reason, Refused

_PER_BATCH_BYTES = 4096  # what a batch costs in memory besides its body: bounds tiny batches, too
_FULL = {"spool_full": Reason.JOURNAL_FULL, "disk_full": Reason.DISK_FULL, "disk_error": Reason.DISK_ERROR}


class Intake:
    """Takes batches into `journal` by its `committer`."""

    def __init__(
        self,
        journal: SegmentLog,
        committer: Committer,
        metrics: Metrics,
        *,
        max_batch_bytes: int,
        max_inflight_bytes: int,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.inflight_bytes = 0
        self._accepting = True
        self._journal, self._committer, self._metrics = journal, committer, metrics
        self._max_batch, self._max_inflight, self._clock_ns = max_batch_bytes, max_inflight_bytes, clock_ns
        self._worker = ThreadPoolExecutor(1, "intake")
        self._in_hand: dict[tuple[str, int, int], asyncio.Future[None]] = {}

    def admit(self, length: int | None) -> int:
        """Reserve memory for a body of `length` bytes (None: unknown) before it is read; return what is reserved."""
        if not self._accepting:
            raise Refused(Reason.STOPPING, "the backend is ending")
        if length is not None and length > self._max_batch:
            raise Refused(Reason.TOO_LARGE, f"{length:,} bytes; at most {self._max_batch:,} are taken")
        reserved = (self._max_batch if length is None else length) + _PER_BATCH_BYTES
        if self.inflight_bytes and self.inflight_bytes + reserved > self._max_inflight:
            raise Refused(Reason.BUSY, "too many bytes in memory")
        if not self._journal.room(0):
            raise Refused(Reason.JOURNAL_FULL, "the journal is full: storing is behind")
        self.inflight_bytes += reserved
        return reserved

    def release(self, reserved: int) -> None:
        """Give back what `admit` reserved."""
        self.inflight_bytes -= reserved

    async def take(self, meta: Meta, body: bytes) -> bool:
        """Store a batch; return whether it was new. When this returns it is on disk."""
        other = self._in_hand.get(meta.key)
        if other is not None:
            await asyncio.shield(other)
            return False
        if self._journal.has(*meta.key):
            self._metrics.batch("duplicate")
            return False
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.add_done_callback(lambda f: f.cancelled() or f.exception())  # nobody may be waiting for it
        self._in_hand[meta.key] = future
        try:
            await self._store(meta, body)
        except BaseException as error:
            future.set_exception(error if isinstance(error, Refused) else Refused(Reason.INTERNAL))
            raise
        else:
            future.set_result(None)
        finally:
            del self._in_hand[meta.key], future
        return True

    async def rotate(self) -> None:
        """Begin a new segment: what was compacted of the one before can leave the disk."""
        self._journal.rotate()
        await self._committer.append(Record("", 0, self._clock_ns(), 0, b"", self._clock_ns()))

    async def stop(self) -> None:
        """Take nothing more; return once what is in hand is done."""
        self._accepting = False
        while self._in_hand:
            await asyncio.wait(list(self._in_hand.values()))
        self._worker.shutdown()

    async def _store(self, meta: Meta, body: bytes) -> None:
        loop = asyncio.get_running_loop()
        payload, pairs = await loop.run_in_executor(self._worker, _examined, meta, body, self._max_batch)
        record = Record(meta.sender, meta.epoch, meta.sequence, pairs, payload, self._clock_ns())
        try:
            await self._committer.append(record)
        except SpoolFull as error:
            raise Refused(_FULL[error.reason], "the batch was not stored; send it again later") from error
        self._metrics.batch("stored", pairs, len(payload))


def _examined(meta: Meta, body: bytes, limit: int) -> tuple[bytes, int]:
    """Return the frames, and how many; Refused where they are none, or a head is no JSON object."""
    try:
        payload = wire.decompress(body, limit) if meta.compressed else body
    except PeerError as error:
        reason = Reason.TOO_LARGE if error.reason == "too_large" else Reason.MALFORMED
        raise Refused(reason, str(error)) from error
    pairs = 0
    try:
        for frame in frames.decode_all(payload):
            if not isinstance(jsontext.parse(frame.head), dict):
                raise ValueError("no JSON object")
            pairs += 1
    except (FrameError, ValueError) as error:
        what = str(error) if isinstance(error, FrameError) else "the head is no JSON object"
        raise Refused(Reason.MALFORMED, f"frame {pairs}: {what}") from error
    return payload, pairs
