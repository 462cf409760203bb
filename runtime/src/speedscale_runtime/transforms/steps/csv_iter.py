"""csv_iter: the value becomes the next row of a CSV file, over and over, per vUser."""

from __future__ import annotations

import csv
import io

from speedscale_runtime.transforms.config import Config
from speedscale_runtime.transforms.errors import TransformError
from speedscale_runtime.transforms.model import Scope, Step
from speedscale_runtime.transforms.placeholders import resolve


class CsvIter(Step):
    """The next data row of `csv_name` as CSV text; follow it with `csv` to pick a column."""

    def __init__(self, config: Config) -> None:
        self._name = config.required("csv_name", "name", "filename")
        config.close()

    def forward(self, value: str, scope: Scope) -> str:
        rows = scope.sources.frame(resolve(self._name, scope))
        if len(rows) < 2:
            raise TransformError("the CSV file has no data row")
        key = f"csv_iter:{self._name}"
        index = scope.counters.get(key, 0)
        scope.counters[key] = index + 1
        out = io.StringIO()
        csv.writer(out, lineterminator="").writerow(rows[1 + index % (len(rows) - 1)])
        return out.getvalue()
