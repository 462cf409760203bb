"""JSON without escapes, from the hits outward: only the strings and numbers that the prefilter saw are looked at.

The hot path of `json_text`, which it agrees with: whenever structure decides (a sensitive container, a list, a pair of
name and value, a person's bare name), it returns None and the reader there does the whole document. Places are worked
out afterwards by `place`, from the redacted document, for those who ask.
"""

from __future__ import annotations

import re

from speedscale_runtime.dlp.detectors import KeyRule
from speedscale_runtime.dlp.edits import Edit, Edits, Note
from speedscale_runtime.dlp.prefilter import FIRST, KEY

from .base import Asks, Hits
from .escapes import escape

# What a place is until somebody asks; never seen outside, `place` resolves it.
LATER = "$@"
_QUOTE = 34
_COLON = re.compile(rb"[ \t\r\n]*:[ \t\r\n]*")
_NUMBER = re.compile(rb"-?\d[\d.eE+\-]*")
_BARE_NAME = re.compile(rb'"(?:name|display[^A-Za-z0-9"]{0,2}name)"', re.IGNORECASE)
_MAIL = re.compile(rb'mail[^"]{0,64}"[ \t\r\n]*:', re.IGNORECASE)
_TOKEN = re.compile(rb'"([^"]*)"([ \t\r\n]*:)?|([{\[])|([}\]])|(-?\d[\d.eE+\-]*|[tfn][a-z]+)')
_PERSON_KINDS = frozenset(("PHONE", "SSN", "BIRTH_DATE", "ADDRESS", "NAME", "NATIONAL_ID", "CREDIT_CARD"))


class _Structure(Exception):
    """The document's structure decides; a full reading is needed."""


def edits(engine: Asks, data: bytes, depth: int, hits: Hits) -> Edits | None:
    """Return the edits of a valid JSON document without backslashes, or None where it has to be read in full."""
    try:
        return _Spots(engine, data, depth, hits).look()
    except _Structure:
        return None


class _Spots:
    def __init__(self, engine: Asks, data: bytes, depth: int, hits: Hits) -> None:
        self.engine, self.data, self.depth, self.hits = engine, data, depth, hits
        self.bare_names = _BARE_NAME.search(data) is not None
        if self.bare_names and _MAIL.search(data):
            raise _Structure

    def look(self) -> Edits:
        data, hits = self.data, self.hits
        out: Edits = []
        quotes = at = done = i = 0
        count = len(hits)
        while i < count:
            end = hits[i][1]
            if end <= done:
                i += 1
                continue
            position = end - 1
            if data[position] == _QUOTE:
                position -= 1
            quotes += data.count(b'"', at, position) if position > at else 0
            at = max(at, position)
            first = i
            if quotes & 1:
                start, stop = data.rfind(b'"', 0, position) + 1, data.find(b'"', position)
                while i < count and hits[i][1] <= stop + 1:
                    i += 1
                done = self.string(start, stop, [(p, min(e, stop) - start) for p, e in hits[first:i]], out)
            else:
                start, stop = self.number(position, hits, first, out)
                done = stop
                i += 1
        return out

    def string(self, start: int, stop: int, hits: list[tuple[int, int]], out: Edits) -> int:
        """Judge one string; return up to where nothing has to be looked at again."""
        raw = self.data[start:stop]
        after = _COLON.match(self.data, stop + 1)
        named = any(p == KEY for p, _ in hits)
        if after is None:
            if named and self.engine.names.rule(raw) is not None:
                raise _Structure  # a name in the place of a value: `{"name": "password", "value": …}`
            key = self.key_before(start - 1)
            if key is None and any(p in self.engine.keyed for p, _ in hits):
                raise _Structure  # what such a detector finds depends on the list's name
            self.add(self.engine.text(raw, self.depth, hits, key or b""), start, out)
            return stop
        rest = [h for h in hits if h[0] != KEY]
        if any(p >= FIRST for p, _ in rest):
            self.add(self.engine.text(raw, self.depth, rest), start, out)
        rule = self.engine.names.rule(raw) if named else None
        if rule is None or rule.person:
            return stop
        if rule.kind in _PERSON_KINDS:
            self.person()
        return self.under(rule, raw, after.end(), stop, out)

    def under(self, rule: KeyRule, key: bytes, value: int, stop: int, out: Edits) -> int:
        first = self.data[value : value + 1]
        if first == b'"':
            end = self.data.find(b'"', value + 1)
            found = self.engine.by_key(self.data[value + 1 : end], rule)
            if found is None:
                return stop
            self.add(found, value + 1, out)
            return end
        if first in (b"{", b"["):
            if rule.nested or first == b"[":
                raise _Structure
            return stop
        number = _NUMBER.match(self.data, value)
        if number is not None and rule.numbers:
            found = self.engine.number(number.group(), value, rule, (), key)
            self.add(found, 0, out)
            return number.end() if found else stop
        return stop

    def number(self, position: int, hits: Hits, first: int, out: Edits) -> tuple[int, int]:
        start = max(self.data.rfind(c, 0, position) for c in (b":", b",", b"[", b" ", b"\n", b"\t", b"\r")) + 1
        match = _NUMBER.match(self.data, start)
        if match is None:
            return position, hits[first][1]
        stop = match.end()
        mine = [(p, min(e, stop) - start) for p, e in hits[first:] if e <= stop + 1]
        key = self.key_before(start)
        if key is None and any(p in self.engine.keyed for p, _ in mine):
            raise _Structure
        self.add(self.engine.number(match.group(), start, None, mine, key or b""), 0, out)
        return start, stop

    def key_before(self, at: int) -> bytes | None:
        """Return the name of the value that begins at `at`; None when it is in a list."""
        before = self.data[max(0, at - 8) : at].rstrip()
        if not before.endswith(b":"):
            return None if at and before[-1:] in (b"[", b",") else b""
        colon = self.data.rfind(b":", 0, at)
        close = self.data.rfind(b'"', 0, colon)
        return self.data[self.data.rfind(b'"', 0, close) + 1 : close]

    def person(self) -> None:
        """Raise when the document has a bare name beside a mark of a person."""
        if self.bare_names:
            raise _Structure

    def add(self, found: Edits, by: int, out: Edits) -> None:
        for start, end, new, notes in found:
            later = tuple([Note(LATER + n[0], n[1], n[2], n[3], n[4], n[5], n[6]) for n in notes])
            if b'"' in new or b"\\" in new:
                new = escape(new)
            out.append(Edit(start + by, end + by, new, later))


def resolve(edits_: Edits, data: bytes) -> Edits:
    """Return edits of `data` with their places worked out."""
    if not any(n.place.startswith(LATER) for e in edits_ for n in e.notes):
        return edits_
    out: Edits = []
    for e in edits_:
        where = place(data, e.start)
        out.append(e._replace(notes=tuple(n._replace(place=settled(n.place, where)) for n in e.notes)))
    return out


def settled(unsettled: str, where: str) -> str:
    """Return a place that was put off, now that it is known."""
    return where + unsettled[len(LATER) :] if unsettled.startswith(LATER) else unsettled


def place(data: bytes, offset: int) -> str:
    """Return the JSON path of what stands at a byte offset of a document without backslashes."""
    stack: list[tuple[bool, int, bytes]] = []
    array, index, key = True, -1, b""
    for match in _TOKEN.finditer(data):
        which = match.lastindex
        if which == 2:
            key = match.group(1)
        elif which == 4:
            if stack:
                array, index, key = stack.pop()
        else:
            index += 1
        if match.end() > offset:
            break
        if which == 3:
            stack.append((array, index, key))
            array, index, key = match.group() == b"[", -1, b""
    levels = [*stack[1:], (array, index, key)] if stack else []
    return "$" + "".join(f"[{i}]" if a else f".{k.decode('utf-8', 'replace')}" for a, i, k in levels)
