"""Tables in JSON: names of columns in one place, rows of bare values in another, as databases and warehouses answer.

`{"columns": ["id", "ssn"], "rows": [[1, "…"]]}`, columns as objects with a name (Elasticsearch SQL, Trino), cells in
objects of one field (BigQuery's `v`, Athena's `VarCharValue`), names in the first row. Called by `json_text` for
documents in which the name of a field stands as a value. A list of names counts as columns under a name that says so,
or as the first of several rows; a row is a list in a list with as many cells.
"""

from __future__ import annotations

import re

from speedscale_runtime.dlp.detectors import KeyRule
from speedscale_runtime.dlp.edits import Edits, through, under

from . import persons
from .base import Asks
from .escapes import escape, unescape

_MOST = 256
_SCALAR = rb'(?:"(?:[^"\\]|\\.)*+"|-?\d[\d.eE+\-]*+|true|false|null)'
_CELL = rb'(?:%s|\{\s*+"\w{1,32}"\s*+:\s*+%s\s*+\})' % (_SCALAR, _SCALAR)
_ROW = re.compile(rb"\[\s*+%s(?:\s*+,\s*+%s){1,%d}+\s*+\]" % (_CELL, _CELL, _MOST - 1))
_CELLS = re.compile(
    rb'(?:\{\s*+"\w{1,32}"\s*+:\s*+)?(?:"((?:[^"\\]|\\.)*+)"|(-?\d[\d.eE+\-]*+)|true|false|null)\s*+\}?'
)
_FIELDS = re.compile(rb"\[\s*+\{[^{}\[\]]{1,400}\}(?:\s*+,\s*+\{[^{}\[\]]{1,400}\}){1,%d}+\s*+\]" % (_MOST - 1))
_FIELD = re.compile(
    rb'\{[^{}]*?"(?:name|Name|columnName|column_name|columnLabel|label|Label)"\s*+:\s*+"([^"\\]{1,64})"[^{}]*\}'
)
_HEADED = re.compile(
    rb'"(?:columns?|cols|fields?|headers?|column_?names?|field_?names?|names|schema|row_?type|column_?info)"\s*:\s*\Z',
    re.IGNORECASE,
)
_IN_LIST = re.compile(rb"(?:[\[\]]\s*,|\[)\s*\Z")
_IN_OBJECT = re.compile(rb'[\[,]\s*\{\s*"\w{1,32}"\s*:\s*\Z')  # of rows whose cells are objects, too
_NEAR = 64
_Columns = list[tuple[bytes, KeyRule | None]]
_NAME = re.compile(rb"[^\W\d][\w .\-]{0,63}")


def edits(engine: Asks, data: bytes) -> Edits:
    """Return the edits of cells whose column has a name that a rule is for; none where there is no table."""
    engine.spend(len(data))
    rows = [(row, cells) for row in _ROW.finditer(data) if len(cells := list(_CELLS.finditer(row.group(), 1))) > 1]
    tables: dict[int, _Columns] = {}
    heads: set[int] = set()
    for row, cells in rows:
        names = [cell.group(1) or b"" for cell in cells]
        if len(cells) in tables or not all(_NAME.fullmatch(name) for name in names):
            continue
        if (_headed(data, row) or _listed(data, row)) and any(rules := _rules(engine, names)):
            tables[len(cells)] = list(zip(names, rules, strict=True))
            heads.add(row.start())
    for fields in _FIELDS.finditer(data):
        names = [field.group(1) for field in _FIELD.finditer(fields.group())]
        if len(names) < 2 or len(names) in tables or not _headed(data, fields):
            continue
        if any(rules := _rules(engine, names)):
            tables[len(names)] = list(zip(names, rules, strict=True))
    out: Edits = []
    for row, cells in rows if tables else ():
        if row.start() not in heads and len(cells) in tables and _listed(data, row):
            for cell, (name, rule) in zip(cells, tables[len(cells)], strict=True):
                out += _cell(engine, cell, row.start(), rule, name) if rule is not None else []
    return out


def _headed(data: bytes, names: re.Match[bytes]) -> bool:
    return _HEADED.search(data, max(0, names.start() - _NEAR), names.start()) is not None


def _listed(data: bytes, row: re.Match[bytes]) -> bool:
    near = max(0, row.start() - _NEAR)
    if _IN_LIST.search(data, near, row.start()):
        return True
    return row.group()[1:].lstrip()[:1] == b"{" and _IN_OBJECT.search(data, near, row.start()) is not None


def _rules(engine: Asks, names: list[bytes]) -> list[KeyRule | None]:
    person = persons.about(engine.names, names)
    rules = [engine.names.rule(name) for name in names]
    return [rule if rule is None or not rule.person or person else None for rule in rules]


def _cell(engine: Asks, cell: re.Match[bytes], at: int, rule: KeyRule, name: bytes) -> Edits:
    where = "$.." + name.decode("utf-8", "replace")
    if cell.group(2) is not None:
        found = engine.number(cell.group(2), at + cell.start(2), rule, (), name)
        return [e._replace(notes=under(e.notes, where)) for e in found]
    if not cell.group(1):
        return []
    decoded, offsets = unescape(cell.group(1))
    start = at + cell.start(1)
    found = through(engine.by_key(decoded, rule) or [], offsets, escape)
    return [e._replace(start=e.start + start, end=e.end + start, notes=under(e.notes, where)) for e in found]
