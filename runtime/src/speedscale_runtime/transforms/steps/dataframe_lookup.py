"""dataframe_lookup: the value becomes a cell of a data frame, found by key."""

from __future__ import annotations

from speedscale_runtime.transforms.config import Config
from speedscale_runtime.transforms.errors import TransformError
from speedscale_runtime.transforms.model import Scope, Step
from speedscale_runtime.transforms.placeholders import lookup_cell, resolve


class DataframeLookup(Step):
    """Column `field` of the row whose first cell is `key` (default: the value itself)."""

    def __init__(self, config: Config) -> None:
        self._name = config.required("dataframe_name", "name")
        self._key = config.text("key")
        self._field = config.required("field")
        config.close()

    def forward(self, value: str, scope: Scope) -> str:
        rows = scope.sources.frame(resolve(self._name, scope))
        key = resolve(self._key, scope) if self._key else value
        found = lookup_cell(rows, key, resolve(self._field, scope))
        if found is None:
            raise TransformError("the data frame has no such row or column")
        return found
