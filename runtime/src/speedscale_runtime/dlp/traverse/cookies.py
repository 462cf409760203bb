"""Cookie and Set-Cookie headers (RFC 6265): each cookie's value under its name; attributes stay."""

from __future__ import annotations

import re

from speedscale_runtime.dlp.edits import Edits, shift, through

from .base import Asks
from .percent import quote, unquote

_SESSION_NAME = re.compile(rb"(?i)sess|sid$|^sid|auth|token|jwt|csrf|xsrf|secret|credential|login|remember")
_TRACKING = re.compile(rb"(?i)^(?:_ga|_gid|_gat|_fbp|_hj|amp_|ajs_|utm|locale|lang|theme|consent)")


def cookie(engine: Asks, data: bytes, depth: int) -> Edits:
    """Return the edits of a Cookie header's value."""
    out: Edits = []
    at = 0
    for part in data.split(b";"):
        out += shift(_one(engine, part, depth), at)
        at += len(part) + 1
    return out


def set_cookie(engine: Asks, data: bytes, depth: int) -> Edits:
    """Return the edits of a Set-Cookie header's value: the cookie itself, and what its attributes show."""
    first, semicolon, rest = data.partition(b";")
    out = _one(engine, first, depth)
    return out + shift(engine.text(rest, depth), len(first) + 1) if semicolon else out


def _one(engine: Asks, part: bytes, depth: int) -> Edits:
    name, equals, raw = part.partition(b"=")
    if not equals:
        return engine.text(part, depth)
    key = name.strip()
    at = len(name) + 1 + len(raw) - len(raw.lstrip())
    raw = raw.strip()
    if raw[:1] == b'"' == raw[-1:] and len(raw) > 1:
        at, raw = at + 1, raw[1:-1]
    decoded, offsets = unquote(raw)
    found = engine.leaf(decoded, key, depth)
    if not _whole(found, decoded) and is_session(key, decoded):
        rest = engine.secret(decoded, "session_cookie", "a cookie that names a session")
        found = rest or found
    return shift(through(found, offsets, quote), at, key.decode("utf-8", "replace"))


def _whole(edits: Edits, data: bytes) -> bool:
    return len(edits) == 1 and edits[0].start == 0 and edits[0].end == len(data)


def is_session(key: bytes, value: bytes) -> bool:
    """Say whether a cookie is a session by its name, with a value that is no small word or number."""
    return len(value) >= 8 and _SESSION_NAME.search(key) is not None and not _TRACKING.match(key)
