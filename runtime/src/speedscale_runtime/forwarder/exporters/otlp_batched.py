"""What the OTLP exporter's two protocols share: records, limits, the message (`otlp` chooses between them).

Body: the RRPair as a map; attributes `service` and `namespace`; resource attribute `cluster`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from speedscale_runtime.forwarder.exporter_specs import ExporterSpec, Otlp

from . import logrecords
from .base import Item
from .batched import Batched, Encoded
from .logrecords import Record

if TYPE_CHECKING:
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

REQUEST_MAX_BYTES = 4 * 1024 * 1024  # what a Collector takes by default
_ENVELOPE_BYTES = 64 * 1024  # resources and scopes around the records


class OtlpExporter(Batched[Record]):
    """What both protocols share; the pace is the collector's."""

    max_bytes = REQUEST_MAX_BYTES - _ENVELOPE_BYTES

    def __init__(self, spec: ExporterSpec, since: float) -> None:
        assert isinstance(spec.options, Otlp)
        super().__init__()
        self.options, self.timeout_s = spec.options, spec.timeout_s
        # A larger limit than a Collector's default is the user's word that theirs takes it.
        self._limit = self.max_bytes if spec.max_record_bytes == REQUEST_MAX_BYTES else spec.max_record_bytes

    def encode(self, item: Item) -> Encoded[Record] | None:
        """Return the pair as a log record."""
        return logrecords.encode(item, self._limit)

    @staticmethod
    def request(group: Sequence[Encoded[Record]]) -> ExportLogsServiceRequest:
        """Return the message for a group."""
        return logrecords.request(group)
