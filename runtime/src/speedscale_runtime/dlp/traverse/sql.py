"""Values of SQL under the names of their columns: `INSERT INTO t (a, b) VALUES (1, 'x'), (2, 'y')`, `a IN (1, 2)`.

Comparisons and assignments (`password = 'x'`) are names and values in running text; see `key_values`. A quote inside a
text is doubled, or has a backslash before it as in MySQL: what cannot be read the one way is read the other.
"""

from __future__ import annotations

import re

from speedscale_runtime.dlp.detectors import KeyRule
from speedscale_runtime.dlp.edits import Edits, shift

from . import persons
from .base import Asks

_INSERT = re.compile(rb"\binsert\s+into\s+[^\s(]{1,128}\s*\(([^()]{1,4096})\)\s*values\s*", re.IGNORECASE)
# possessive: a quoted text has one way to be read, or a row that never ends takes exponential time
_ROW = re.compile(rb"\s*+,?\s*+\(((?:'(?:[^']|'')*+'|[^()'])*+)\)")
_CELL = re.compile(rb"\s*+(?:[NnEe]?'((?:[^']|'')*+)'|([^,']*+))\s*+(?:,|\Z)")
_ROW_ESCAPED = re.compile(rb"\s*+,?\s*+\(((?:[NnEe]?'(?:[^'\\]|\\.|'')*+'|[^()'])*+)\)", re.DOTALL)
_CELL_ESCAPED = re.compile(rb"\s*+(?:[NnEe]?'((?:[^'\\]|\\.|'')*+)'|([^,']*+))\s*+(?:,|\Z)", re.DOTALL)
_ESCAPED = re.compile(rb"''|\\(.)", re.DOTALL)
_IN = re.compile(rb"([\w.\"`\[\]\x80-\xff]{1,128})\s+(?:not\s+)?in\s*(?=\()", re.IGNORECASE)


def edits(engine: Asks, data: bytes) -> Edits:
    """Return the edits of quoted values whose column names a rule; others are left to the detectors."""
    out: Edits = []
    for insert in _INSERT.finditer(data):
        names = [name.strip(b' "`[]\r\n\t') for name in insert.group(1).split(b",")]
        rules = [engine.names.rule(name) for name in names]
        if not any(rules):
            continue
        person = persons.about(engine.names, names)
        part = persons.part(engine.names, names)
        at = insert.end()
        while (found := _row(data, at)) is not None:
            row, cells = found
            at = row.end()
            for rule, cell in zip(rules, cells.finditer(row.group(1)), strict=False):
                if rule is not None and (person or not rule.person):
                    out += shift(_cell(engine, cell, (part or rule) if rule.person else rule), row.start(1))
    return out + _lists(engine, data)


def _lists(engine: Asks, data: bytes) -> Edits:
    out: Edits = []
    for match in _IN.finditer(data):
        rule = engine.names.rule(match.group(1).rpartition(b".")[2].strip(b'"`[]'))
        if rule is None or rule.person or (found := _row(data, match.end())) is None:
            continue
        row, cells = found
        for cell in cells.finditer(row.group(1)):
            out += shift(_cell(engine, cell, rule), row.start(1))
    return out


def _row(data: bytes, at: int) -> tuple[re.Match[bytes], re.Pattern[bytes]] | None:
    """Return the list in parentheses at an offset, and what reads its cells."""
    row = _ROW.match(data, at)
    if row is not None and b"\\'" not in row.group():
        return row, _CELL
    escaped = _ROW_ESCAPED.match(data, at)
    if escaped is not None:
        return escaped, _CELL_ESCAPED
    return (row, _CELL) if row is not None else None


def _cell(engine: Asks, cell: re.Match[bytes], rule: KeyRule) -> Edits:
    raw = cell.group(1)
    if raw is None:
        number = cell.group(2).strip()
        if not rule.numbers or not number.isdigit():
            return []
        start = cell.start(2) + len(cell.group(2)) - len(cell.group(2).lstrip())
        return shift(engine.by_key(number, rule) or [], start)
    value = _ESCAPED.sub(lambda m: m.group(1) or b"'", raw)
    found = engine.by_key(value, rule)
    if not found:
        return []
    if value != raw:
        found = [engine.edit(0, len(raw), rule.kind, value, rule.name, found[0].notes[0].why)]
    return shift(found, cell.start(1))
