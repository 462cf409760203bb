"""The exporter `backend`: redacted frames to `speedscale-cloud`, over the same wire as they came in.

A group of pairs keeps its sender, epoch and sequence until the backend says that it is on its disk; so an
acknowledgement that was lost doubles nothing. After a restart the sender is another one, and the backend recognises
pairs by their uuids. A frame over `max_record_bytes` goes out with its bodies cut, tagged with their true lengths,
and counted.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence

from speedscale_runtime.cloud import CloudClient
from speedscale_runtime.cloud.transport import ONCE
from speedscale_runtime.forwarder.config import ExporterSpec
from speedscale_runtime.rrpair import RRPair
from speedscale_schemas import frames
from speedscale_schemas.errors import PeerError, PermanentError, TransientError
from speedscale_schemas.frames import FrameError

from .base import Item, Sent

BATCH_BYTES = 4 * 1024 * 1024
_TAGS = {"request_body": "requestPayloadTruncated", "response_body": "responsePayloadTruncated"}
_MARKS_BYTES = 256  # what the marks of a cut add to the head
_HOPELESS = frozenset({"malformed", "invalid", "too_large"})  # these pairs will never be taken; the rest may change


class BackendExporter:
    """Sends to `spec.target`; the pace is the backend's."""

    max_pairs_per_s = 0.0

    def __init__(self, spec: ExporterSpec, since: float) -> None:
        assert spec.target is not None
        self._spec = spec
        self._client = CloudClient(spec.target, "speedscale-forwarder", ONCE)
        self._sender = f"{spec.name}-{uuid.uuid4()}"
        self._epoch = time.time_ns()
        self._sequence = 0
        self._done = 0  # of the items in hand, where a retry begins
        self._total = Sent(0, Counter())  # what became of those

    async def send(self, items: Sequence[Item]) -> Sent:
        """Send the items in batches; TransientError when the backend is away, busy, or refuses our key."""
        for count, payload, pairs, events in self._batches(items[self._done :]):
            exported = await self._deliver(payload, pairs, events)
            self._sequence += 1
            self._done += count
            self._total = Sent(self._total.exported + exported, self._total.events + events)
        total, self._total, self._done = self._total, Sent(0, Counter()), 0
        return total

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _deliver(self, payload: list[bytes], pairs: int, events: Counter[str]) -> int:
        """Deliver a batch; return how many pairs arrived. What will never be taken is halved, and at last dropped."""
        if not pairs:
            return 0
        try:
            await self._client.send_batch(self._sender, self._epoch, self._sequence, b"".join(payload))
        except PeerError as error:  # a certificate that is being renewed, a proxy between us
            raise TransientError(error.reason, 0.0) from error
        except PermanentError as error:
            if error.reason not in _HOPELESS:
                raise TransientError(error.reason, 0.0) from error
            if pairs == 1:
                events["rejected"] += 1
                return 0
            half = pairs // 2
            first = await self._deliver(payload[:half], half, events)
            self._sequence += 1
            return first + await self._deliver(payload[half:], pairs - half, events)
        return pairs

    def _batches(self, items: Sequence[Item]) -> Iterator[tuple[int, list[bytes], int, Counter[str]]]:
        """Yield how many items a batch is made of, their frames, how many these are, and what befell the others."""
        payload: list[bytes] = []
        events: Counter[str] = Counter()
        size = count = 0
        for item in items:
            data = _encoded(item.pair, self._spec.max_record_bytes, events)
            if payload and size + len(data) > BATCH_BYTES:
                yield count, payload, len(payload), events
                payload, events, size, count = [], Counter(), 0, 0
            count += 1
            if data:
                payload.append(data)
                size += len(data)
        if count:
            yield count, payload, len(payload), events


def _encoded(pair: RRPair, limit: int, events: Counter[str]) -> bytes:
    """Return the pair's frame, cut where it would be larger than `limit` bytes; empty for one that is no frame."""
    try:
        frame = pair.to_frame()
        size = sum(map(len, frame)) + frames.HEADER_SIZE
        if size <= limit:
            return frames.encode(frame)
        data = frames.encode(_cut(pair, size - limit).to_frame())
    except FrameError:
        events["rejected"] += 1
        return b""
    if len(data) > limit:  # the head alone is larger: nothing that could be cut
        events["rejected"] += 1
        return b""
    events["cut"] += 1
    return data


def _cut(pair: RRPair, excess: int) -> RRPair:
    """Return a copy whose bodies are shorter, the larger first, until `excess` bytes are saved."""
    twin = pair.copy()
    excess += _MARKS_BYTES
    for name in sorted(_TAGS, key=lambda name: -len(getattr(twin, name) or b"")):
        body = getattr(twin, name)
        if not body or excess <= 0:
            continue
        kept = body[: max(0, len(body) - excess)]
        setattr(twin, name, kept)
        twin.tags.setdefault(_TAGS[name], str(len(body)))
        excess -= len(body) - len(kept)
    return twin
