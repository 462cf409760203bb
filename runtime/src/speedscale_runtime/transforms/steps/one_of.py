"""one_of: the value becomes one of a list, in turn or at random; decided on the way back, so it wins over the chain."""

from __future__ import annotations

from speedscale_runtime.transforms.config import Config
from speedscale_runtime.transforms.model import Scope, Step
from speedscale_runtime.transforms.placeholders import resolve


class OneOf(Step):
    """`options` separated by commas; each vUser and each place in the set has its own turn."""

    def __init__(self, config: Config) -> None:
        self._options = config.required("options").split(",")
        self._strategy = config.choice("strategy", of=("sequential", "random"), default="sequential")
        config.close()
        self._key = f"one_of:{config.where}"

    def backward(self, before: str, value: str, scope: Scope) -> str:
        if self._strategy == "random":
            return resolve(scope.rng.choice(self._options), scope)
        index = scope.counters.get(self._key, 0)
        scope.counters[self._key] = index + 1
        return resolve(self._options[index % len(self._options)], scope)
