"""Where a value stands in an object, in words that survive a reordering: list items are named by their keys.

Called by `fields`, `ownership` and `judge`. Pure. Kubernetes matches items of many lists by key ("Merge strategy" and
`x-kubernetes-list-map-keys`); `KEYS` is what identifies them to people where the server compares whole lists.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


class Item(NamedTuple):
    """A list item named by its key fields, as pairs."""

    key: tuple[tuple[str, Any], ...]


class Member(NamedTuple):
    """A member of a list of scalars that is a set."""

    value: Any


Step = str | int | Item | Member
Path = tuple[Step, ...]

ORDER = "(order)"  # last step of a difference that is only about the order of a list
ABSENT: Any = type("Absent", (), {"__repr__": lambda _: "absent", "__bool__": lambda _: False})()

KEYS: tuple[tuple[str, ...], ...] = (
    ("name",),
    ("containerPort", "protocol"),
    ("port", "protocol"),
    ("mountPath",),
    ("devicePath",),
    ("uid",),
    ("type",),
    ("ip",),
    ("topologyKey", "whenUnsatisfiable"),
    ("key",),
)
# key fields that may be left out, and what the server then takes; "Container v1 core", "ServicePort v1 core"
_DEFAULTS = {"protocol": "TCP"}


def text(path: Path) -> str:
    """Return a path as people write it: `spec.template.spec.containers[operator].env[POD_NAME].value`."""
    found = ""
    for step in path:
        if isinstance(step, Item):
            found += "[" + "/".join(str(value) for _, value in step.key) + "]"
        elif isinstance(step, Member):
            found += f"[{step.value}]"
        elif isinstance(step, int):
            found += f"[{step}]"
        elif step == ORDER:
            found += " (order)"
        elif "." in step or "/" in step:
            found += f"[{json.dumps(step)}]"
        else:
            found += f".{step}" if found else step
    return found


def value_at(node: Any, path: Path) -> Any:
    """Return the value at a path, ABSENT when there is none."""
    for step in path:
        node = child(node, step)
        if node is ABSENT:
            return ABSENT
    return node


def child(node: Any, step: Step) -> Any:
    """Return the value one step down, ABSENT when there is none."""
    if isinstance(step, str):
        return node.get(step, ABSENT) if isinstance(node, Mapping) else ABSENT
    if not isinstance(node, list):
        return ABSENT
    if isinstance(step, int):
        return node[step] if step < len(node) else ABSENT
    if isinstance(step, Member):
        return step.value if step.value in node else ABSENT
    return next((item for item in node if isinstance(item, Mapping) and has_key(item, step)), ABSENT)


def has_key(item: Mapping[str, Any], step: Item) -> bool:
    """Say whether a list item is the one that is meant."""
    return all(_field(item, name) == value for name, value in step.key)


def keys_of(*lists: Sequence[Any]) -> tuple[str, ...] | None:
    """Return the fields that identify the items in all these lists, None when no fields do."""
    if not any(lists) or not all(isinstance(item, Mapping) for items in lists for item in items):
        return None
    for names in KEYS:
        if all(_identifies(items, names) for items in lists):
            return names
    return None


def item(value: Mapping[str, Any], names: tuple[str, ...]) -> Item:
    """Return the step that leads to a list item."""
    return Item(tuple((name, _field(value, name)) for name in names if _field(value, name) is not None))


def _identifies(items: Sequence[Mapping[str, Any]], names: tuple[str, ...]) -> bool:
    seen = [item(value, names) for value in items]
    whole = all(isinstance(_field(value, name), str | int) for value in items for name in names)
    return whole and len(set(seen)) == len(seen)


def _field(value: Mapping[str, Any], name: str) -> Any:
    return value.get(name, _DEFAULTS.get(name))
