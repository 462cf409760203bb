"""The exporter `backend`: redacted frames to `speedscale-cloud`, over the same wire as they came in.

A group of pairs keeps its sender, epoch and sequence until the backend says that it is on its disk; so an
acknowledgement that was lost doubles nothing. After a restart the sender is another one, and the backend recognises
pairs by their uuids. A frame over `max_record_bytes` goes out with its bodies cut, tagged with their true lengths,
and counted.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence

from speedscale_runtime.cloud import CloudClient
from speedscale_runtime.cloud.transport import ONCE
from speedscale_runtime.forwarder.exporter_specs import Backend, ExporterSpec
from speedscale_runtime.rrpair import RRPair
from speedscale_schemas import frames
from speedscale_schemas.errors import PeerError, PermanentError, TransientError

from . import cutting
from .base import Item
from .batched import Batched, Encoded, Outcome, Unacceptable

_HOPELESS = frozenset({"malformed", "invalid", "too_large"})  # these pairs will never be taken; the rest may change


class BackendExporter(Batched[bytes]):
    """Sends to the target that the settings name; the pace is the backend's."""

    def __init__(self, spec: ExporterSpec, since: float) -> None:
        assert isinstance(spec.options, Backend)
        assert spec.options.target is not None
        super().__init__()
        self._limit = spec.max_record_bytes
        self._client = CloudClient(spec.options.target, "speedscale-forwarder", ONCE)
        self._sender = f"{spec.name}-{uuid.uuid4()}"
        self._epoch = time.time_ns()
        self._sequence = 0

    def encode(self, item: Item) -> Encoded[bytes] | None:
        """Return the pair's frame."""
        fitted = cutting.fit(item.pair, _frame, len, self._limit)
        return Encoded(fitted.data, fitted.size, fitted.cut) if fitted is not None else None

    async def post(self, group: Sequence[Encoded[bytes]]) -> Outcome[bytes]:
        """Send a batch; the next one has another number, also after one that is never taken."""
        payload = b"".join(encoded.data for encoded in group)
        try:
            await self._client.send_batch(self._sender, self._epoch, self._sequence, payload)
        except PeerError as error:  # a certificate that is being renewed, a proxy between us
            raise TransientError(error.reason, 0.0) from error
        except PermanentError as error:
            if error.reason not in _HOPELESS:
                raise TransientError(error.reason, 0.0) from error
            self._sequence += 1
            raise Unacceptable from error
        self._sequence += 1
        return Outcome()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


def _frame(pair: RRPair) -> bytes:
    return frames.encode(pair.to_frame())
