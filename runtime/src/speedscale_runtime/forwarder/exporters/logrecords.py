"""RRPairs as OpenTelemetry log records, in protobuf. Pure; used by the exporters of OTLP.

A record over the limit goes out with its bodies cut (`cutting`), and one with a cut body bears an attribute.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from speedscale_runtime.rrpair import RRPair

from . import cutting
from .base import Item
from .batched import Encoded
from .instants import of_pair

SCOPE = "speedscale.rrpair"
_DEPTH_MAX = 90  # protobuf readers refuse deeper nesting than 100 messages


class Record(NamedTuple):
    """A log record with its resource's cluster."""

    message: LogRecord
    cluster: str


def encode(item: Item, limit: int) -> Encoded[Record] | None:
    """Return the item's record, cut where it would be larger than `limit` bytes; None where that is not enough."""
    fitted = cutting.fit(item.pair, lambda pair: _record(pair, item.time_ns), LogRecord.ByteSize, limit)
    if fitted is None:
        return None
    return Encoded(Record(fitted.data, str(item.pair.doc.get("cluster") or "")), fitted.size, fitted.cut)


def request(group: Sequence[Encoded[Record]]) -> ExportLogsServiceRequest:
    """Return the export request for some records, grouped by cluster."""
    clusters: dict[str, ScopeLogs] = {}
    message = ExportLogsServiceRequest()
    for encoded in group:
        cluster = encoded.data.cluster
        scope = clusters.get(cluster)
        if scope is None:
            resource = Resource(attributes=[_text("cluster", cluster)])
            message.resource_logs.append(ResourceLogs(resource=resource))
            scope = message.resource_logs[-1].scope_logs.add()
            scope.scope.name = SCOPE
            clusters[cluster] = scope
        scope.log_records.append(encoded.data.message)
    return message


def _record(pair: RRPair, received_ns: int) -> LogRecord:
    doc = pair.to_doc()
    attributes = [
        _text("service", str(doc.get("service") or "")),
        _text("namespace", str(doc.get("namespace") or "")),
    ]
    if not cutting.TAGS_OF_CUTS.isdisjoint(pair.doc.get("tags") or ()):
        attributes.append(KeyValue(key=cutting.ATTRIBUTE, value=AnyValue(bool_value=True)))
    return LogRecord(
        time_unix_nano=of_pair(pair, received_ns),
        observed_time_unix_nano=received_ns,
        attributes=attributes,
        body=any_value(doc),
    )


def _text(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=_clean(value)))


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")  # protobuf refuses lone surrogates


def any_value(value: Any, depth: int = 0) -> AnyValue:
    """Return JSON as an AnyValue; integers beyond 64 bits as text, and what nests too deep as an empty value."""
    if value is None or depth > _DEPTH_MAX // 3:
        return AnyValue()
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, str):
        return AnyValue(string_value=_clean(value))
    if isinstance(value, int):
        return AnyValue(int_value=value) if -(1 << 63) <= value < 1 << 63 else AnyValue(string_value=str(value))
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, dict):
        pairs = [KeyValue(key=_clean(str(k)), value=any_value(v, depth + 1)) for k, v in value.items()]
        return AnyValue(kvlist_value=KeyValueList(values=pairs))
    return AnyValue(array_value=ArrayValue(values=[any_value(v, depth + 1) for v in value]))
