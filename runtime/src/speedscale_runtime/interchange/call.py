"""One HTTP call as other tools see it: an absolute URL, ordered headers, bodies as bytes. To and from RRPairs.

Every format of this package is written against `Call`, so what an RRPair looks like is known here alone. Bodies
come out without content codings (other tools show and compare plain bodies); the Content-Encoding header is kept,
and taken off where a format would serve the body with it.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from speedscale_runtime.rrpair import RRPair, forms
from speedscale_runtime.rrpair.decoding import decoded
from speedscale_schemas.errors import PeerError

Headers = tuple[tuple[str, str], ...]

_NAMESPACE = uuid.UUID("7f1c0c5e-5f44-5b8e-9d34-0f4a6a0f7f11")
_BEGIN = datetime(2000, 1, 1, tzinfo=UTC)
_STEP = timedelta(milliseconds=100)
_PORTS = {"http": 80, "https": 443}
HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "te", "trailer", "upgrade", "content-length"}
)
"""Headers of one connection (RFC 9110 section 7.6.1) and the length: a tool that sends the message makes its own.
"""


@dataclass(frozen=True, slots=True)
class Call:
    """One request and its answer; `status` is 0 where no answer is known. `duration_ms` is milliseconds."""

    method: str
    url: str
    headers: Headers = ()
    body: bytes = b""
    status: int = 0
    reason: str = ""
    response_headers: Headers = ()
    response_body: bytes = b""
    version: str = "1.1"
    ts: str = ""
    duration_ms: float = 0.0
    direction: str = ""
    service: str = ""
    cut: tuple[str, ...] = field(default=())

    @property
    def content_type(self) -> str:
        """The request's Content-Type, or empty."""
        return header(self.headers, "content-type")

    @property
    def response_type(self) -> str:
        """The answer's Content-Type, or empty."""
        return header(self.response_headers, "content-type")


def header(headers: Headers, name: str) -> str:
    """Return the first value of a header by its lower-case name, or empty."""
    return next((value for key, value in headers if key.lower() == name), "")


def without(headers: Headers, *names: str) -> Headers:
    """Return the headers but those of these lower-case names."""
    return tuple((key, value) for key, value in headers if key.lower() not in names)


def text_of(body: bytes) -> str | None:
    """Return a body as text, None where it is none: no UTF-8, or with control characters that no text has."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return None if any(c < " " and c not in "\t\n\r" for c in text) or "\x7f" in text else text


def of(pair: RRPair) -> Call | None:
    """Return the call of an HTTP pair, None for another protocol."""
    request = pair.http_request
    if request is None:
        return None
    response = pair.http_response or {}
    headers, answered = flat(request.get("headers")), flat(response.get("headers"))
    tags = pair.doc.get("tags") or {}
    cut = tuple(
        t for t in ("requestPayloadTruncated", "responsePayloadTruncated", "responsePayloadDropped") if t in tags
    )
    status = response.get("statusCode")
    message = str(response.get("statusMessage") or "").strip()
    return Call(
        method=str(request.get("method") or pair.doc.get("command") or "GET"),
        url=_url(pair, request, headers),
        headers=headers,
        body=forms.sent(_plain(pair.request_body, headers), request.get("headers")),
        status=status if isinstance(status, int) else 0,
        reason=message.partition(" ")[2] if message[:3].isdigit() else message,
        response_headers=answered,
        response_body=_plain(pair.response_body, answered),
        version=str(request.get("version") or "1.1"),
        ts=str(pair.doc.get("ts") or ""),
        duration_ms=float(pair.doc.get("duration") or 0),
        direction=pair.direction,
        service=str(pair.doc.get("service") or pair.doc.get("resource") or ""),
        cut=cut,
    )


def flat(headers: Any) -> Headers:
    """Return name → values (or single values) as ordered name and value pairs."""
    if not isinstance(headers, Mapping):
        return ()
    return tuple(
        (str(name), str(value))
        for name, values in headers.items()
        for value in (values if isinstance(values, list) else [values])
    )


def _plain(body: bytes | None, headers: Headers) -> bytes:
    if not body:
        return b""
    try:
        return decoded(body, _lists(headers))
    except PeerError:
        return body


def _url(pair: RRPair, request: Mapping[str, Any], headers: Headers) -> str:
    """Return the absolute URL: host and port as recorded, the scheme by protocol, TLS mark or port."""
    target = str(request.get("uri") or request.get("url") or "/")
    if target.startswith(("http://", "https://")):
        return target
    address = str(pair.doc.get("network_address") or "")
    authority = str(request.get("host") or header(headers, "host") or address or "localhost")
    port = _port(authority) or _port(address)
    secure = pair.doc.get("l7protocol") == "https" or bool(pair.doc.get("isTls")) or port == 443
    scheme = "https" if secure else "http"
    if not _port(authority) and port and port != _PORTS[scheme]:
        authority = f"{authority}:{port}"
    return f"{scheme}://{authority}{target if target.startswith('/') else '/' + target}"


def _port(authority: str) -> int | None:
    try:
        return urlsplit(f"//{authority}").port
    except ValueError:
        return None


def _lists(headers: Headers) -> dict[str, list[str]]:
    lists: dict[str, list[str]] = {}
    for name, value in headers:
        lists.setdefault(name, []).append(value)
    return lists


@dataclass(frozen=True, slots=True)
class Origin:
    """Where imported calls come from: the format, the file's name, the service and direction that they get."""

    format: str
    file: str = ""
    service: str = ""
    direction: str = ""


def pair_of(call: Call, origin: Origin, index: int) -> RRPair:
    """Make an RRPair of a call; `index` counts the calls of one import and keeps their order where times are
    missing.

    Raises ValueError when the URL has no host. The same call at the same index gives the same pair, uuid included.
    """
    parts = urlsplit(call.url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError(f"{call.url[:200]!r} is no absolute http or https URL")
    port = parts.port or _PORTS[parts.scheme]
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._[]|^\\")
    uri = f"{path}?{parts.query}" if parts.query else path
    host = parts.netloc.rpartition("@")[2]
    direction = call.direction or origin.direction or "IN"
    headers = call.headers if header(call.headers, "host") else (("Host", host), *call.headers)
    request: dict[str, Any] = {
        "url": path,
        "uri": uri,
        "version": call.version,
        "method": call.method,
        "host": host,
        "headers": _lists(headers),
    }
    query = parse_qsl(parts.query, keep_blank_values=True)
    if query:
        request["queryParams"] = _lists(tuple(query))
    service = call.service or origin.service
    doc: dict[str, Any] = {
        "msgType": "rrpair",
        "resource": service or parts.hostname,
        "service": service or parts.hostname,
        "ts": call.ts or (_BEGIN + index * _STEP).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "l7protocol": parts.scheme,
        "tags": {"source": origin.format, **({"file": origin.file} if origin.file else {})},
        "direction": direction,
        "cluster": "undefined",
        "namespace": "undefined",
        "network_address": f"{parts.hostname}:{port}" if ":" not in parts.hostname else f"[{parts.hostname}]:{port}",
        "command": call.method,
        "location": path,
        "http": {"req": request},
    }
    if call.duration_ms >= 1:
        doc["duration"] = round(call.duration_ms)
    pair = RRPair(doc, call.body, None)
    if call.status:
        _answer(pair, call)
    seed = "\0".join((origin.format, origin.file, str(index), call.method, call.url, doc["ts"]))
    doc["uuid"] = base64.b64encode(uuid.uuid5(_NAMESPACE, seed).bytes).decode()
    return pair


def _answer(pair: RRPair, call: Call) -> None:
    reason = call.reason or phrase(call.status)
    pair.doc["http"]["res"] = {
        "contentType": call.response_type,
        "statusCode": call.status,
        "statusMessage": f"{call.status} {reason}".strip(),
        "headers": _lists(call.response_headers),
    }
    pair.doc["status"] = str(call.status)
    pair.response_body = call.response_body
    if header(call.response_headers, "content-encoding") and call.response_body:
        pair.tags["decoded"] = "true"


def phrase(status: int) -> str:
    """Return the usual reason phrase of a status code (RFC 9110 section 15), or empty."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


@dataclass(slots=True)
class Report:
    """What could not be taken over, each with its reason; at most `LIMIT` are listed, the rest counted."""

    problems: list[str] = field(default_factory=list)
    count: int = 0

    def add(self, where: str, why: str) -> None:
        """Take one down."""
        self.count += 1
        if len(self.problems) < LIMIT:
            self.problems.append(f"{where}: {why}")


LIMIT = 1_000


def calls(pairs: Iterable[RRPair], report: Report) -> Iterable[Call]:
    """Yield the calls of HTTP pairs; pairs of other protocols and cut bodies are reported."""
    for number, pair in enumerate(pairs, 1):
        call = of(pair)
        if call is None:
            report.add(f"pair {number}", f"protocol {pair.doc.get('l7protocol') or 'unknown'} is no HTTP")
            continue
        for tag in call.cut:
            report.add(f"pair {number} ({call.method} {call.url[:100]})", f"a body was cut while recording ({tag})")
        yield call


def objects(value: Any) -> list[Mapping[str, Any]]:
    """Return the objects of what should be a list of them; anything else counts as none."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def mapping(value: Any) -> Mapping[str, Any]:
    """Return what should be an object; anything else counts as an empty one."""
    return value if isinstance(value, Mapping) else {}


def numbered(items: Sequence[Any] | Any, where: str, report: Report) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """Yield the objects of a list with their places; whatever is no object is reported."""
    if not isinstance(items, list):
        if items is not None:
            report.add(where, "expected a list")
        return
    for i, item in enumerate(items):
        if isinstance(item, Mapping):
            yield f"{where}[{i}]", item
        else:
            report.add(f"{where}[{i}]", "expected an object")
