"""replace: every (or the first `count`) `old` in the value becomes `new`."""

from __future__ import annotations

from speedscale_runtime.transforms.config import Config
from speedscale_runtime.transforms.model import Scope, Step
from speedscale_runtime.transforms.placeholders import resolve


class Replace(Step):
    """Plain text, no pattern; `count` -1 means all."""

    def __init__(self, config: Config) -> None:
        self._old = config.required("old")
        self._new = config.text("new")
        self._count = config.integer("count", default=-1)
        config.close()
        if not self._old:
            raise config.error("old: an empty text occurs everywhere")

    def forward(self, value: str, scope: Scope) -> str:
        return value.replace(resolve(self._old, scope), resolve(self._new, scope), self._count)
