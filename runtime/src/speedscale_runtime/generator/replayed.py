"""What was sent and answered, as an RRPair with tags source=generator and refUuid. Pure."""

from __future__ import annotations

import base64
import uuid
from datetime import UTC, datetime
from typing import Any

from speedscale_runtime.rrpair import RRPair

from .client import RecordingConnection
from .plan import Test

_KEPT = (
    "msgType",
    "resource",
    "service",
    "l7protocol",
    "direction",
    "cluster",
    "namespace",
    "tech",
    "command",
    "location",
)


def pair_of(
    test: Test,
    request: RRPair,
    connection: RecordingConnection,
    *,
    at: float,
    duration_ms: int,
    key: str,
    tags: dict[str, str],
) -> RRPair:
    """Return the replayed pair. `at` is epoch seconds of the send; `key` is unique in the run and makes the UUID."""
    doc = {k: request.doc[k] for k in _KEPT if k in request.doc}
    response = _response(connection)
    stamp = datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    doc.update(
        {
            "ts": stamp,
            "tags": {**tags, "source": "generator", "refUuid": reference(test.pair)},
            "uuid": base64.b64encode(uuid.uuid5(uuid.NAMESPACE_OID, key).bytes).decode(),
            "network_address": test.target.authority,
            "status": str(connection.status),
            "http": {"req": (request.http_request or {}), "res": response},
        }
    )
    if duration_ms:
        doc["duration"] = duration_ms  # the format leaves 0 out
    for name in ("session", "events", "signature"):
        if name in request.doc:
            doc[name] = request.doc[name]
    return RRPair(doc, request.request_body, b"".join(connection.body))


def reference(pair: RRPair) -> str:
    """Return the recorded pair's UUID as text."""
    text = str(pair.doc.get("uuid") or "")
    try:
        return str(uuid.UUID(bytes=base64.b64decode(text, validate=True)))
    except ValueError:
        return text


def _response(connection: RecordingConnection) -> dict[str, Any]:
    headers: dict[str, list[str]] = {}
    kind = ""
    for raw_name, raw_value in connection.headers:
        name = raw_name.decode("utf-8", "replace")
        value = raw_value.strip(b" \t").decode("utf-8", "replace")  # RFC 9110 5.5: blanks around it are not part
        headers.setdefault(name, []).append(value)
        if name.casefold() == "content-type":
            kind = value
    reason = connection.reason.decode("utf-8", "replace")
    response: dict[str, Any] = {"statusCode": connection.status, "statusMessage": f"{connection.status} {reason}"}
    if kind:
        response["contentType"] = kind
    response["headers"] = headers
    return response
