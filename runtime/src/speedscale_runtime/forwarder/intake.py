"""Taking batches in: who may send, what is refused and why, and the one order of things.

A batch is read, taken through filter and redaction by the one worker thread, made durable, and only then
acknowledged. One worker keeps the order of every sender; its queue is bounded by the bytes in memory, beyond which
senders are told to wait. Nothing of a batch is logged but counts.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import structlog

from speedscale_runtime.spool import Committer, Record, SegmentLog, SpoolFull, wire
from speedscale_runtime.spool.wire import Meta
from speedscale_schemas.errors import PeerError

from .core import Pipeline, Processed
from .metrics import Metrics
from .refusals import Reason, Refused

log = structlog.get_logger()

_PER_BATCH_BYTES = 4096  # what a batch costs in memory besides its body: bounds tiny batches too
Key = tuple[str, int, int]


def read_meta(headers: Mapping[str, str]) -> Meta:
    """Return what the headers say; Refused with what is missing or wrong."""
    try:
        return wire.read_meta(headers)
    except PeerError as error:
        raise Refused(Reason(error.reason), str(error).partition(": ")[2]) from error


class Intake:
    """Takes batches; `pipeline` is the one in force, or None while rules are missing."""

    def __init__(
        self,
        spool: SegmentLog,
        committer: Committer,
        metrics: Metrics,
        *,
        max_batch_bytes: int,
        max_inflight_bytes: int,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.pipeline: Pipeline | None = None
        self.accepting = True
        self.inflight_bytes = 0
        self.last_batch_at = float("-inf")
        self._spool, self._committer, self._metrics = spool, committer, metrics
        self._max_batch, self._max_inflight = max_batch_bytes, max_inflight_bytes
        self._clock_ns = clock_ns
        self._worker = ThreadPoolExecutor(1, "redact")
        self._in_hand: dict[Key, asyncio.Future[None]] = {}

    def admit(self, length: int | None) -> int:
        """Reserve memory for a body of `length` bytes (None: unknown) before it is read; return what is reserved.

        Refused when it is over a limit, when there is no room on disk, or while rules are missing.
        """
        if not self.accepting:
            raise Refused(Reason.STOPPING, "the forwarder is ending")
        if self.pipeline is None:
            raise Refused(Reason.RULES, "the filter or DLP rule is not loaded; see /readyz")
        if length is not None and length > self._max_batch:
            raise Refused(Reason.TOO_LARGE, f"{length} bytes; at most {self._max_batch} are taken")
        reserved = (self._max_batch if length is None else length) + _PER_BATCH_BYTES
        if self.inflight_bytes and self.inflight_bytes + reserved > self._max_inflight:
            raise Refused(Reason.BUSY, "too many bytes in memory")
        if not self._spool.room(0):
            raise Refused(Reason.SPOOL_FULL, "exporters are behind")
        self.inflight_bytes += reserved
        return reserved

    def release(self, reserved: int) -> None:
        """Give back what `admit` reserved."""
        self.inflight_bytes -= reserved

    async def take(self, meta: Meta, body: bytes) -> bool:
        """Store a batch; return whether it was new. When this returns, the batch is on disk.

        Refused when it is not stored. A batch that is in hand already is waited for, not stored twice.
        """
        if not self.accepting:
            raise Refused(Reason.STOPPING, "the forwarder is ending")
        self.last_batch_at = time.monotonic()
        other = self._in_hand.get(meta.key)
        if other is not None:
            await asyncio.shield(other)
            return False
        if self._spool.has(*meta.key):
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
            # without this frame's name for it no cycle keeps the error, and by its traceback the batch, in memory
            del self._in_hand[meta.key], future
        return True

    async def stop(self) -> None:
        """End the worker once what is in hand is done."""
        self.accepting = False
        while self._in_hand:
            await asyncio.wait(list(self._in_hand.values()))
        self._worker.shutdown()

    async def _store(self, meta: Meta, body: bytes) -> None:
        pipeline = self.pipeline
        if pipeline is None:
            raise Refused(Reason.RULES)
        loop = asyncio.get_running_loop()
        try:
            done = await loop.run_in_executor(self._worker, _process, pipeline, meta, body, self._max_batch)
        except PeerError as error:
            raise Refused(Reason(error.reason), str(error)) from error
        record = Record(meta.sender, meta.epoch, meta.sequence, done.pairs, done.payload, self._clock_ns())
        try:
            await self._committer.append(record)
        except SpoolFull as error:
            raise Refused(Reason(error.reason)) from error
        self._count(pipeline, done, len(body))

    def _count(self, pipeline: Pipeline, done: Processed, size: int) -> None:
        dropped = {str(reason): n for reason, n in done.dropped.items()}
        self._metrics.stored(pipeline.filter_name, size, done.received, done.pairs, done.filtered, dropped)
        self._metrics.redactions(pipeline.dlp_name, done.decisions)
        if dropped:
            log.error("pairs_dropped", reasons=dropped, causes=dict(done.causes))


def _process(pipeline: Pipeline, meta: Meta, body: bytes, limit: int) -> Processed:
    return pipeline.process(wire.decompress(body, limit) if meta.compressed else body)
