"""Query strings and forms (WHATWG URL, application/x-www-form-urlencoded), and whole URLs."""

from __future__ import annotations

import re

from speedscale_runtime.dlp.edits import Edits, shift, through

from . import saml
from .base import Asks
from .percent import quote, unquote

_SAML = (b"SAMLRequest", b"SAMLResponse")

_FORM = re.compile(rb"[\w.\-\[\]%+$~*]{1,128}=[^&\s{}<>\"]*(?:&[\w.\-\[\]%+$~*]{0,128}(?:=[^&\s{}<>\"]*)?)*")


def looks_like(data: bytes) -> bool:
    """Say whether the whole text reads like a form (a name with nothing behind it is base64 and its padding)."""
    return b"=" in data.rstrip(b"=") and _FORM.fullmatch(data) is not None


def edits(engine: Asks, data: bytes, depth: int) -> Edits:
    """Return the edits of `name=value` pairs joined by ampersands."""
    out: Edits = []
    at = 0
    for part in re.split(rb"[&;](?=[^=&;]{0,128}=)|&", data):
        at = data.index(part, at)
        out += _pair(engine, part, at, depth)
        at += len(part)
    return out


def _pair(engine: Asks, part: bytes, at: int, depth: int) -> Edits:
    name, equals, value = part.partition(b"=")
    if not equals:
        return shift(_decoded(engine, name, b"", depth), at)
    key = unquote(name, form=True)[0] if b"%" in name or b"+" in name else name
    out = shift(_decoded(engine, name, b"", depth), at)
    rule_key = key.strip(b"[]").rpartition(b"[")[2] if key.endswith(b"]") else key
    where = key.decode("utf-8", "replace")
    if key in _SAML:
        return out + shift(saml.edits(engine, value, depth), at + len(name) + 1, where)
    return out + shift(_decoded(engine, value, rule_key, depth), at + len(name) + 1, where)


def _decoded(engine: Asks, raw: bytes, key: bytes, depth: int) -> Edits:
    if not raw:
        return []
    if b"%" not in raw and b"+" not in raw:
        return engine.leaf(raw, key, depth)
    decoded, offsets = unquote(raw, form=True)
    engine.spend(offsets.cost)
    found = through(engine.leaf(decoded, key, depth + 1), offsets, quote)
    if b"+" in raw:  # a plus sign that its writer did not encode: `a+b@example.com`, `+1415…`
        literal, places = unquote(raw)
        found = found + [e for e in through(engine.leaf(literal, key, depth + 1), places, quote) if e not in found]
    return found


def url(engine: Asks, data: bytes, depth: int) -> Edits:
    """Return the edits of a URL or of its path and query: credentials, path segments, parameters, fragment."""
    hits = engine.hits(data)
    if not hits:
        return []
    start, question, query = data.partition(b"?")
    out: Edits = list(engine.text(data, depth, hits))
    at = 0
    for segment in start.split(b"/"):
        if segment:
            out += shift(engine.text(segment, depth), at)
        at += len(segment) + 1
    if question:
        query, sharp, fragment = query.partition(b"#")
        base = len(start) + 1
        out += shift(edits(engine, query, depth), base, "?")
        if sharp:
            out += shift(edits(engine, fragment, depth), base + len(query) + 1, "#")
    return out
