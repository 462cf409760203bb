"""Who set which field: `metadata.managedFields`, read.

The API server keeps, per field manager, a tree of the fields that it set (API concepts, "Field management"; format
FieldsV1): `f:<name>` is a field, `k:{…}` a list item by its key, `v:…` a member of a set, `i:<n>` an item by number,
`.` the thing itself. A tree that ends at a list or an object means that this is owned as a whole.

Called by `judge`. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .paths import ABSENT, Item, Member, Path, Step, child

Tree = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """One manager's fields. `operation` is Apply or Update; an Update records defaults as if they had been said."""

    manager: str
    operation: str
    time: str
    tree: Tree


def entries(live: Mapping[str, Any]) -> tuple[Entry, ...]:
    """Return an object's entries, without those of its status."""
    found = []
    for raw in (live.get("metadata") or {}).get("managedFields") or ():
        if isinstance(raw, Mapping) and raw.get("subresource") != "status":
            manager, operation, time = (str(raw.get(key) or "") for key in ("manager", "operation", "time"))
            found.append(Entry(manager, operation, time, raw.get("fieldsV1") or {}))
    return tuple(found)


def owners(found: tuple[Entry, ...], live: Any, path: Path) -> tuple[Entry, ...]:
    """Return who owns the value at a path, a part of it, or the whole that it is in."""
    return tuple(entry for entry in found if _owned(entry.tree, live, path))


def leaves(tree: Tree, live: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the paths that a manager owns and that are there, the deepest; a list item or set member also by itself."""
    inner = {name: below for name, below in tree.items() if name != "."}
    if not inner:
        yield path
        return
    if "." in tree and path and isinstance(path[-1], Item):
        yield path
    for name, below in inner.items():
        step = _step(name)
        value = ABSENT if step is None else child(live, step)
        if step is not None and value is not ABSENT:
            yield from leaves(below if isinstance(below, Mapping) else {}, value, (*path, step))


def _owned(tree: Tree, live: Any, path: Path) -> bool:
    if not path or not [name for name in tree if name != "."]:
        return True
    step, rest = path[0], path[1:]
    if isinstance(step, str):
        below = tree.get(f"f:{step}")
        return isinstance(below, Mapping) and _owned(below, child(live, step), rest)
    value = child(live, step)
    for name, below in tree.items():
        other = _step(name)
        if other is None or not isinstance(below, Mapping) or child(live, other) is ABSENT:
            continue
        if child(live, other) is value or (isinstance(step, Member) and other == step):
            return _owned(below, value, rest)
    return False


def _step(name: str) -> Step | None:
    kind, _, rest = name.partition(":")
    if kind == "f":
        return rest
    try:
        if kind == "i":
            return int(rest)
        value = json.loads(rest)
    except ValueError:
        return None
    if kind == "v" and not isinstance(value, dict | list):
        return Member(value)
    if kind == "k" and isinstance(value, dict) and not any(isinstance(part, dict | list) for part in value.values()):
        return Item(tuple(sorted(value.items())))
    return None
