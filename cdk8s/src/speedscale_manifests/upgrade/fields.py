"""Two plain values → the fields that differ, each with a path that a person recognises.

Lists of objects are matched by what Kubernetes identifies their items with (name, port, mount path), so that a
container added at the front is one change and not a change of every container behind it. Called by `compare`. Pure.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .model import Change

# Fields that identify an item, the best first: each item of both lists must have them, no two items the same.
_IDENTITIES: tuple[tuple[str, ...], ...] = (
    ("name",),
    ("mountPath",),
    ("containerPort", "protocol"),
    ("containerPort",),
    ("port", "protocol"),
    ("port",),
    ("kind", "namespace", "name"),
    ("topologyKey",),
    ("key", "operator", "effect", "value"),
    ("key",),
    ("path",),
    ("ip",),
)
_MISSING: Any = object()
_CONTEXT = 1
_LINES = 400
"""Longest diff of one text, in lines; the rest is counted."""


def differences(old: Any, new: Any, path: str = "") -> Iterator[Change]:
    """Yield each field that was added, removed or changed between two plain JSON values, in order of their paths."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            inner = f"{path}.{key}" if path and _plain(key) else f"{path}[{key}]" if path else key
            yield from _pair(old.get(key, _MISSING), new.get(key, _MISSING), inner)
    elif isinstance(old, list | tuple) and isinstance(new, list | tuple):
        yield from _sequences(old, new, path)
    elif isinstance(old, str) and isinstance(new, str) and old != new:
        yield from _texts(old, new, path)
    elif type(old) is not type(new) or old != new:
        yield Change(path, old, new)


def text_diff(old: str, new: str) -> tuple[str, ...]:
    """Return a unified diff without its file header, at most 400 lines and one that says how many more there are."""
    lines = list(difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=_CONTEXT))[2:]
    if not lines:  # only the end of the last line differs
        lines = ["\\ the newline at the end differs"]
    cut = len(lines) - _LINES
    return tuple(lines if cut <= 0 else [*lines[:_LINES], f"… {cut} more lines"])


def _texts(old: str, new: str, path: str) -> Iterator[Change]:
    """Yield the change of a text: by field where both are JSON, by line where there are several."""
    inner = [_json(text) for text in (old, new)]
    if None not in inner and inner[0] != inner[1]:
        yield from differences(inner[0], inner[1], f"{path} (JSON)")
    elif "\n" in old or "\n" in new:
        yield Change(path, old, new, lines=text_diff(old, new))
    else:
        yield Change(path, old, new)


def _json(text: str) -> Any:
    """Return the object or list that a text is, None when it is neither."""
    if text[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _plain(key: str) -> bool:
    return "." not in key and "/" not in key


def _pair(old: Any, new: Any, path: str) -> Iterator[Change]:
    if old is _MISSING:
        yield Change(path, None, new)
    elif new is _MISSING:
        yield Change(path, old, None)
    else:
        yield from differences(old, new, path)


def _sequences(old: Sequence[Any], new: Sequence[Any], path: str) -> Iterator[Change]:
    if old == new:
        return
    identity = _identity(old, new)
    if identity is not None:
        before, after = ({_name(item, identity): item for item in items} for items in (old, new))
        for name in dict.fromkeys([*before, *after]):
            yield from _pair(before.get(name, _MISSING), after.get(name, _MISSING), f"{path}[{name}]")
        if list(before) != list(after) and set(before) == set(after):
            yield Change(f"{path} (order)", list(before), list(after))
        return
    yield from _unnamed(old, new, path)


def _unnamed(old: Sequence[Any], new: Sequence[Any], path: str) -> Iterator[Change]:
    """Yield the changes of lists without names: item by item where one was replaced, else what went and what came."""
    matcher = difflib.SequenceMatcher(None, [repr(item) for item in old], [repr(item) for item in new], autojunk=False)
    for tag, low, high, first, last in matcher.get_opcodes():
        if tag == "equal":
            continue
        shared = min(high - low, last - first)
        for offset in range(shared):
            yield from differences(old[low + offset], new[first + offset], f"{path}[{first + offset}]")
        for index in range(low + shared, high):
            yield Change(f"{path}[{index}]", old[index], None)
        for index in range(first + shared, last):
            yield Change(f"{path}[{index}]", None, new[index])


def _identity(old: Sequence[Any], new: Sequence[Any]) -> tuple[str, ...] | None:
    items = [*old, *new]
    if not items or not all(isinstance(item, Mapping) for item in items):
        return None
    for identity in _IDENTITIES:
        if not all(identity[0] in item for item in items):
            continue
        names = [[_name(item, identity) for item in side] for side in (old, new)]
        if all(len(set(side)) == len(side) for side in names):
            return identity
    return None


def _name(item: Mapping[str, Any], identity: tuple[str, ...]) -> str:
    return "/".join(str(item[part]) for part in identity if part in item)
