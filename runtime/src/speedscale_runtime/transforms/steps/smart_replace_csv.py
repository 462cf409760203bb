"""smart_replace_csv (train_csv): every row of a CSV text is a value and its replacement."""

from __future__ import annotations

import csv
import io

from speedscale_runtime.transforms.config import Config
from speedscale_runtime.transforms.errors import TransformError
from speedscale_runtime.transforms.model import Scope, Step


class SmartReplaceCsv(Step):
    """Columns by name (`existing`, `new`, then the first row is a header) or by position."""

    def __init__(self, config: Config) -> None:
        self._headers = config.boolean("headers", default=True)
        self._names = (config.text("existing"), config.text("new"))
        self._numbers = (config.integer("existingNum", default=0), config.integer("newNum", default=1))
        config.close()

    def forward(self, value: str, scope: Scope) -> str:
        key = ("smart_replace_csv", id(self), value)
        if value and key not in scope.cache:
            scope.cache[key] = True
            for old, new in self._rows(value):
                scope.table.learn(old, new, overwrite=True)
        return value

    def _rows(self, value: str) -> list[tuple[str, str]]:
        rows = list(csv.reader(io.StringIO(value, newline="")))
        old, new = self._numbers
        if self._headers and any(self._names):
            header = rows.pop(0) if rows else []
            old, new = (
                _column(header, name) if name else number
                for name, number in zip(self._names, self._numbers, strict=True)
            )
        try:
            return [(row[old], row[new]) for row in rows if row]
        except IndexError:
            raise TransformError("a row of the CSV has too few columns") from None


def _column(header: list[str], name: str) -> int:
    if name not in header:
        raise TransformError("the CSV has no such column")
    return header.index(name)
