"""JSON documents (also several, one a line): every string, number and key, without changing a byte between them.

One pass of a tokeniser keeps the path; a string without escapes is judged from the hits that the document's scan had
in it, so most of a document is never looked at again. Objects that pair a `name` with a `value` are read as such.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from decimal import Decimal, InvalidOperation

import orjson

from speedscale_runtime.dlp.detectors import KeyRule, birth_date
from speedscale_runtime.dlp.detectors.names import PARTS, WITHIN
from speedscale_runtime.dlp.detectors.parties import NUMBERS
from speedscale_runtime.dlp.edits import Edit, Edits, merge, through, under
from speedscale_runtime.dlp.keynames import somebody
from speedscale_runtime.dlp.triggers import HOLDS, KEY

from . import json_tables, persons
from .base import Asks, Hits
from .escapes import escape, unescape

_TOKEN = re.compile(rb'"([^"\\]*(?:\\.[^"\\]*)*)"(\s*:)?|([{\[])|([}\]])|(-?\d[\d.eE+\-]*)|([tfn])[a-z]+', re.DOTALL)
_LABELS = frozenset((
    b"name", b"key", b"field", b"header", b"Name", b"Key", b"parameter", b"id", b"path", b"attribute",
    b"attributeName", b"property", b"column", b"fieldName", b"field_name", b"label", b"system", b"type",
))  # fmt: skip
_ONLY_PHONES = (b"system", b"type")  # `{"type": "token", "value": …}` is a parser's, `{"type": "phone", …}` somebody's
_LABELLED = frozenset((b"value", b"Value", b"values", b"val", b"content"))
_SHOWN = 512
# the words of schemas, not values: `"password": {"type": "string", "description": …}`
_OF_SCHEMAS = frozenset((b"type", b"description", b"format", b"title", b"$ref", b"pattern"))
WRAPPERS = frozenset((
    b"S", b"N", b"L", b"SS", b"$date", b"$numberLong", b"$numberInt", b"$numberDecimal", b"$numberDouble",
    b"stringValue", b"integerValue", b"doubleValue", b"timestampValue", b"string_value", b"value", b"Value", b"values",
    b"arrayValue", b"#text", b"_text", b"$t", b"_", b"query", b"eq", b"$eq", b"_eq", b"$in", b"_in", b"equals",
    b"contains", b"startsWith", b"$regex", b"like", b"_like", b"_ilike", b"newValue", b"oldValue", b"old", b"new",
))  # fmt: skip
"""Names that databases and query languages put between a field and its value: `"lastName": {"S": "Lee"}`."""
IN_ADDRESS = {b"line": b"street", b"lines": b"street", b"text": b"full address", b"formatted": b"full address",
              b"formattedvalue": b"full address", b"full": b"full address"}  # fmt: skip
"""Names of fields in an object under a name for an address, and what they are called elsewhere."""
_IN_NAME = frozenset((b"formatted", b"text"))
_IN_BIRTH = frozenset((b"date", b"text", b"value"))
_STRUCTURAL = (KEY, HOLDS)
_BEFORE_NUMBER = re.compile(rb'"\s*:\s*(?:\[\s*(?:-?[\d.]+\s*,\s*)*)?\Z')


def bare_number(data: bytes, start: int, end: int) -> bool:
    """Say whether digits at [start, end) stand like a number of JSON: behind a quoted name, not in quotes."""
    if data[end : end + 1] not in (b"", b",", b"}", b"]", b" ", b"\n", b"\r", b"\t"):
        return False
    return _BEFORE_NUMBER.search(data, max(0, start - 64), start) is not None


def integer(number: bytes) -> bytes:
    """Return the digits of a JSON number that means an integer of at most 20 digits; empty for every other one."""
    if number.isdigit():
        return number
    text = number.removeprefix(b"-")
    if len(text) > 40 or not text[:1].isdigit():
        return b""
    try:
        value = Decimal(text.decode("ascii"))
    except InvalidOperation:
        return b""
    if value.adjusted() > 19 or value != value.to_integral_value():
        return b""
    return str(int(value)).encode("ascii")


def valid(data: bytes) -> bool:
    """Say whether the data is one JSON document."""
    try:
        orjson.loads(data)
    except orjson.JSONDecodeError:
        return False
    return True


def lines(data: bytes) -> bool:
    """Say whether every line that is not blank is a JSON document."""
    return all(valid(line) for line in data.splitlines() if line.strip())


class _Level:
    """An object or array that is open."""

    __slots__ = (
        "above",
        "array",
        "holder",
        "index",
        "inherited",
        "key",
        "label",
        "names",
        "of_address",
        "of_birth",
        "of_name",
        "part",
        "person",
        "rule",
        "values",
        "wrapped",
    )

    def __init__(self, array: bool, rule: KeyRule | None, key: bytes, above: str) -> None:
        self.above = above if len(above) <= _SHOWN else above[:_SHOWN] + "…"  # the path of what is around it
        self.array = array
        self.index = -1
        self.key = key
        self.rule = rule
        self.of_name = rule is not None and rule.kind == "NAME" and not array
        self.of_birth = rule is not None and rule.kind == "BIRTH_DATE" and not array
        self.inherited = rule if rule is not None and (rule.nested or array) else None
        self.of_address = rule is not None and rule.kind == "ADDRESS" and not array
        self.wrapped = rule if not array else None
        self.holder = key
        self.person = not array and somebody(key)
        self.part: KeyRule | None = None  # the rule of a field for a part of a name
        self.label: KeyRule | None = None
        self.names: list[tuple[int, int, KeyRule, str]] = []
        self.values: list[tuple[int, int, str]] = []


class _Reader:
    """One pass over one document."""

    def __init__(self, engine: Asks, data: bytes, depth: int, hits: Hits) -> None:
        self.engine = engine
        self.data = data
        self.depth = depth
        self.hits = hits
        self.ends = [e for _, e in hits]
        self.stack: list[_Level] = [_Level(True, None, b"", "")]
        self.out: Edits = []
        self.names_as_values = False

    def read(self) -> Edits:
        top = self.stack[-1]
        stack = self.stack
        for match in _TOKEN.finditer(self.data):
            which = match.lastindex
            if which == 2:
                self.on_key(match, top)
            elif which == 1:
                if top.array:
                    top.index += 1
                self.on_string(match.start(1), match.end(1), top)
            elif which == 3:
                if top.array:
                    top.index += 1
                rule = top.rule or top.inherited
                array = match.group() == b"["
                top = _Level(array, rule, top.key, self.place())
                stack.append(top)
            elif which == 4:
                if len(stack) > 1:
                    self.close(stack.pop())
                    top = stack[-1]
            elif which == 5:
                if top.array:
                    top.index += 1
                self.on_number(match, top)
            elif top.array:
                top.index += 1
        while len(stack) > 1:
            self.close(stack.pop())
        return merge(self.out)

    def inside(self, start: int, end: int) -> list[tuple[int, int]]:
        """Return the hits of the document that lie in [start, end), relative to start."""
        low = bisect_right(self.ends, start)
        high = bisect_right(self.ends, end + 1, low)
        return [(i, min(e, end) - start) for i, e in self.hits[low:high]] if high > low else []

    def place(self) -> str:
        """Return the path of what is being read; of a very deep one only the start."""
        top = self.stack[-1]
        if len(self.stack) == 1:
            return "$"
        return top.above + (f"[{top.index}]" if top.array else f".{top.key[:_SHOWN].decode('utf-8', 'replace')}")

    def add(self, edits: Edits, start: int) -> None:
        where = self.place()
        for e in edits:
            self.out.append(Edit(e.start + start, e.end + start, e.new, under(e.notes, where)))

    def on_key(self, match: re.Match[bytes], top: _Level) -> None:
        start, end = match.span(1)
        raw = self.data[start:end]
        key = unescape(raw)[0] if b"\\" in raw else raw
        top.key = key
        rule = self.engine.names.rule(key)
        if rule is None and top.of_name and key.lower() in WITHIN:
            rule = self.engine.names.rule(b"full name")
        elif top.of_birth and key.lower() in birth_date.PARTS:
            rule = birth_date.PART
        elif rule is None or rule.person:
            rule = self.by_holder(key, top) or rule
        top.rule = rule or (top.inherited if key not in _OF_SCHEMAS else None)
        if persons.marks(rule, key):
            top.person = True
            if rule is not None and rule.kind == "NAME" and not PARTS.isdisjoint(self.engine.names.words(key)):
                top.part = rule
        if key is not raw:
            self.escaped(start, raw, b"", None)
            return
        hits = self.inside(start, end)
        if hits and any(i not in _STRUCTURAL for i, _ in hits):
            self.add(self.engine.text(raw, self.depth, [h for h in hits if h[0] not in _STRUCTURAL]), start)

    def by_holder(self, key: bytes, top: _Level) -> KeyRule | None:
        """Return the rule of a field that says little itself, by the name of the object it is in."""
        names = self.engine.names
        if key in WRAPPERS and top.wrapped is not None:
            return top.wrapped
        low = key.lower()
        if low in NUMBERS:
            return names.around(top.holder, low)
        if top.of_address and low in IN_ADDRESS:
            return names.rule(IN_ADDRESS[low])
        if top.of_name and low in _IN_NAME:
            return names.rule(b"name")
        return names.rule(b"birth date") if top.of_birth and low in _IN_BIRTH else None

    def on_string(self, start: int, end: int, top: _Level) -> None:
        raw = self.data[start:end]
        rule = top.rule if not top.array else top.inherited
        key = top.key
        if key in _LABELS and not top.array:
            label = self.engine.names.rule(raw)
            if label is not None and (key not in _ONLY_PHONES or label.kind == "PHONE"):
                top.label = label
                rule = None if rule is not None and rule.person else rule  # the name of a field, nobody's
        elif key in _LABELLED and rule is None:
            if top.label is None:
                top.values.append((start, end, self.place()))
            else:
                rule = top.label
        if rule is not None and rule.person:
            top.names.append((start, end, rule, self.place()))
            rule = None
        self.judge(start, end, raw, key, rule)

    def judge(self, start: int, end: int, raw: bytes, key: bytes, rule: KeyRule | None) -> None:
        if b"\\" in raw:
            self.escaped(start, raw, key, rule)
            return
        if rule is not None:
            edits = self.engine.by_key(raw, rule)
            if edits is not None:
                if edits:
                    self.add(edits, start)
                return
        hits = self.inside(start, end)
        if hits:
            self.names_as_values = self.names_as_values or any(i == KEY for i, _ in hits)
            edits = self.engine.text(raw, self.depth, hits, key)
            if edits:
                self.add([e._replace(new=escape(e.new)) for e in edits], start)

    def escaped(self, start: int, raw: bytes, key: bytes, rule: KeyRule | None) -> None:
        decoded, offsets = unescape(raw)
        edits = self.engine.by_key(decoded, rule) if rule is not None else None
        if edits is None:
            edits = self.engine.text(decoded, self.depth + 1, key=key)
        if edits:
            self.add(through(edits, offsets, escape), start)

    def on_number(self, match: re.Match[bytes], top: _Level) -> None:
        start, end = match.span(5)
        rule = top.rule if not top.array else top.inherited
        hits = self.inside(start, end)
        if not hits and (rule is None or not rule.numbers):
            return
        edits = self.engine.number(match.group(5), start, rule, hits, top.key)
        if edits:
            where = self.place()
            self.out += [e._replace(notes=under(e.notes, where)) for e in edits]

    def close(self, level: _Level) -> None:
        above = self.stack[-1]
        if level.label is not None and above.array and level.label.kind in persons.KINDS and not level.label.person:
            above.person = True
        if level.person:
            for start, end, rule, where in level.names:
                self.late(start, end, level.part or rule, where)
        elif level.names and (
            level.label.person
            if level.label is not None
            else not level.values and (level.array or level.key in WRAPPERS)
        ):
            above.names += level.names
        if level.label is not None:
            for start, end, where in level.values:
                if level.label.person:
                    above.names.append((start, end, level.label, where))
                    continue
                self.late(start, end, level.label, where)

    def late(self, start: int, end: int, rule: KeyRule, where: str) -> None:
        raw = self.data[start:end]
        decoded = unescape(raw)[0] if b"\\" in raw else raw
        edits = self.engine.by_key(decoded, rule)
        if edits:
            whole = self.engine.edit(start, end, rule.kind, decoded, rule.name, edits[0].notes[0].why)
            self.out.append(whole._replace(notes=under(whole.notes, where)))


def edits(engine: Asks, data: bytes, depth: int, hits: Hits) -> Edits:
    """Return the edits of a JSON document that the prefilter had hits in."""
    reader = _Reader(engine, data, depth, hits)
    found = reader.read()
    return merge([*found, *json_tables.edits(engine, data)]) if reader.names_as_values else found
