"""sleep: the request (or mocked answer) waits; the service does the waiting, never this package."""

from __future__ import annotations

from speedscale_runtime.transforms.config import Config
from speedscale_runtime.transforms.model import Scope, Step


class Sleep(Step):
    """`duration` as Go writes it; waits of several chains add up."""

    def __init__(self, config: Config) -> None:
        seconds = config.duration("duration", default="1000ms") or 0.0
        config.close()
        if not 0 <= seconds <= 3600:
            raise config.error("duration: 0s to 1h are allowed")
        self._ms = seconds * 1000

    def forward(self, value: str, scope: Scope) -> str:
        scope.delay_ms += self._ms
        return value
