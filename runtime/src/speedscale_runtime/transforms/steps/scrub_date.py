"""scrub_date: every date among the strings of a JSON document becomes `*`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from speedscale_runtime.transforms import golang, jsonspan
from speedscale_runtime.transforms.config import Config
from speedscale_runtime.transforms.errors import TransformError
from speedscale_runtime.transforms.model import Scope, Step


class ScrubDate(Step):
    """Keys in `ignorePaths` (leaf names) stay; numbers are never dates here; what is no JSON stays."""

    def __init__(self, config: Config) -> None:
        self._ignore = set(config.items("ignorePaths", "ignore"))
        config.close()

    def forward(self, value: str, scope: Scope) -> str:
        return walk(value, self._ignore, _scrub)


def walk(document: str, ignore: set[str], change: Callable[[str], str]) -> str:
    """Return the JSON document with every string changed, except below the keys in `ignore`; no JSON: unchanged."""
    try:
        loaded = jsonspan.load(document)
    except TransformError:
        return document
    changed = _walk(loaded, ignore, change)
    return document if changed == loaded else jsonspan.dump(changed)


def _walk(node: Any, ignore: set[str], change: Callable[[str], str]) -> Any:
    if isinstance(node, dict):
        return {
            k: v if k in ignore and not isinstance(v, (dict, list)) else _walk(v, ignore, change)
            for k, v in node.items()
        }
    if isinstance(node, list):
        return [_walk(v, ignore, change) for v in node]
    return change(node) if isinstance(node, str) else node


def _scrub(value: str) -> str:
    return "*" if 8 <= len(value) <= 64 and not value.isdecimal() and golang.detect(value) else value
