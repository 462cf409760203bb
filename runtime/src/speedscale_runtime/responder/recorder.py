"""Write what passed through as a new recording, redacted first, and make it a mock at once.

Called by the server with policy `record`. No byte reaches the disk before the rule was applied; where redaction
fails, nothing is written and the failure is counted.
"""

from __future__ import annotations

import uuid
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from speedscale_runtime import signatures
from speedscale_runtime.rrpair import RRPair
from speedscale_runtime.rrpair.recording import Format, Writer

from .live import Live
from .passthrough import Answered


class Recorder:
    """Adds pairs to a recording folder. `redact` is the rule of the recording."""

    def __init__(self, root: Path, service: str, redact: Callable[[RRPair], RRPair], fmt: Format = "markdown") -> None:
        self._writer, self._service, self._redact = Writer(root, fmt), service, redact
        self.written = 0

    def record(self, live: Live, answered: Answered, begun_ns: int, duration_ms: int) -> RRPair:
        """Write the pair and return it as it was written."""
        pair = self._redact(as_pair(live, answered, self._service, begun_ns, duration_ms))
        signatures.annotate(pair)
        self._writer.write(pair)
        self.written += 1
        return pair

    def close(self) -> None:
        """Finish the recording."""
        self._writer.close()


def as_pair(live: Live, answered: Answered, service: str, begun_ns: int, duration_ms: int) -> RRPair:
    """Return the whole pair of a request and its answer, as a proxy would have recorded it."""
    pair = live.pair(service or "my-app")
    doc = pair.doc
    headers: dict[str, list[str]] = {}
    for name, value in answered.headers:
        headers.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
    reason = answered.reason.decode("latin-1")
    typed = next((v[0] for k, v in headers.items() if k.lower() == "content-type"), "")
    response: dict[str, Any] = {
        "contentType": typed,
        "statusCode": answered.status,
        "statusMessage": f"{answered.status} {reason}".rstrip(),
        "headers": headers,
    }
    doc["http"]["res"] = response
    pair.response_body = answered.body
    seconds, rest = divmod(begun_ns, 1_000_000_000)
    doc["ts"] = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{rest:09d}Z"
    doc["duration"] = duration_ms
    doc["status"] = str(answered.status)
    doc["uuid"] = b64encode(uuid.uuid4().bytes).decode("ascii")
    doc["tags"] = {"captureMode": "proxy", "proxyLocation": "out", "source": "goproxy"}
    if answered.truncated_length:
        doc["tags"]["responsePayloadTruncated"] = str(answered.truncated_length)
    return pair
