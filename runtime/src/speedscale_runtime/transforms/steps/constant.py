"""constant: the value becomes `new`, whatever it was."""

from __future__ import annotations

from speedscale_runtime.transforms.config import Config
from speedscale_runtime.transforms.model import Scope, Step
from speedscale_runtime.transforms.placeholders import resolve


class Constant(Step):
    """`new` (or `value`), with placeholders filled in."""

    def __init__(self, config: Config) -> None:
        self._new = config.required("new", "value")
        config.close()
        self.steady = "${{" not in self._new

    def forward(self, value: str, scope: Scope) -> str:
        return resolve(self._new, scope)
