"""Rows under a line of names (RFC 4180 and its kin with semicolons, tabs or bars): each cell under its column's name.

Called by `body` for types that say so and for texts whose first line names something that a rule is for.
"""

from __future__ import annotations

import re

from speedscale_runtime.dlp.detectors import KeyRule
from speedscale_runtime.dlp.edits import Edits, shift, through

from .base import Asks
from .offsets import decode

_SEPARATORS = (b",", b";", b"\t", b"|")
_LINE = re.compile(rb"[^\r\n]*+")
_DOUBLED = re.compile(rb'""')
_MAX_COLUMNS = 512
_CELLS = {
    s: re.compile(rb'[ ]*+(?:"((?:[^"]|"")*+)"|([^\r\n' + re.escape(s) + rb"]*+))([^\r\n]?)") for s in _SEPARATORS
}


def separator(data: bytes) -> bytes:
    """Return what separates the cells of the first two lines, the same number of them in each; empty when nothing."""
    first = _LINE.match(data)
    second = (
        _LINE.match(data, min(len(data), first.end() + 1 + data.startswith(b"\r\n", first.end()))) if first else None
    )
    if first is None or second is None or not second.group() or first.group()[:1] in (b"{", b"[", b"<", b"#"):
        return b""
    for mark in _SEPARATORS:
        count = first.group().count(mark)
        if 0 < count < _MAX_COLUMNS and second.group().count(mark) >= count:
            return mark
    return b""


def edits(engine: Asks, data: bytes, depth: int, mark: bytes) -> Edits:
    """Return the edits of the cells that stand under a name a rule is for; the rest is left to the detectors."""
    cell = _CELLS[mark]
    head = _LINE.match(data)
    names = [n.strip(b' "') for n in head.group().split(mark)] if head else []
    rules = _column_rules(engine, names)
    if head is None or not any(rules):
        return []
    out: Edits = []
    column, at, size = 0, head.end(), len(data)
    while at < size and data[at : at + 1] in (b"\r", b"\n"):
        at += 1
    while at < size:
        match = cell.match(data, at)
        if match is None:  # a line ends here
            break
        rule = rules[column] if column < len(rules) else None
        if rule is not None:
            out += _cell(engine, match, rule, names[column])
        at = match.end()
        column += 1
        if match.group(3) != mark:
            column = 0
            while at < size and data[at] in b"\r\n":
                at += 1
    return out


def _column_rules(engine: Asks, names: list[bytes]) -> list[KeyRule | None]:
    """Return the rule of each column; a bare name counts where another column is about a person."""
    rules = [engine.names.rule(n) if n else None for n in names]
    about_person = any(r is not None and not r.person for r in rules) or any(b"mail" in n.lower() for n in names)
    return [r if r is None or not r.person or about_person else None for r in rules]


def _cell(engine: Asks, match: re.Match[bytes], rule: KeyRule, name: bytes) -> Edits:
    quoted = match.group(1) is not None
    raw = match.group(1 if quoted else 2)
    start = match.start(1 if quoted else 2)
    value, offsets = decode(raw, _DOUBLED, lambda _: b'"')
    found = engine.by_key(value, rule) if value.strip() else None
    return (
        shift(through(found, offsets, lambda new: new.replace(b'"', b'""')), start, name.decode("utf-8", "replace"))
        if found
        else []
    )
