"""Taking batches in: what the backend looks at before a batch is kept, and its words for what is not taken.

The HTTP face calls `admit`, `take` and `release`. A batch is unpacked and looked at by one thread, so that what is
acknowledged can be read; the rest is the `Reception`'s, which the forwarder shares.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from speedscale_runtime.rrpair import jsontext
from speedscale_runtime.spool import Committer, Reception, Record, SegmentLog, Why, wire
from speedscale_runtime.spool.wire import Meta
from speedscale_schemas import frames
from speedscale_schemas.errors import PeerError
from speedscale_schemas.frames import FrameError

from .metrics import Metrics
from .problems import Reason, Refused


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
        self._journal, self._committer, self._metrics, self._clock_ns = journal, committer, metrics, clock_ns
        self._reception = Reception(
            journal,
            committer,
            _refused,
            max_batch_bytes=max_batch_bytes,
            max_inflight_bytes=max_inflight_bytes,
            clock_ns=clock_ns,
        )
        self.admit, self.release, self.stop = self._reception.admit, self._reception.release, self._reception.stop

    @property
    def inflight_bytes(self) -> int:
        """What is reserved for bodies."""
        return self._reception.inflight_bytes

    async def take(self, meta: Meta, body: bytes) -> bool:
        """Store a batch; return whether it was new. When this returns it is on disk."""
        payload, pairs = b"", 0

        def prepare() -> tuple[bytes, int]:
            nonlocal payload, pairs
            payload, pairs = _examined(meta, body, self._reception.max_batch_bytes)
            return payload, pairs

        new = await self._reception.take(meta, prepare, lambda: self._metrics.batch("stored", pairs, len(payload)))
        if not new:
            self._metrics.batch("duplicate")
        return new

    async def rotate(self) -> None:
        """Begin a new segment: what was compacted of the one before can leave the disk."""
        self._journal.rotate()
        await self._committer.append(Record("", 0, self._clock_ns(), 0, b"", self._clock_ns()))


def _refused(why: Why, words: str) -> Refused:
    return Refused(Reason.JOURNAL_FULL if why is Why.SPOOL_FULL else Reason(why), words)


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
