"""JSON without escapes, from the hits outward: only the strings and numbers that the prefilter saw are looked at.

The hot path of `json_text`, which it agrees with: whenever structure decides (a sensitive container, a list, a pair of
name and value, a person's bare name), it returns None and the reader there does the whole document. Places are worked
out afterwards by `place`, from the redacted document, for those who ask.
"""

from __future__ import annotations

import re

from speedscale_runtime.dlp.detectors import KeyRule
from speedscale_runtime.dlp.detectors.names import WITHIN
from speedscale_runtime.dlp.edits import Edit, Edits, merge, under
from speedscale_runtime.dlp.triggers import FIRST, HOLDS, KEY

from . import persons
from .base import Asks, Hits
from .escapes import escape
from .json_text import IN_ADDRESS, WRAPPERS

_QUOTE = 34
_BLANK = b" \t\r\n"
_COLON = re.compile(rb"[ \t\r\n]*:[ \t\r\n]*")
_NUMBER = re.compile(rb"-?\d[\d.eE+\-]*")
_MAIL = re.compile(rb'mail[^"]{0,64}"[ \t\r\n]*:', re.IGNORECASE)
_TOKEN = re.compile(rb'"([^"]*)"([ \t\r\n]*:)?|([{\[])|([}\]])|(-?\d[\d.eE+\-]*|[tfn][a-z]+)')
_INNER = re.compile(
    rb'\{[^{}]*?"(?:'
    + b"|".join(re.escape(name) for name in sorted(WRAPPERS))
    + rb"|(?i:"
    + b"|".join(sorted(IN_ADDRESS))
    + rb'))"[ \t\r\n]*:'
)


class _Structure(Exception):
    """The document's structure decides; a full reading is needed."""


class Spots(list[Edit]):
    """Edits in order and without overlaps whose places are those of their own bytes: `place` works them out."""


def edits(engine: Asks, data: bytes, depth: int, hits: Hits) -> Edits | None:
    """Return the edits of a valid JSON document without backslashes, or None where it has to be read in full."""
    for hit in hits:
        if hit[0] == HOLDS:  # what is around a field says what it is
            return None
    try:
        return _Spots(engine, data, depth, hits).look()
    except _Structure:
        return None


class _Spots:
    __slots__ = ("bare_names", "data", "depth", "engine", "hits")

    def __init__(self, engine: Asks, data: bytes, depth: int, hits: Hits) -> None:
        self.engine, self.data, self.depth, self.hits = engine, data, depth, hits
        self.bare_names = engine.names.bare.search(data) is not None
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
            if position > at:
                quotes += data.count(b'"', at, position)
                at = position
            first = i
            i += 1
            if quotes & 1:
                start, stop = data.rfind(b'"', 0, position) + 1, data.find(b'"', position)
                while i < count and hits[i][1] <= stop + 1:
                    i += 1
                done = self.string(start, stop, first, i, out)
            else:
                done = self.number(position, hits, first, out)
        return _in_order(out)

    def string(self, start: int, stop: int, first: int, last: int, out: Edits) -> int:
        """Judge one string with the hits [first, last); return up to where nothing has to be looked at again."""
        data, hits, engine = self.data, self.hits, self.engine
        raw = data[start:stop]
        after = _COLON.match(data, stop + 1)
        if after is None:
            key = self.key_before(start - 1)
            for j in range(first, last):
                pattern = hits[j][0]
                if pattern == KEY:
                    if engine.names.rule(raw) is not None:
                        raise _Structure  # a name in the place of a value: `{"name": "password", "value": …}`
                elif key is None and pattern in engine.keyed:
                    raise _Structure  # what such a detector finds depends on the list's name
            mine = [(p, e - start if e < stop else stop - start) for p, e in hits[first:last]]
            found = engine.text(raw, self.depth, mine, key or b"")
            if found:
                add(found, start, out)
            return stop
        named = look = False
        for j in range(first, last):
            pattern = hits[j][0]
            if pattern == KEY:
                named = True
            elif pattern >= FIRST:
                look = True
        if look:
            mine = [(p, e - start if e < stop else stop - start) for p, e in hits[first:last] if p != KEY]
            add(engine.text(raw, self.depth, mine), start, out)
        rule = engine.names.rule(raw) if named else None
        if rule is None and named and raw.lower() in WITHIN:
            raise _Structure  # the parts of a name below `name`
        if rule is None or rule.person:
            return stop
        if self.bare_names and rule.kind in persons.KINDS:
            raise _Structure  # a bare name beside a mark of a person
        return self.under(rule, raw, after.end(), stop, out)

    def under(self, rule: KeyRule, key: bytes, value: int, stop: int, out: Edits) -> int:
        first = self.data[value : value + 1]
        if first == b'"':
            end = self.data.find(b'"', value + 1)
            found = self.engine.by_key(self.data[value + 1 : end], rule)
            if found is None:
                return stop
            if found:
                add(found, value + 1, out)
            return end + 1  # a pattern may take the quote behind the value with it
        if first in (b"{", b"["):
            if (
                rule.nested or first == b"[" or rule.kind == "BIRTH_DATE" or _INNER.match(self.data, value)
            ):  # a date may be an object of its parts
                raise _Structure
            return stop
        number = _NUMBER.match(self.data, value)
        if number is not None and rule.numbers:
            found = self.engine.number(number.group(), value, rule, (), key)
            add(found, 0, out)
            return number.end() if found else stop
        return stop

    def number(self, position: int, hits: Hits, first: int, out: Edits) -> int:
        start = max(self.data.rfind(c, 0, position) for c in (b":", b",", b"[", b" ", b"\n", b"\t", b"\r")) + 1
        match = _NUMBER.match(self.data, start)
        if match is None:
            return hits[first][1]
        stop = match.end()
        last = first
        while last < len(hits) and hits[last][1] <= stop + 1:
            last += 1
        mine = [(p, min(e, stop) - start) for p, e in hits[first:last]]
        key = self.key_before(start)
        if key is None and any(p in self.engine.keyed for p, _ in mine):
            raise _Structure
        add(self.engine.number(match.group(), start, None, mine, key or b""), 0, out)
        return stop

    def key_before(self, at: int) -> bytes | None:
        """Return the name of the value that begins at `at`; None when it is in a list."""
        data = self.data
        colon = at - 1
        while colon >= 0 and data[colon] in _BLANK:
            colon -= 1
        if colon < 0 or data[colon] != 58:
            return None if colon >= 0 and data[colon] in b"[," else b""
        close = data.rfind(b'"', 0, colon)
        return data[data.rfind(b'"', 0, close) + 1 : close]


def add(found: Edits, by: int, out: Edits) -> None:
    """Add edits of a string's content, moved right by `by` bytes and written as JSON."""
    for start, end, new, notes in found:
        out.append(Edit(start + by, end + by, escape(new) if b'"' in new or b"\\" in new else new, notes))


def _in_order(found: Edits) -> Spots:
    end = 0
    for edit in found:
        if edit[0] < end:
            return Spots(merge(found))
        end = edit[1]
    return Spots(found)


def resolve(found: Edits, data: bytes) -> Edits:
    """Return edits of `data` with their places worked out."""
    if not isinstance(found, Spots):
        return found
    return [e._replace(notes=under(e.notes, place(data, e.start))) for e in found]


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
