"""XML and HTML: text under its element's name, attributes under theirs, CDATA, comments; references undone."""

from __future__ import annotations

import re

from speedscale_runtime.dlp.detectors import KeyRule, birth_date
from speedscale_runtime.dlp.detectors.parties import NUMBERS
from speedscale_runtime.dlp.edits import Edits, shift, through
from speedscale_runtime.dlp.keynames import somebody

from . import persons
from .base import Asks
from .entities import escape, unescape

_OPEN = re.compile(rb"<(?:(!\[CDATA\[)|(!--)|(\?)|(?=/?[A-Za-z_\x80-\xff]))")
_CLOSERS = {1: b"]]>", 2: b"-->", 3: b"?>"}
# bounded, so that what never closes costs no more than this for each tag
_TAG = re.compile(
    rb"<(/?)([A-Za-z_\x80-\xff][\w:.\-\x80-\xff]{0,127})"
    rb"((?:\"[^\"<]{0,4096}\"|'[^'<]{0,4096}'|[^<>\"']){0,4096})>",
    re.DOTALL,
)
_ATTRIBUTE = re.compile(rb"([A-Za-z_\x80-\xff][\w:.\-\x80-\xff]*)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'=<>`]+))")
_DEEPEST = 256
_SHOWN = 16
_NAMED = (b"name", b"key", b"id")
_NAMES = re.compile(rb"(?i)(?<![\w:.\-])name\s*=\s*[\"']?([^\"'<>\s]{1,160})")
_FRIENDLY = re.compile(rb"(?i)(?<![\w:.\-])friendlyname\s*=\s*[\"']([^\"'<>]{1,80})")
_LABELS = frozenset((b"key", b"name", b"Name", b"Key", b"th", b"dt", b"label", b"FieldName", b"field"))
_VALUES = frozenset(
    (b"value", b"Value", b"string", b"AttributeValue", b"td", b"dd", b"integer", b"int", b"FieldValue", b"i4")
)


def edits(engine: Asks, data: bytes, depth: int) -> Edits:
    """Return the edits of everything that looks like XML or HTML in the data."""
    out: Edits = []
    stack: list[bytes] = []
    seen = _Seen(engine)
    at = done = 0
    while (opening := _OPEN.search(data, at)) is not None:
        start = opening.start()
        kind = opening.lastindex
        if kind is not None:
            end = data.find(_CLOSERS[kind], opening.end())
            if end < 0:
                break
            stop = end + len(_CLOSERS[kind])
        else:
            tag = _TAG.match(data, start)
            if tag is None:
                at = start + 1
                continue
            stop = tag.end()
        if start > done:
            out += _text(engine, data, done, start, stack, depth, seen)
        at = done = stop
        if kind == 1:
            found = engine.leaf(data[opening.end() : end], _local(stack), depth)
            out += _place(shift(found, opening.end()), stack) if found else []
        elif kind == 2:
            out += shift(engine.text(data[opening.end() : end], depth), opening.end())
        elif kind is None and tag is not None:
            out += _on_tag(engine, tag, stack, depth, seen)
    if stack and done < len(data):
        out += _text(engine, data, done, len(data), stack, depth, seen)
    return out + seen.rest()


def _on_tag(engine: Asks, tag: re.Match[bytes], stack: list[bytes], depth: int, seen: _Seen) -> Edits:
    if tag.group(1):
        if stack:
            stack.pop()
            return seen.close()
        return []
    found = _attributes(engine, tag, stack, depth) if b"=" in tag.group(3) else []
    if not tag.group(3).endswith(b"/") and len(stack) < _DEEPEST:
        stack.append(tag.group(2))
        seen.open(_label(tag.group(3)))
    return found


def _local(stack: list[bytes]) -> bytes:
    return stack[-1].rpartition(b":")[2] if stack else b""


def _place(edits: Edits, stack: list[bytes], attribute: str = "") -> Edits:
    shown = stack if len(stack) <= _SHOWN else [*stack[: _SHOWN // 2], "…".encode(), *stack[-_SHOWN // 2 :]]
    return shift(edits, 0, "/" + "/".join(s.decode("utf-8", "replace") for s in shown) + attribute)


def _text(engine: Asks, data: bytes, start: int, end: int, stack: list[bytes], depth: int, seen: _Seen) -> Edits:
    raw = data[start:end]
    text = raw.strip()
    if not text:
        return []
    start += raw.index(text)
    rule, late = seen.rule(stack, text)
    found = _decoded(engine, text, _local(stack), depth, rule)
    if late is not None:
        seen.keep(_place(shift(_decoded(engine, text, b"", depth, late), start), stack))
    return _place(shift(found, start), stack) if found else []


def _decoded(engine: Asks, raw: bytes, key: bytes, depth: int, rule: KeyRule | None = None) -> Edits:
    if b"&" not in raw:
        return engine.leaf(raw, key, depth, rule=rule)
    decoded, offsets = unescape(raw)
    return through(engine.leaf(decoded, key, depth + 1, rule=rule), offsets, escape)


def _label(attributes: bytes) -> bytes:
    """Return what a `Name` or `FriendlyName` attribute says its element is about (SAML 2.0 core, section 2.7.3.1)."""
    named = _FRIENDLY.search(attributes) or _NAMES.search(attributes)
    return re.split(rb"[/#:]", named.group(1))[-1] if named is not None else b""


class _Seen:
    """What is known of the elements that are open: whether they are about a person, what labels stand in them."""

    def __init__(self, engine: Asks) -> None:
        self.engine = engine
        self.labels: list[bytes] = [b""]
        self.person: list[bool] = [False]
        self.names: list[Edits] = [[]]

    def open(self, label: bytes) -> None:
        """An element opens, under a label that its attributes give."""
        self.labels.append(label)
        self.person.append(False)
        self.names.append([])

    def close(self) -> Edits:
        """Return the bare names in the element that closes, where something in it spoke of a person."""
        if len(self.person) < 2:
            return []
        self.labels.pop()
        names = self.names.pop()
        return names if self.person.pop() else []

    def rest(self) -> Edits:
        """Return the bare names in what never closed."""
        return [e for names, person in zip(self.names, self.person, strict=True) if person for e in names]

    def keep(self, edits: Edits) -> None:
        """Remember the edits of a bare name until its element's parent closes."""
        self.names[max(0, len(self.names) - 2)] += edits

    def rule(self, stack: list[bytes], text: bytes) -> tuple[KeyRule | None, KeyRule | None]:
        """Return the rule for an element's text where others decide it, and the one that may turn out to hold."""
        names = self.engine.names
        key = _local(stack)
        above = max(0, len(self.person) - 2)
        if key in _LABELS:
            self.labels[above] = text
        own = names.rule(key)
        if own is None and key in _VALUES:
            label = next((name for name in self.labels[:-4:-1] if name), b"")
            own = names.rule(label) if label else None
            above = max(0, above - 1)
            if own is not None and not own.person:
                self.person[above] = self.person[above] or persons.marks(own, label)
                return own, None
        if persons.marks(own, key):
            self.person[above] = True
        if own is None and len(stack) > 1:
            holder = stack[-2].rpartition(b":")[2]
            if key.lower() in NUMBERS:
                return names.around(holder, key.lower()), None
            outer = names.rule(holder)
            if outer is not None and outer.kind == "BIRTH_DATE" and key.lower() in birth_date.PARTS:
                return birth_date.PART, None
            if outer is not None and not outer.person and key in (b"value", b"Value", b"string", b"item"):
                return outer, None
        if own is None or not own.person:
            return None, None
        if len(stack) > 1 and somebody(stack[-2].rpartition(b":")[2]):
            return persons.plain(own), None
        return None, persons.plain(own)


def _attributes(engine: Asks, match: re.Match[bytes], stack: list[bytes], depth: int) -> Edits:
    out: Edits = []
    label = _label(match.group(3))
    found_names = [a.group(1).rpartition(b":")[2] for a in _ATTRIBUTE.finditer(match.group(3))]
    bare = engine.names.rule(b"name") if persons.about(engine.names, found_names) else None
    for attribute in _ATTRIBUTE.finditer(match.group(3)):
        group = attribute.lastindex or 1
        key, raw = attribute.group(1), attribute.group(group)
        if key.lower() in _NAMED:
            label = raw
        name = label if key.lower() == b"value" and label else key.rpartition(b":")[2]
        rule = engine.names.rule(name) if bare is not None else None
        rule = persons.plain(rule) if rule is not None and rule.person else None
        found = shift(_decoded(engine, raw, name, depth, rule), match.start(3) + attribute.start(group))
        if found:
            out += _place(found, [*stack, match.group(2)], "/@" + key.decode("utf-8", "replace"))
    return out
