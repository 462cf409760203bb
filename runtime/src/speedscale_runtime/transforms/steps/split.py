"""split: isolate one part of a value that a separator divides."""

from __future__ import annotations

from speedscale_runtime.transforms.config import Config
from speedscale_runtime.transforms.errors import TransformError
from speedscale_runtime.transforms.model import Scope, Step


class Split(Step):
    """Part `index` (from 0; negative from the end)."""

    isolates = True
    steady = True

    def __init__(self, config: Config) -> None:
        self._index = config.integer("index")
        self._separator = config.text("separator", "delimiter", default=",")
        config.close()
        if not self._separator:
            raise config.error("separator: must not be empty")

    def forward(self, value: str, scope: Scope) -> str:
        parts = value.split(self._separator)
        if not -len(parts) <= self._index < len(parts):
            raise TransformError(f"there is no part {self._index}; the value has {len(parts)}")
        return parts[self._index]

    def backward(self, before: str, value: str, scope: Scope) -> str:
        parts = before.split(self._separator)
        parts[self._index] = value
        return self._separator.join(parts)
