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

KIND = "values"
# Objects of fixed keys that Kubernetes takes as they are: a key may be missing there, and null takes it away.
PLAIN = frozenset({"#/$defs/resources"})


def root() -> Schema:
    """Return the schema of a values file."""
    return validation.schema(KIND)


def resolve(node: Schema) -> Schema:
    """Follow a reference within the schema; keys beside it win."""
    if "$ref" not in node:
        return node
    target: Schema = root()["$defs"][str(node["$ref"]).removeprefix("#/$defs/")]
    return {**resolve(target), **{key: value for key, value in node.items() if key != "$ref"}}


def step(node: Schema, part: str | int) -> Schema | None:
    """Return what stands below a node under a key or index; None where the schema knows no such place.

    Below a map in the form of Kubernetes anything may stand: that is `{}`.
    """
    whole = resolve(node)
    if isinstance(part, int):
        items = whole.get("items", {} if not _closed(whole) else None)
        return items if isinstance(items, dict) else None
    found = whole.get("properties", {}).get(part)
    if isinstance(found, dict):
        return found
    rest = whole.get("additionalProperties", True)
    if isinstance(rest, dict):
        return rest
    return {} if rest and not _closed(whole) else None


def _closed(node: Schema) -> bool:
    """Tell whether nothing of one's own may stand below: a scalar, or a list where a key is asked for."""
    kind = node.get("type", "object")
    return "object" not in kind if isinstance(kind, list) else kind not in ("object",)


def at(path: Path) -> Schema | None:
    """Return the schema, references followed, of a path; None where there is no such setting."""
    node: Schema | None = root()
    for part in path:
        node = step(node, part) if node is not None else None
    return resolve(node) if node is not None else None


def is_fixed(node: Schema) -> bool:
    """Tell whether a property (reference not followed) is an object of settings: each of them always has a value."""
    return "properties" in resolve(node) and node.get("$ref") not in PLAIN


def settings(node: Schema | None = None, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Schema]]:
    """Yield path and schema of every setting that has a value of its own, in schema order."""
    for key, prop in resolve(root() if node is None else node)["properties"].items():
        if is_fixed(prop):
            yield from settings(prop, (*path, key))
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
