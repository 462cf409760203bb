"""Layers of values, merged: maps key by key, lists and scalars as a whole; null takes away.

A null goes back to the default for a setting that must have a value, empties a map or a list, and takes the key out of
a map in the form of Kubernetes. Called by `load`. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import tree
from .frozen import plain
from .places import Path, Place, text

DEFAULT = Place("default")


@dataclass(frozen=True, slots=True)
class Layer:
    """One source of values: its name for people, its tree, where each path of it stands, and how scalars that are
    no text were written.
    """

    name: str
    tree: Mapping[str, Any]
    places: Mapping[Path, Place] = field(default_factory=dict)
    raw: Mapping[Path, str] = field(default_factory=dict)

    def place(self, path: Path) -> Place:
        """Return where a path was written; of the nearest path above it when nothing else is known."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path) or Place(self.name)


@dataclass(frozen=True, slots=True)
class Merged:
    """The sum of layers, and for each path that is not a default the place that set it."""

    tree: dict[str, Any]
    origins: dict[Path, Place]

    def place(self, path: Path) -> Place:
        """Return who set a path; else the first that set something in it, else who set the nearest one above it."""
        depth = len(path)
        inside = [] if path in self.origins else [at for known, at in self.origins.items() if known[:depth] == path]
        if inside:
            return min(inside)
        while path and path not in self.origins:
            path = path[:-1]
        return self.origins.get(path) or DEFAULT

    def sources(self) -> dict[str, str]:
        """Return the origin of every scalar, empty map and empty list, by path as text."""
        return {text(path): str(self.place(path)) for path in _leaves(self.tree, ())}


def merge(layers: Sequence[Layer]) -> Merged:
    """Return defaults with the layers on top, the last one winning."""
    merged = Merged(tree.defaults(), {})
    for layer in layers:
        _merge(merged, merged.tree, layer, layer.tree, ())
    return merged


def _merge(merged: Merged, target: dict[str, Any], layer: Layer, given: Mapping[str, Any], path: Path) -> None:
    for key, value in given.items():
        here = (*path, key)
        if isinstance(value, Mapping) and isinstance(target.get(key), dict):
            if value:
                _merge(merged, target[key], layer, value, here)
            continue
        _forget(merged.origins, here)
        merged.origins[here] = layer.place(here)
        if value is None:
            _remove(target, key, here)
        else:
            target[key] = _without_nulls(plain(value))
            _remember(merged.origins, layer, target[key], here)


def _remove(target: dict[str, Any], key: str, path: Path) -> None:
    known = (tree.at(path[:-1]) or {}).get("properties", {}).get(key)
    if known is None or not is_setting(path):
        target.pop(key, None)
        return
    empty: dict[str, Any] = {"object": {}, "array": []}
    kind = tree.kind(known)
    target[key] = empty[kind] if kind in empty and not tree.is_fixed(known) else tree.default(path)


def is_setting(path: Path) -> bool:
    """Tell whether every part above the last is an object of settings (not of a map or of Kubernetes)."""
    node: tree.Schema = tree.root()
    for part in path[:-1]:
        node = tree.resolve(node).get("properties", {}).get(part, {})
        if not node or not tree.is_fixed(node):
            return False
    return True


def _forget(origins: dict[Path, Place], path: Path) -> None:
    depth = len(path)
    for known in [p for p in origins if p[:depth] == path]:
        del origins[known]


def _remember(origins: dict[Path, Place], layer: Layer, value: object, path: Path) -> None:
    origins[path] = layer.place(path)
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for part, item in items:
        _remember(origins, layer, item, (*path, part))


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value if item is not None]
    return value


def _leaves(value: object, path: Path) -> list[Path]:
    if isinstance(value, dict) and value:
        return [leaf for key, item in value.items() for leaf in _leaves(item, (*path, key))]
    if isinstance(value, list) and value:
        return [leaf for index, item in enumerate(value) for leaf in _leaves(item, (*path, index))]
    return [path]
