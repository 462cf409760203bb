"""A recorded answer as the bytes that go out: rendered once when mocks are loaded, never per request. Pure.

Framing is ours (Content-Length, or chunks where the recording had them), everything else is as recorded, dates
included. A body that the recorder had unpacked (tag `decoded`) is packed again, because its Content-Encoding says
so; a client that does not accept the coding gets it plain.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from speedscale_runtime.rrpair import RRPair, decoding
from speedscale_runtime.signatures.http import mapping
from speedscale_runtime.signatures.text import utf8
from speedscale_schemas.errors import PeerError

_HOP = frozenset(
    (
        "connection",
        "keep-alive",
        "proxy-connection",
        "transfer-encoding",
        "content-length",
        "upgrade",
        "te",
        "trailer",
    )
)
_UNSAFE = re.compile(r"[\r\n\0]+")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
CHUNK = 16 * 1024


class Unservable(StrEnum):
    """Why a recorded answer must not be served."""

    TRUNCATED = "truncated"
    REQUEST_TRUNCATED = "request-truncated"
    UPGRADE = "upgrade"
    BROKEN = "broken"


class Answer:
    """One recorded answer. `head` has status line and headers without framing and without the empty line.

    `line` is the start of its line in mocks.jsonl, empty until it is needed; `served` counts; `delay_ms` is the
    recorded duration, `order` its place among the answers of its signature. The message is kept once, as it goes
    out to nearly everyone; `body` is a part of it.
    """

    __slots__ = (
        "_body_at",
        "_data",
        "bodiless",
        "chunked",
        "coding",
        "delay_ms",
        "head",
        "line",
        "order",
        "pair",
        "plain",
        "served",
        "status",
        "tech",
        "unservable",
    )

    def __init__(self, head: bytes, body: bytes, *, chunked: bool, bodiless: bool, coding: str, delay_ms: int) -> None:
        self.head, self.chunked, self.bodiless = head, chunked, bodiless
        self.coding, self.delay_ms = coding, delay_ms
        self.served = self.status = self.order = 0
        self.line, self.tech = b"", ""
        self.unservable: Unservable | None = None
        self.plain: Answer | None = None
        self.pair: RRPair | None = None
        start = b"" if chunked else self._start(b"", len(body))
        self._data, self._body_at = start + body if not bodiless else start, len(start)

    @property
    def body(self) -> bytes:
        """The body as it goes out, without chunks."""
        return self._data[self._body_at :]

    @property
    def wire(self) -> bytes:
        """The message for an HTTP/1.1 client that keeps its connection."""
        return self.render(close=False) if self.chunked else self._data

    def render(self, *, close: bool, http10: bool = False, head_only: bool = False) -> bytes:
        """Return the message. `close` announces the end of the connection; HTTP/1.0 knows no chunks."""
        closing = b"Connection: close\r\n" if close else b"Connection: keep-alive\r\n" if http10 else b""
        body = self.body
        if self.chunked and not http10:
            start = self.head + closing + b"Transfer-Encoding: chunked\r\n\r\n"
            return start if head_only else start + b"".join(chunks(body))
        start = self._start(closing, len(body))
        return start if head_only else start + body

    def _start(self, closing: bytes, length: int) -> bytes:
        if self.bodiless:
            return self.head + closing + b"\r\n"
        return b"%s%sContent-Length: %d\r\n\r\n" % (self.head, closing, length)


def chunks(body: bytes) -> Iterator[bytes]:
    """Yield a body in HTTP/1.1 chunks (RFC 9112 7.1), the last one included."""
    for start in range(0, len(body), CHUNK):
        part = body[start : start + CHUNK]
        yield b"%x\r\n%s\r\n" % (len(part), part)
    yield b"0\r\n\r\n"


def unservable(pair: RRPair) -> Unservable | None:
    """Return why the recorded answer must not be served, or None."""
    tags = mapping(pair.doc.get("tags"))
    if "responsePayloadTruncated" in tags or tags.get("responsePayloadDropped") not in (None, "", "false"):
        return Unservable.TRUNCATED
    if "requestPayloadTruncated" in tags:
        return Unservable.REQUEST_TRUNCATED
    status = _status(pair)
    if status == HTTPStatus.SWITCHING_PROTOCOLS:
        return Unservable.UPGRADE
    return None if 200 <= status <= 999 else Unservable.BROKEN


def render(pair: RRPair) -> Answer:
    """Return the answer of a recorded HTTP pair."""
    res = pair.http_response or {}
    headers = {str(k): v for k, v in mapping(res.get("headers")).items()}
    status, method = _status(pair), str((pair.http_request or {}).get("method") or "")
    body = pair.response_body or b""
    why = unservable(pair)
    bodiless = method == "HEAD" or status in (204, 304) or why is not None
    chunked = "chunked" in _value(headers, "transfer-encoding").lower() and not bodiless
    coding = ",".join(decoding.codings(headers)) if body and not bodiless else ""
    packed, plain = _forms(body, headers) if coding else (body, body)
    head = _head(pair, status, headers, length=method == "HEAD" or status == 304)
    duration = pair.doc.get("duration")
    delay_ms = int(min(duration, 86_400_000)) if isinstance(duration, int | float) and duration > 0 else 0
    answer = Answer(head, packed, chunked=chunked, bodiless=bodiless, coding=coding, delay_ms=delay_ms)
    if coding and plain is not packed:
        bare = {k: v for k, v in headers.items() if k.lower() != "content-encoding"}
        start = _head(pair, status, bare, length=False)
        answer.plain = Answer(start, plain, chunked=chunked, bodiless=False, coding="", delay_ms=delay_ms)
    answer.unservable = why
    answer.status, answer.tech = status, sys.intern(str(pair.doc.get("tech") or ""))
    return answer


def accepts(accept_encoding: str, coding: str) -> bool:
    """Say whether a client takes every coding of a comma list; without a header it takes none (RFC 9110 12.5.3)."""
    taken = {}
    for item in accept_encoding.lower().split(","):
        name, _, weight = item.partition(";")
        taken[name.strip()] = weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return all(taken.get(name, taken.get("*", False)) for name in coding.split(","))


def _forms(body: bytes, headers: Mapping[str, Any]) -> tuple[bytes, bytes]:
    """Return the body packed as its Content-Encoding says, and plain."""
    try:
        plain = decoding.decoded(body, headers)
        return (decoding.encoded(body, headers), body) if plain == body else (body, plain)
    except PeerError:
        return body, body


def _head(pair: RRPair, status: int, headers: Mapping[str, Any], *, length: bool) -> bytes:
    res = pair.http_response or {}
    message = _UNSAFE.sub(" ", str(res.get("statusMessage") or "")).strip()
    reason = message.partition(" ")[2] if message[:3].isdecimal() else message
    lines = [f"HTTP/1.1 {status} {reason or _phrase(status)}"]
    typed = False
    for name, values in headers.items():
        folded = name.lower()
        if not _TOKEN.fullmatch(name) or (folded in _HOP and not (length and folded == "content-length")):
            continue
        typed = typed or folded == "content-type"
        listed = values if isinstance(values, list) else [values]
        lines += [f"{name}: {_UNSAFE.sub(' ', str(value))}" for value in listed]
    if not typed and res.get("contentType") and not headers:
        lines.append(f"Content-Type: {_UNSAFE.sub(' ', str(res['contentType']))}")
    return utf8("\r\n".join(lines) + "\r\n")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _status(pair: RRPair) -> int:
    code = (pair.http_response or {}).get("statusCode")
    return code if isinstance(code, int) else 0


def _value(headers: Mapping[str, Any], name: str) -> str:
    for key, values in headers.items():
        if key.lower() == name:
            return str(values[0] if isinstance(values, list) and values else values)
    return ""
