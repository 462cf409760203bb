"""tag_session: the value becomes the pair's session id."""

from __future__ import annotations

from speedscale_runtime.transforms.config import Config
from speedscale_runtime.transforms.model import Scope, Step


class TagSession(Step):
    """An empty value tags nothing."""

    def __init__(self, config: Config) -> None:
        config.close()

    def forward(self, value: str, scope: Scope) -> str:
        if value:
            scope.pair.doc["session"] = value
        return value
