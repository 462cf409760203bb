"""rand_string: the value becomes a random text that a pattern matches, from the run's seed."""

from __future__ import annotations

from speedscale_runtime.transforms import pattern
from speedscale_runtime.transforms.config import Config
from speedscale_runtime.transforms.model import Scope, Step
from speedscale_runtime.transforms.placeholders import resolve


class RandString(Step):
    """A new text each time."""

    def __init__(self, config: Config) -> None:
        self._pattern = config.required("pattern")
        config.close()
        if "${{" not in self._pattern:
            try:
                pattern.check(self._pattern)
            except ValueError as error:
                raise config.error(f"pattern: {error}") from None

    def forward(self, value: str, scope: Scope) -> str:
        return pattern.generate(resolve(self._pattern, scope), scope.rng)
