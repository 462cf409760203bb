"""json_selector: isolate a JSON value by key, or by key and value, wherever it stands."""

from __future__ import annotations

import json
from typing import Any

from speedscale_runtime.transforms import jsonspan
from speedscale_runtime.transforms.config import Config
from speedscale_runtime.transforms.errors import TransformError
from speedscale_runtime.transforms.model import Scope, Step
from speedscale_runtime.transforms.placeholders import resolve


class JsonSelector(Step):
    """`match` is key or key=value (key may be dotted); the first match, depth first, and `levelsUp` from there."""

    isolates = True

    def __init__(self, config: Config) -> None:
        self._match = config.required("match").replace("==", "=", 1)
        self._recursive = config.boolean("recursive")
        self._up = config.integer("levelsUp")
        config.close()
        if self._up < 0:
            raise config.error("levelsUp: must not be negative")

    def forward(self, value: str, scope: Scope) -> str:
        start, end = self._span(value, scope)
        return jsonspan.show(value[start:end])

    def backward(self, before: str, value: str, scope: Scope) -> str:
        start, end = self._span(before, scope)
        whole = value[:1] + value[-1:] in ("{}", "[]")
        return before[:start] + (value if whole else json.dumps(value, ensure_ascii=False)) + before[end:]

    def _span(self, document: str, scope: Scope) -> tuple[int, int]:
        key, equals, wanted = resolve(self._match, scope).partition("=")
        path = self._search(jsonspan.load(document), jsonspan.split(key), wanted if equals else None, ())
        if path is None:
            raise TransformError("nothing in the document matches")
        kept = path[: max(0, len(path) - self._up)]
        found = jsonspan.span(document, kept)
        if found is None:
            raise TransformError("nothing in the document matches")
        return found

    def _search(self, node: Any, key: jsonspan.Path, wanted: str | None, at: jsonspan.Path) -> jsonspan.Path | None:
        here = _follow(node, key)
        if here is not None and (wanted is None or _shown(here[0]) == wanted):
            return at + key
        if not self._recursive:
            return None
        children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        for name, child in children:
            found = self._search(child, key, wanted, (*at, name))
            if found is not None:
                return found
        return None


def _follow(node: Any, key: jsonspan.Path) -> tuple[Any] | None:
    for segment in key:
        if isinstance(node, dict) and str(segment) in node:
            node = node[str(segment)]
        elif isinstance(node, list) and str(segment).isdecimal() and int(segment) < len(node):
            node = node[int(segment)]
        else:
            return None
    return (node,)


def _shown(value: object) -> str:
    return value if isinstance(value, str) else jsonspan.dump(value)
