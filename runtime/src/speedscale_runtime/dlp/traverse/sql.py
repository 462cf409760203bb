"""Values of SQL inserts under the names of their columns: `INSERT INTO t (a, b) VALUES (1, 'x'), (2, 'y')`.

Comparisons and assignments (`password = 'x'`) are names and values in running text; see `key_values`.
"""

from __future__ import annotations

import re

from speedscale_runtime.dlp.edits import Edits, shift

from . import persons
from .base import Asks

_INSERT = re.compile(rb"\binsert\s+into\s+[^\s(]{1,128}\s*\(([^()]{1,4096})\)\s*values\s*", re.IGNORECASE)
# possessive: a quoted text has one way to be read, or a row that never ends takes exponential time
_ROW = re.compile(rb"\s*+,?\s*+\(((?:'(?:[^']|'')*+'|[^()'])*+)\)")
_CELL = re.compile(rb"\s*+(?:[NnEe]?'((?:[^']|'')*+)'|([^,']*+))\s*+(?:,|\Z)")


def edits(engine: Asks, data: bytes) -> Edits:
    """Return the edits of quoted values whose column names a rule; others are left to the detectors."""
    out: Edits = []
    for insert in _INSERT.finditer(data):
        names = [name.strip(b' "`[]\r\n\t') for name in insert.group(1).split(b",")]
        rules = [engine.names.rule(name) for name in names]
        person = persons.about(engine.names, names)
        part = persons.part(engine.names, names)
        if not any(rules):
            continue
        at = insert.end()
        while (row := _ROW.match(data, at)) is not None:
            at = row.end()
            for rule, cell in zip(rules, _CELL.finditer(row.group(1)), strict=False):
                if rule is None or (rule.person and not person) or cell.group(1) is None:
                    continue
                found = engine.by_key(cell.group(1).replace(b"''", b"'"), (part or rule) if rule.person else rule)
                if found and b"''" not in cell.group(1):
                    out += shift(found, row.start(1) + cell.start(1))
                elif found:
                    whole = engine.edit(
                        0, len(cell.group(1)), rule.kind, cell.group(1), rule.name, found[0].notes[0].why
                    )
                    out += shift([whole], row.start(1) + cell.start(1))
    return out
