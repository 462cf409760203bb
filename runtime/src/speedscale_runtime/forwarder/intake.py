"""Taking batches in: who may send, what is refused and why, and the one order of things.

A batch is read, taken through filter and redaction by the one worker thread, made durable, and only then
acknowledged; all but filter and redaction is the `Reception`'s, which the backend shares. Its queue is bounded by the
bytes in memory, beyond which senders are told to wait. Nothing of a batch is logged but counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import structlog

from speedscale_runtime.spool import Committer, Reception, SegmentLog, wire
from speedscale_runtime.spool.wire import Meta
from speedscale_schemas.errors import PeerError

from .core import Pipeline, Processed
from .metrics import Metrics
from .refusals import Reason, Refused

log = structlog.get_logger()


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
        self.last_batch_at = float("-inf")
        self._metrics = metrics
        self._reception = Reception(
            spool,
            committer,
            lambda why, words: Refused(Reason(why), words),
            max_batch_bytes=max_batch_bytes,
            max_inflight_bytes=max_inflight_bytes,
            clock_ns=clock_ns,
        )
        self.release, self.stop = self._reception.release, self._reception.stop

    @property
    def inflight_bytes(self) -> int:
        """What is reserved for bodies."""
        return self._reception.inflight_bytes

    def close(self) -> None:
        """Take nothing more from now on."""
        self._reception.accepting = False

    def admit(self, length: int | None) -> int:
        """Reserve memory for a body of `length` bytes (None: unknown) before it is read; return what is reserved.

        Refused when it is over a limit, when there is no room on disk, or while rules are missing.
        """
        self._reception.open()
        if self.pipeline is None:
            raise Refused(Reason.RULES, "the filter or DLP rule is not loaded; see /readyz")
        return self._reception.admit(length)

    async def take(self, meta: Meta, body: bytes) -> bool:
        """Store a batch; return whether it was new. When this returns, the batch is on disk.

        Refused when it is not stored. A batch that is in hand already is waited for, not stored twice.
        """
        self._reception.open()
        self.last_batch_at = time.monotonic()
        pipeline, done = self.pipeline, None
        if pipeline is None:
            raise Refused(Reason.RULES)

        def prepare() -> tuple[bytes, int]:
            nonlocal done
            done = _process(pipeline, meta, body, self._reception.max_batch_bytes)
            return done.payload, done.pairs

        def kept() -> None:
            assert done is not None
            self._count(pipeline, done, len(body))

        return await self._reception.take(meta, prepare, kept)

    def _count(self, pipeline: Pipeline, done: Processed, size: int) -> None:
        dropped = {str(reason): n for reason, n in done.dropped.items()}
        self._metrics.stored(pipeline.filter_name, size, done.received, done.pairs, done.filtered, dropped)
        self._metrics.redactions(pipeline.dlp_name, done.decisions)
        if dropped:
            log.error("pairs_dropped", reasons=dropped, causes=dict(done.causes))


def _process(pipeline: Pipeline, meta: Meta, body: bytes, limit: int) -> Processed:
    try:
        return pipeline.process(wire.decompress(body, limit) if meta.compressed else body)
    except PeerError as error:
        raise Refused(Reason(error.reason), str(error)) from error
