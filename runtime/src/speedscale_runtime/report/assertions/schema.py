"""`httpResponseSchema`: the replayed body has the recorded shape: the same keys, with values of the same types.

Values do not count, and arrays may be longer or shorter: the shape of an array is what all its elements have
between them. Config as for `httpResponseBody`; `matchType` false leaves types out and compares keys alone (default
true). A body that is no JSON is compared as `httpResponseBody` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from speedscale_runtime.report.answer import Answer
from speedscale_runtime.report.structure import Found, join, type_name
from speedscale_runtime.report.volatile import Learnt

from .body import compare_bodies
from .options import Check, comparison, match

KEYS = frozenset({"ignore", "includeOnly", "allowNew", "matchAll", "matchType"})
_DEPTH = 100


@dataclass(slots=True)
class Shape:
    """What values at one path have in common: their types, the keys of objects, the shape of array elements."""

    types: set[str] = field(default_factory=set)
    keys: dict[str, Shape] = field(default_factory=dict)
    required: set[str] | None = None
    element: Shape | None = None


def make(config: Mapping[str, str]) -> Check:
    """Return the check."""
    keys_only = match(config, "types") == "values"
    options = replace(comparison(config), match="exact")

    def check(recorded: Answer, replayed: Answer, learnt: Learnt) -> Found:
        found = Found(options, "schema", learnt)
        a, b = recorded.content, replayed.content
        if a.kind == b.kind == "json":
            _compare(shape_of(a.value), shape_of(b.value), found, "", keys_only)
        elif recorded.plain != replayed.plain:
            compare_bodies(recorded, replayed, found)
        return found

    return check


def shape_of(value: Any, shape: Shape | None = None, depth: int = 0) -> Shape:
    """Return the shape of a value, merged into `shape` where one is given."""
    shape = shape or Shape()
    kind = type_name(value)
    shape.types.add(kind)
    if depth >= _DEPTH:
        return shape
    if kind == "object":
        shape.required = set(value) if shape.required is None else shape.required & set(value)
        for key, inner in value.items():
            shape.keys[key] = shape_of(inner, shape.keys.get(key), depth + 1)
    elif kind == "array":
        for inner in value:
            shape.element = shape_of(inner, shape.element, depth + 1)
    return shape


def _compare(a: Shape, b: Shape, found: Found, path: str, keys_only: bool) -> None:
    if not b.types <= a.types and not keys_only:
        found.add(path, "type", _types(a), _types(b))
    for key, inner in a.keys.items():
        always = key in (a.required or ())
        if key in b.keys:
            _compare(inner, b.keys[key], found, join(path, key), keys_only)
        if always and b.required is not None and key not in b.required:
            found.add(join(path, key), "missing", _types(inner), None)
    if "object" in a.types:
        for key, inner in b.keys.items():
            if key not in a.keys:
                found.add(join(path, key), "added", None, _types(inner))
    if a.element is not None and b.element is not None:
        _compare(a.element, b.element, found, f"{path}[]", keys_only)


def _types(shape: Shape) -> str:
    return " or ".join(sorted(shape.types))
