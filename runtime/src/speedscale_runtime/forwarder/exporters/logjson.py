"""RRPairs as OpenTelemetry logs in JSON: what lies in objects of S3. Pure.

Source: OTLP 1.x specification, section on JSON Protobuf encoding: 64-bit integers are text, names in lowerCamelCase.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from speedscale_runtime.rrpair import RRPair

from . import cutting
from .cutting import Fitted
from .instants import of_pair

SCOPE = "speedscale.rrpair"
_INT64 = 1 << 63


def encode(pair: RRPair, received_ns: int, limit: int) -> Fitted[bytes] | None:
    """Return the pair as a LogRecord of at most `limit` bytes; None where not even its head fits."""
    return cutting.fit(pair, lambda given: _record(given, received_ns), len, limit)


def document(cluster: str, records: Iterable[bytes]) -> bytes:
    """Return a LogsData document of one resource with these records."""
    head = orjson.dumps(
        {"resource": {"attributes": [_attribute("cluster", cluster)]}, "scopeLogs": [{"scope": {"name": SCOPE}}]}
    )
    opened = head.removesuffix(b"}]}") + b',"logRecords":['
    return b'{"resourceLogs":[' + opened + b",".join(records) + b"]}]}]}"


def _record(pair: RRPair, received_ns: int) -> bytes:
    doc = pair.to_doc()
    attributes = [_attribute(name, str(doc.get(name) or "")) for name in ("service", "namespace")]
    if not cutting.TAGS_OF_CUTS.isdisjoint(doc.get("tags") or ()):
        attributes.append({"key": cutting.ATTRIBUTE, "value": {"boolValue": True}})
    return orjson.dumps(
        {
            "timeUnixNano": str(of_pair(pair, received_ns)),
            "observedTimeUnixNano": str(received_ns),
            "attributes": attributes,
            "body": any_value(doc),
        }
    )


def any_value(value: Any) -> dict[str, Any]:
    """Return JSON as an AnyValue in JSON; integers beyond 64 bits become text."""
    if value is None:
        return {}
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, str):
        return {"stringValue": _clean(value)}
    if isinstance(value, int):
        return {"intValue": str(value)} if -_INT64 <= value < _INT64 else {"stringValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": [{"key": _clean(str(k)), "value": any_value(v)} for k, v in value.items()]}}
    values: Sequence[Any] = value
    return {"arrayValue": {"values": [any_value(v) for v in values]}}


def _attribute(key: str, value: str) -> dict[str, Any]:
    return {"key": key, "value": {"stringValue": _clean(value)}}


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")
