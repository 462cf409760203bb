"""Merged values as YAML for people, each with who set it. Called by `speedctl values show`. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .places import Path, text
from .writing import scalar

Origin = Callable[[Path], str]


def shown(tree: dict[str, Any], origin: Origin | None = None) -> str:
    """Return a tree as YAML; with `origin`, each value bears who set it as a comment."""
    rows = list(_rows(tree, (), 0))
    if origin is None:
        return "".join(f"{line}\n" for line, _ in rows)
    width = min(60, max((len(line) for line, path in rows if path is not None), default=0))
    return "".join(f"{line:<{width}}  # {origin(path)}\n" if path is not None else f"{line}\n" for line, path in rows)


def changed(tree: dict[str, Any], origin: Origin) -> dict[str, Any]:
    """Return the part of a tree that somebody set; a list counts as a whole."""
    found: dict[str, Any] = {}
    for key, value in tree.items():
        inner = _changed(value, (key,), origin)
        if inner is not None:
            found[key] = inner
    return found


def _changed(value: Any, path: Path, origin: Origin) -> Any:
    if isinstance(value, dict) and value:
        inner = {key: _changed(item, (*path, key), origin) for key, item in value.items()}
        return {key: item for key, item in inner.items() if item is not None} or None
    return None if origin(path) == "default" else value


def at(tree: dict[str, Any], path: Path) -> dict[str, Any]:
    """Return the tree with only what stands at a path; KeyError with the part that is not there."""
    here: Any = tree
    for number, part in enumerate(path):
        inside = here.get(part) if isinstance(here, dict) and isinstance(part, str) else None
        if isinstance(here, list) and isinstance(part, int) and part < len(here):
            inside = here[part]
        if inside is None:
            raise KeyError(text(path[: number + 1]))
        here = inside
    for part in reversed(path):
        here = {part: here} if isinstance(part, str) else [here]
    result: dict[str, Any] = here
    return result


def _rows(value: Any, path: Path, depth: int) -> list[tuple[str, Path | None]]:
    """Return lines with the path of the value in them; None for a line that only opens a map or list."""
    pad = "  " * depth
    rows: list[tuple[str, Path | None]] = []
    if isinstance(value, dict):
        for key, item in value.items():
            here = (*path, key)
            if isinstance(item, dict | list) and item:
                rows += [(f"{pad}{scalar(key)}:", None), *_rows(item, here, depth + 1)]
            else:
                rows.append((f"{pad}{scalar(key)}: {scalar(item)}", here))
        return rows
    for index, item in enumerate(value):
        here = (*path, index)
        if isinstance(item, dict | list) and item:
            (first, owner), *rest = _rows(item, here, depth + 1)
            rows += [(f"{pad}- {first.lstrip()}", owner), *rest]
        else:
            rows.append((f"{pad}- {scalar(item)}", here))
    return rows
