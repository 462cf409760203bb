"""RRPairs as OpenTelemetry log records. Pure; used by `otlp`.

A record over the limit goes out with its bodies cut: the larger first, tagged with the true length, and flagged.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from speedscale_runtime.filters.timerange import to_ns
from speedscale_runtime.rrpair import RRPair

from .base import Item

SCOPE = "speedscale.rrpair"
_TAGS = {"request_body": "requestPayloadTruncated", "response_body": "responsePayloadTruncated"}
_CUT_ATTRIBUTE = "speedscale.body.truncated"
_MARKS_BYTES = 256  # what the marks of a cut add
_DEPTH_MAX = 90  # protobuf readers refuse deeper nesting than 100 messages


class Encoded(NamedTuple):
    """A record with its resource's cluster, its size in bytes, and whether a body was cut."""

    record: LogRecord
    cluster: str
    size: int
    cut: bool


def encode(item: Item, limit: int) -> Encoded:
    """Return the item's record, cut where it would be larger than `limit` bytes."""
    record, cut = _record(item.pair, item.time_ns), False
    size = record.ByteSize()
    if size > limit:
        cut = True
        shorter = _cut(item.pair, size - limit)
        record = _record(shorter, item.time_ns)
        record.attributes.append(KeyValue(key=_CUT_ATTRIBUTE, value=AnyValue(bool_value=True)))
        size = record.ByteSize()
    return Encoded(record, str(item.pair.doc.get("cluster") or ""), size, cut)


def request(group: Sequence[Encoded]) -> bytes:
    """Return the export request for some records, grouped by cluster."""
    clusters: dict[str, ScopeLogs] = {}
    message = ExportLogsServiceRequest()
    for encoded in group:
        scope = clusters.get(encoded.cluster)
        if scope is None:
            resource = Resource(attributes=[_text("cluster", encoded.cluster)])
            message.resource_logs.append(ResourceLogs(resource=resource))
            scope = message.resource_logs[-1].scope_logs.add()
            scope.scope.name = SCOPE
            clusters[encoded.cluster] = scope
        scope.log_records.append(encoded.record)
    return message.SerializeToString()


def _record(pair: RRPair, received_ns: int) -> LogRecord:
    doc = pair.to_doc()
    try:
        at = to_ns(str(doc.get("ts") or ""))
    except ValueError:
        at = received_ns
    attributes = [
        _text("service", str(doc.get("service") or "")),
        _text("namespace", str(doc.get("namespace") or "")),
    ]
    return LogRecord(
        time_unix_nano=max(at, 0), observed_time_unix_nano=received_ns, attributes=attributes, body=any_value(doc)
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


def _cut(pair: RRPair, excess: int) -> RRPair:
    """Return a copy whose bodies are shorter, the larger first, until `excess` bytes of the record are saved.

    A body stands in the record as base64 (four thirds of its bytes), and where it is text once more as such.
    """
    twin = pair.copy()
    excess += _MARKS_BYTES
    bodies = sorted(_TAGS, key=lambda name: -len(getattr(twin, name) or b""))
    for name in bodies:
        body = getattr(twin, name)
        if not body or excess <= 0:
            continue
        thirds = 7 if _is_text(body) else 4
        kept = body[: max(0, len(body) - (excess * 3 // thirds + 1))]
        if thirds == 7:
            kept = kept.decode("utf-8", "ignore").encode("utf-8")  # not in the middle of a character
        setattr(twin, name, kept)
        twin.tags.setdefault(_TAGS[name], str(len(body)))
        excess -= (len(body) - len(kept)) * thirds // 3
    return twin


def _is_text(body: bytes) -> bool:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
