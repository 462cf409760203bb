"""A recorded request as HTTP/1.1 bytes. Pure.

Headers go out as recorded, in their order and letter case; what belongs to one connection (RFC 9110 section 7.6.1)
and Content-Length are made anew, and `baggage` gets the replay's mark where there is one (`rrpair.baggage`). So does
the body; `rrpair.forms` knows which forms a recording shows as JSON.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal
from urllib.parse import quote

from speedscale_runtime.rrpair import RRPair, baggage, forms
from speedscale_runtime.rrpair.decoding import codings, decoded, encoded
from speedscale_runtime.transforms.extractors.url import uri
from speedscale_schemas.errors import PeerError

_HOP = {
    "content-length",
    "expect",
    "http2-settings",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}
_WITH_LENGTH = {"POST", "PUT", "PATCH"}
_SAFE = "!#$%&'()*+,/:;=?@[]~-._|^`{}\"<>\\"


class UnsendableError(Exception):
    """A request that cannot be written as HTTP/1.1; the message says why, without values."""


def encode(pair: RRPair, authority: str, *, rewrite_host: bool, mark: str = "") -> bytes:
    """Return the request's bytes; `authority` is the target's, for a request without Host or a rewritten one.

    `mark` is the member of `baggage` that names the replay; empty: none.
    Raises UnsendableError for line breaks in headers and for methods that are no token.
    """
    request = pair.http_request
    if request is None:
        raise UnsendableError("the pair has no HTTP request")
    method = str(request.get("method") or pair.doc.get("command") or "GET")
    if not method.isascii() or not method.replace("-", "").replace("_", "").isalnum():
        raise UnsendableError("the method is no token")
    host, dropped, carried, lines = "", "", "", [f"{method} {_target(uri(pair))} HTTP/1.1", ""]
    for name, values in (request.get("headers") or {}).items():
        role = _role(name)
        every = values if isinstance(values, list) else [values]
        if role == "send" or (role == "baggage" and not mark):
            lines += [f"{name}: {value}" for value in every]
        elif role == "host" and every:
            host = host or str(every[0])
        elif role == "connection":
            dropped += "," + ",".join(every)
        elif role == "baggage":
            carried = ",".join(filter(None, [carried, *every]))
    if rewrite_host or not host:
        host = authority if rewrite_host else str(request.get("host") or authority)
    lines[1] = f"Host: {host}"
    if mark:
        lines.append(f"{baggage.HEADER}: {baggage.added(carried, mark)}")
    if dropped:
        lines = _without(lines, dropped)
    body = body_bytes(pair) if pair.request_body else b""
    if body or method.upper() in _WITH_LENGTH:
        lines.append(f"Content-Length: {len(body)}")
    text = "\r\n".join(lines)
    breaks = len(lines) - 1
    if text.count("\n") != breaks or text.count("\r") != breaks or "\0" in text:
        raise UnsendableError("a header holds a line break")
    return (text + "\r\n\r\n").encode("utf-8", "surrogateescape") + body


@lru_cache(maxsize=4096)
def _role(name: str) -> Literal["send", "drop", "host", "connection", "baggage"]:
    folded = name.casefold()
    if folded in ("host", "connection"):
        return "host" if folded == "host" else "connection"
    if folded == baggage.HEADER:
        return "baggage"
    return "drop" if folded in _HOP or name.startswith(":") else "send"


def _without(lines: list[str], connection: str) -> list[str]:
    """Take away the headers that the recorded Connection header names."""
    named = {token.strip().casefold() for token in connection.split(",")} - {"", "close", "keep-alive", "host"}
    return [line for line in lines if line.partition(":")[0].casefold() not in named] if named else lines


def body_bytes(pair: RRPair) -> bytes:
    """Return the body as it went over the wire: forms as forms, coded where the headers say so."""
    body = pair.request_body or b""
    if not body:
        return body
    headers = (pair.http_request or {}).get("headers")
    body = forms.sent(body, headers)
    if codings(headers):
        try:
            if decoded(body, headers) == body:
                return encoded(body, headers)
        except PeerError:
            return body
    return body


def _target(text: str) -> str:
    if text.startswith("/") or text == "*":
        found = text
    else:
        _, scheme, rest = text.partition("://")
        found = "/" + rest.partition("/")[2] if scheme else "/" + text
    return found if found.isascii() and found.isprintable() and " " not in found else quote(found, safe=_SAFE)
