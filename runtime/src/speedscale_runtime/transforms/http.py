"""Headers, cookies and bodies of a pair as extractors see them. Pure."""

from __future__ import annotations

from typing import Any

from speedscale_runtime.rrpair import RRPair
from speedscale_runtime.rrpair.decoding import decoded, encoded
from speedscale_schemas.errors import PeerError

from .errors import TransformError
from .model import Side, raw, text


def part(pair: RRPair, side: Side) -> dict[str, Any] | None:
    """Return `http.req` or `http.res`."""
    return pair.http_request if side == "request" else pair.http_response


def header_name(pair: RRPair, side: Side, name: str) -> str | None:
    """Return the header's name as the pair spells it."""
    headers = (part(pair, side) or {}).get("headers") or {}
    return name if name in headers else _spelled(headers, name)


def _spelled(headers: dict[str, Any], name: str) -> str | None:
    folded = name.casefold()
    for own in headers:
        if len(own) == len(name) and own.casefold() == folded:
            return own
    return None


def header(pair: RRPair, side: Side, name: str) -> list[str]:
    """Return all values of a header, an empty list where it is not there."""
    headers = (part(pair, side) or {}).get("headers") or {}
    values = headers.get(name)
    if values is None:
        own = _spelled(headers, name)
        values = headers[own] if own is not None else []
    return [values] if isinstance(values, str) else list(values)


def set_header(pair: RRPair, side: Side, name: str, values: list[str]) -> None:
    """Set all values of a header; an empty list takes it away."""
    found = part(pair, side)
    if found is None:
        return
    headers = found.setdefault("headers", {})
    own = header_name(pair, side, name)
    if not values:
        if own is not None:
            del headers[own]
        return
    headers[own if own is not None else name] = values


def body(pair: RRPair, side: Side) -> bytes | None:
    """Return the body with its content encoding undone; TransformError where that fails."""
    data = pair.request_body if side == "request" else pair.response_body
    found = part(pair, side)
    if not data or found is None:
        return data
    if not header(pair, side, "Content-Encoding") or pair.doc.get("tags", {}).get("decoded") == "true":
        return data
    try:
        return decoded(data, found.get("headers") or {})
    except PeerError as error:
        raise TransformError(f"the {side} body cannot be decoded") from error


def set_body(pair: RRPair, side: Side, data: bytes) -> None:
    """Set the body, with the content coding that it had put on again."""
    before = pair.request_body if side == "request" else pair.response_body
    found = part(pair, side)
    if before and found is not None and body(pair, side) != before:
        data = encoded(data, found.get("headers"))
    if side == "request":
        pair.request_body = data
    else:
        pair.response_body = data


def body_text(pair: RRPair, side: Side) -> str | None:
    """Return the body as a value."""
    data = body(pair, side)
    return None if data is None else text(data)


def set_body_text(pair: RRPair, side: Side, value: str) -> None:
    """Set the body from a value."""
    set_body(pair, side, raw(value))
