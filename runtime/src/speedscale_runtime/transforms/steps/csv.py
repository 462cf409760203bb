"""csv: isolate one column of the first data row of a CSV text."""

from __future__ import annotations

import csv
import io

from speedscale_runtime.transforms.config import Config
from speedscale_runtime.transforms.errors import TransformError
from speedscale_runtime.transforms.model import Scope, Step


class Csv(Step):
    """The column by `index` or by `header`; `hasHeader` says that the first row names the columns."""

    isolates = True

    def __init__(self, config: Config) -> None:
        self._header = config.text("header")
        self._index = config.integer("index")
        self._has_header = config.boolean("hasHeader") or bool(self._header)
        config.close()

    def forward(self, value: str, scope: Scope) -> str:
        rows, row, column = self._place(value)
        return rows[row][column]

    def backward(self, before: str, value: str, scope: Scope) -> str:
        rows, row, column = self._place(before)
        rows[row][column] = value
        out = io.StringIO()
        ending = "\r\n" if "\r\n" in before else "\n"
        csv.writer(out, lineterminator=ending).writerows(rows)
        written = out.getvalue()
        return written if before.endswith("\n") else written.removesuffix(ending)

    def _place(self, value: str) -> tuple[list[list[str]], int, int]:
        rows = list(csv.reader(io.StringIO(value, newline="")))
        row = 1 if self._has_header else 0
        if len(rows) <= row:
            raise TransformError("the CSV has no data row")
        column = self._index
        if self._header:
            if self._header not in rows[0]:
                raise TransformError("the CSV has no such column")
            column = rows[0].index(self._header)
        if not 0 <= column < len(rows[row]):
            raise TransformError(f"the row has no column {column}")
        return rows, row, column
