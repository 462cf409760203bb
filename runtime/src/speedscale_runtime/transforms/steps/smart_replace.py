"""smart_replace (train): what the rest of the chain makes of a value replaces it everywhere, from now on."""

from __future__ import annotations

from speedscale_runtime.transforms.config import Config
from speedscale_runtime.transforms.model import Scope, Step
from speedscale_runtime.transforms.smart import unwrap


class SmartReplace(Step):
    """Forward it sees the original, backward the new value; the first one stays unless `overwrite`."""

    def __init__(self, config: Config) -> None:
        self._overwrite = config.boolean("overwrite")
        config.close()

    def backward(self, before: str, value: str, scope: Scope) -> str:
        if not before or before == value:
            return value
        kept = scope.table.learn(unwrap(before), unwrap(value), overwrite=self._overwrite)
        return value if unwrap(value) == kept else kept
