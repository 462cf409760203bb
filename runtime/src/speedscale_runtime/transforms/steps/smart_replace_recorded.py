"""smart_replace_recorded: the live value of this place replaces the recorded one everywhere, from now on."""

from __future__ import annotations

from speedscale_runtime.transforms.config import Config
from speedscale_runtime.transforms.model import Scope, Step
from speedscale_runtime.transforms.smart import unwrap


class SmartReplaceRecorded(Step):
    """Without a recorded value it does nothing. The first live value stays unless `overwrite`."""

    needs_recorded = True

    def __init__(self, config: Config) -> None:
        self._overwrite = config.boolean("overwrite")
        config.close()

    def forward(self, value: str, scope: Scope) -> str:
        if scope.recorded_value and value:
            scope.table.learn(unwrap(scope.recorded_value), unwrap(value), overwrite=self._overwrite)
        return value
