"""The schema of values as a tree to walk: which setting stands at a path, and what its default is.

Called by the layers, the readers of `--set` and the import of charts. Pure; the schema is read once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from speedscale_schemas import validation

from .frozen import plain
from .places import Path

Schema = Mapping[str, Any]

# On objects that Kubernetes takes as they are: a key may be missing there, and null takes it away.
PLAIN = "x-plain"


def root() -> Schema:
    """Return the schema of a values file."""
    return validation.schema("values")


def resolve(node: Schema) -> Schema:
    """Follow a reference within the schema; keys beside it win."""
    if "$ref" not in node:
        return node
    target: Schema = root()["$defs"][str(node["$ref"]).removeprefix("#/$defs/")]
    return {**resolve(target), **{key: value for key, value in node.items() if key != "$ref"}}


def kind(node: Schema) -> str:
    """Return a node's type: one of JSON's, `quantity` (text or a number), or `any`. Null beside it is left out."""
    types = resolve(node).get("type", "any")
    if isinstance(types, str):
        return types
    some = [name for name in types if name != "null"]
    return some[0] if len(some) == 1 else "quantity"


def step(node: Schema, part: str | int) -> Schema | None:
    """Return what stands below a node under a key or index; None where the schema knows no such place.

    Below a map in the form of Kubernetes anything may stand: that is `{}`.
    """
    whole = resolve(node)
    if kind(whole) not in ("array" if isinstance(part, int) else "object", "any"):
        return None
    if isinstance(part, int):
        return dict(whole.get("items", {}))
    found = whole.get("properties", {}).get(part)
    rest = whole.get("additionalProperties", True) if found is None else found
    if isinstance(rest, dict):
        return rest
    return {} if rest else None


def at(path: Path) -> Schema | None:
    """Return the schema, references followed, of a path; None where there is no such setting."""
    node: Schema | None = root()
    for part in path:
        node = step(node, part) if node is not None else None
    return resolve(node) if node is not None else None


def is_fixed(node: Schema) -> bool:
    """Tell whether a property (reference not followed) is an object of settings: each of them always has a value."""
    whole = resolve(node)
    return "properties" in whole and not whole.get(PLAIN)


@cache
def settings() -> tuple[tuple[tuple[str, ...], Schema], ...]:
    """Return path and schema of every setting that has a value of its own, in schema order."""
    return tuple(_settings(root(), ()))


def _settings(node: Schema, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Schema]]:
    for key, prop in resolve(node)["properties"].items():
        if is_fixed(prop):
            yield from _settings(prop, (*path, key))
        else:
            yield (*path, key), resolve(prop)


def defaults() -> dict[str, Any]:
    """Return the defaults as a tree of the caller's own."""
    tree: dict[str, Any] = plain(_defaults())
    return tree


@cache
def _defaults() -> dict[str, Any]:
    return _defaults_of(root())


def _defaults_of(node: Schema) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    whole = resolve(node)
    for key, prop in whole["properties"].items():
        tree[key] = _defaults_of(prop) if is_fixed(prop) else plain(resolve(prop)["default"])
    return {**tree, **plain(whole.get("default", {}))}


def default(path: Path) -> Any:
    """Return the default at the path of a setting or of an object of settings."""
    value: Any = _defaults()
    for part in path:
        value = value[part]
    return plain(value)


def parent_keys(path: Path) -> list[str]:
    """Return the keys that the schema knows beside the last part of a path."""
    node = at(path[:-1])
    return list(node.get("properties", {})) if node else []


def suggestion(path: Path) -> str:
    """Return what to do about an unknown key: the nearest beside it, where else it stands, or what there is."""
    wrong = str(path[-1])
    keys = parent_keys(path)
    near = validation.nearest(wrong, keys)
    if near:
        return f"did you mean {near[0]!r}?"
    elsewhere = [".".join(known) for known in _every() if known[-1].casefold() == wrong.casefold()]
    if elsewhere:
        return f"did you mean {' or '.join(repr(name) for name in elsewhere[:3])}?"
    if 0 < len(keys) <= 12:
        return f"there are {', '.join(keys)}"
    far = validation.nearest(wrong, {known[-1] for known in _every()})
    places = [".".join(known) for known in _every() if far and known[-1] == far[0]]
    if places:
        return f"did you mean {' or '.join(repr(name) for name in places[:3])}?"
    return "docs/reference/values.md lists every setting" if keys else "no key is allowed here"


@cache
def _every() -> tuple[tuple[str, ...], ...]:
    """Return the paths of all settings and of all objects of settings."""
    found: dict[tuple[str, ...], None] = {}
    for path, _ in settings():
        for depth in range(1, len(path) + 1):
            found[path[:depth]] = None
    return tuple(found)
