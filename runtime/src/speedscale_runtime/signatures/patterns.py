"""Values that a replay may have to replace, recognised by their shape: the patterns of a token list.

Called by `tokens`. Runs on what redaction left, so a redacted value is found as its token, of the kind it had.
Source: the names of the vendor's data patterns.
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime
from typing import NamedTuple

import orjson

PREFIX = "DATA_PATTERN_"
UNRECOGNIZED = "UNRECOGNIZED"
BEARER = r"^Bearer\s(.+)"


class Found(NamedTuple):
    """One value: its pattern's name (`JWT`; `UNRECOGNIZED` for none), the value, the regex that isolates it."""

    pattern: str
    value: str
    regex: str = ""


_TRACE = r"\d{2}-([a-fA-F0-9]{32})-[a-fA-F0-9]{16}-[a-fA-F0-9]{2}"
_SPAN = r"\d{2}-[0-9a-fA-F]{32}-([0-9a-fA-F]{16})-[0-9a-fA-F]{2}"
_TRACEPARENT = re.compile(r"\d{2}-([a-fA-F0-9]{32})-([a-fA-F0-9]{16})-[a-fA-F0-9]{2}")
_REDACTED = re.compile(r"REDACTED-(?:([A-Z0-9_]+)-)?[0-9a-f]{20,64}")
_WHOLE = re.compile(
    r"(?P<JWT>eyJ[\w-]+\.[\w-]+\.[\w-]*)"
    r"|(?P<UUID>[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})"
    r"|(?P<DATETIME>\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)"
    r"|(?P<EMAIL>[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+)"
    r"|(?P<IP>\d{1,3}(?:\.\d{1,3}){3})"
    r"|(?P<HTTP_URL>https?://\S+)"
)
_EPOCH = range(946_684_800, 4_102_444_800)


_MARKS = (b"REDACTED-", b"eyJ", b"@", b"://", b"\\")
_DASHED = re.compile(rb"-(?:[0-9a-fA-F]{4}-|\d\d-)")
_DOTTED = re.compile(rb"\.\d{1,3}\.\d")
_DATE_WORDS = ("time", "epoch", "date", "expires", "_at")
_DATE_MARKS = tuple(w.encode() for w in _DATE_WORDS)


def could_hold(body: bytes) -> bool:
    """Say of a JSON text, unparsed, whether a value in it could be recognised: False is certain."""
    for mark in _MARKS:
        if mark in body:
            return True
    if not body.isascii() or _DASHED.search(body) is not None or _DOTTED.search(body) is not None:
        return True
    folded = body.lower()
    return any(mark in folded for mark in _DATE_MARKS)


def recognise(value: str) -> Found | None:
    """Return what a string as a whole is, or None; a bearer prefix is isolated by a regex."""
    if not 7 <= len(value) <= 4096:
        return None
    if "REDACTED-" in value:
        redacted = _REDACTED.search(value)
        if redacted is not None:
            regex = BEARER if value.startswith("Bearer ") else ""
            return Found(redacted.group(1) or UNRECOGNIZED, redacted.group(0), regex)
    if value.startswith("Bearer "):
        inner = _WHOLE.fullmatch(value[7:])
        return Found(inner.lastgroup or UNRECOGNIZED, value[7:], BEARER) if inner is not None else None
    whole = _WHOLE.fullmatch(value)
    if whole is None or whole.lastgroup is None:
        return None
    if whole.lastgroup == "IP" and any(int(part) > 255 for part in value.split(".")):
        return None
    return Found(whole.lastgroup, value)


def traceparent(value: str) -> list[Found]:
    """Return the trace and span id of a `traceparent` header (W3C Trace Context)."""
    match = _TRACEPARENT.fullmatch(value)
    if match is None:
        return []
    return [Found("TRACE_ID", match.group(1), _TRACE), Found("SPAN_ID", match.group(2), _SPAN)]


def epoch(key: str, value: int) -> Found | None:
    """Return a whole number as a date where its key says so and it lies between 2000 and 2100 (seconds or ms)."""
    folded = key.lower()
    if not any(word in folded for word in _DATE_WORDS):
        return None
    seconds = value // 1000 if value >= 100_000_000_000 else value
    return Found("DATETIME", str(value)) if seconds in _EPOCH else None


def expiration(jwt: str) -> str:
    """Return a JWT's `exp` as RFC 3339, empty where it has none (RFC 7519 4.1.4)."""
    part = jwt.split(".")[1] if jwt.count(".") == 2 else ""
    try:
        claims = orjson.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        at = datetime.fromtimestamp(int(claims["exp"]), UTC)
    except (binascii.Error, ValueError, KeyError, TypeError, OverflowError, OSError):
        return ""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
