"""Query strings and forms (WHATWG URL, application/x-www-form-urlencoded), and whole URLs."""

from __future__ import annotations

import re

from speedscale_runtime.dlp.detectors import KeyRule, birth_date
from speedscale_runtime.dlp.detectors.names import WITHIN
from speedscale_runtime.dlp.detectors.parties import NUMBERS
from speedscale_runtime.dlp.edits import Edits, shift, through

from . import persons, saml
from .base import Asks
from .percent import quote, unquote

_MOST_FIELDS = 512
_SAML = (b"SAMLRequest", b"SAMLResponse")

_FORM = re.compile(rb"[\w.\-\[\]%+$~*]{1,128}=[^&\s{}<>\"]*(?:&[\w.\-\[\]%+$~*]{0,128}(?:=[^&\s{}<>\"]*)?)*")


def looks_like(data: bytes) -> bool:
    """Say whether the whole text reads like a form (a name with nothing behind it is base64 and its padding)."""
    return b"=" in data.rstrip(b"=") and _FORM.fullmatch(data) is not None


def edits(engine: Asks, data: bytes, depth: int) -> Edits:
    """Return the edits of `name=value` pairs joined by ampersands."""
    out: Edits = []
    at = 0
    parts = re.split(rb"[&;](?=[^=&;]{0,128}=)|&", data)
    bare = _bare(engine, parts) if len(parts) > 1 else None
    for part in parts:
        at = data.index(part, at)
        out += _pair(engine, part, at, depth, bare)
        at += len(part)
    return out


def _bare(engine: Asks, parts: list[bytes]) -> KeyRule | None:
    """Return the rule that holds for a bare `name` in a form: that of names where other fields speak of a person."""
    keys = [last(unquote(p.partition(b"=")[0], form=True)[0])[1] for p in parts[:_MOST_FIELDS]]
    if not any(rule is not None and rule.person for rule in map(engine.names.rule, keys)):
        return None
    return persons.bare(engine.names, keys)


def last(key: bytes) -> tuple[bytes, bytes]:
    """Return the names in `a[b][c]` as one, and the last of them alone."""
    if not key.endswith(b"]") and b"." not in key:
        return key, key
    names = [n for n in re.split(rb"[\[\].]+", key) if n and not n.isdigit()]
    return b" ".join(names[-2:]), names[-1] if names else key


def by_key(engine: Asks, key: bytes, bare: KeyRule | None) -> tuple[bytes, KeyRule | None]:
    """Return the name that a value stands under, and a rule where what is around it decides."""
    both, alone = last(key)
    rule = engine.names.rule(alone)
    if rule is None and both != alone:
        holder, _, number = both.rpartition(b" ")
        found = engine.names.around(holder, number.lower()) if number.lower() in NUMBERS else None
        found = found or _in_holder(engine, holder, number.lower())
        if found is not None:
            return alone, found
    return alone, bare if rule is not None and rule.person else None


def _in_holder(engine: Asks, holder: bytes, key: bytes) -> KeyRule | None:
    rule = engine.names.rule(holder)
    if rule is None or rule.person:
        return engine.names.rule(b"full name") if rule is not None and key in WITHIN else None
    if rule.kind == "NAME" and key in WITHIN:
        return engine.names.rule(b"full name")
    if rule.kind == "BIRTH_DATE" and key in birth_date.PARTS:
        return birth_date.PART
    return rule if key in (b"value", b"text", b"formatted") else None


def _pair(engine: Asks, part: bytes, at: int, depth: int, bare: KeyRule | None) -> Edits:
    name, equals, value = part.partition(b"=")
    if not equals:
        return shift(_decoded(engine, name, b"", depth), at)
    key = unquote(name, form=True)[0] if b"%" in name or b"+" in name else name
    out = shift(_decoded(engine, name, b"", depth), at)
    rule_key, rule = by_key(engine, key, bare)
    where = key.decode("utf-8", "replace")
    if key in _SAML:
        return out + shift(saml.edits(engine, value, depth), at + len(name) + 1, where)
    return out + shift(_decoded(engine, value, rule_key, depth, rule), at + len(name) + 1, where)


def _decoded(engine: Asks, raw: bytes, key: bytes, depth: int, rule: KeyRule | None = None) -> Edits:
    if not raw:
        return []
    if b"%" not in raw and b"+" not in raw:
        return engine.leaf(raw, key, depth, rule=rule and persons.plain(rule))
    decoded, offsets = unquote(raw, form=True)
    engine.spend(offsets.cost)
    found = through(engine.leaf(decoded, key, depth + 1, rule=rule and persons.plain(rule)), offsets, quote)
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
