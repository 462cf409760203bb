"""regex: isolate what a pattern (or one of its groups) matches; a replacement goes back in the same place."""

from __future__ import annotations

import re

from speedscale_runtime.transforms.config import Config
from speedscale_runtime.transforms.errors import TransformError
from speedscale_runtime.transforms.model import Scope, Step


class Regex(Step):
    """The first match of `pattern`; group `captureGroup` of it (0 is the whole match)."""

    isolates = True
    steady = True

    def __init__(self, config: Config) -> None:
        try:
            self._pattern = re.compile(config.required("pattern"))
        except re.error as error:
            raise config.error(f"pattern: {error}") from None
        self._group = config.integer("captureGroup")
        config.close()
        if not 0 <= self._group <= self._pattern.groups:
            raise config.error(f"captureGroup: the pattern has {self._pattern.groups} groups")

    def forward(self, value: str, scope: Scope) -> str:
        return self._match(value)[self._group] or ""

    def backward(self, before: str, value: str, scope: Scope) -> str:
        start, end = self._match(before).span(self._group)
        return before if start < 0 else before[:start] + value + before[end:]

    def _match(self, value: str) -> re.Match[str]:
        found = self._pattern.search(value)
        if found is None:
            raise TransformError("the pattern does not match")
        return found
