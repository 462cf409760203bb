"""JSON Patch (RFC 6902) from one object to another, as small as adding and taking out needs it.

Lists are compared from both ends, and inside by the elements' keys: an element that was put in the middle is one
`add`, an element that changed is patched inside. No `move`, no `copy`, no `test`: the API server applies the patch to
the very object that was reviewed.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import SequenceMatcher
from typing import Any

from .record import KEYS

Operation = dict[str, Any]


def patch(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Operation]:
    """Return the operations that turn `before` into `after`; empty when they are equal."""
    operations: list[Operation] = []
    _values(before, after, "", "", operations)
    return operations


def _values(before: Any, after: Any, path: str, key: str, out: list[Operation]) -> None:
    if before == after and _same_types(before, after):
        return
    if isinstance(before, dict | Mapping) and isinstance(after, dict | Mapping):
        _maps(before, after, path, out)
    elif isinstance(before, list) and isinstance(after, list):
        _lists(before, after, path, key, out)
    else:
        out.append({"op": "replace", "path": path, "value": after})


def _same_types(before: Any, after: Any) -> bool:
    """Tell 1, 1.0 and true apart, which are equal in Python; equal texts settle nearly all of it quickly."""
    if repr(before) == repr(after):
        return True
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return all(_same_types(value, after[name]) for name, value in before.items())
    if isinstance(before, list) and isinstance(after, list):
        return all(map(_same_types, before, after))
    return type(before) is type(after)


def _maps(before: Mapping[str, Any], after: Mapping[str, Any], path: str, out: list[Operation]) -> None:
    out += ({"op": "remove", "path": f"{path}/{_escape(name)}"} for name in before if name not in after)
    for name, value in after.items():
        here = f"{path}/{_escape(name)}"
        if name in before:
            _values(before[name], value, here, name, out)
        else:
            out.append({"op": "add", "path": here, "value": value})


def _lists(before: list[Any], after: list[Any], path: str, key: str, out: list[Operation]) -> None:
    """Align the elements by their marks; what is only before goes (from behind), what is only after comes in."""
    old, new = _marks(before, key), _marks(after, key)
    blocks = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    for tag, start, end, first, last in reversed(blocks):
        kept = start if tag == "delete" else min(end, start + last - first)
        out += ({"op": "remove", "path": f"{path}/{index}"} for index in range(end - 1, kept - 1, -1))
    for tag, start, end, first, last in blocks:
        for index in range(first, last):
            here, source = f"{path}/{index}", start + index - first
            if tag == "equal":
                _values(before[source], after[index], here, "", out)
            else:
                # in the place of another element, or new
                out.append({"op": "replace" if source < end else "add", "path": here, "value": after[index]})


def _marks(items: list[Any], key: str) -> list[str]:
    """Return what tells elements apart: the merge key where the list has one, else the whole value."""
    merge_key = KEYS.get(key, "")
    return [
        f"{merge_key}={item[merge_key]}"
        if merge_key and isinstance(item, dict | Mapping) and merge_key in item
        else repr(item)
        for item in items
    ]


def _escape(token: str) -> str:
    return token.replace("~", "~0").replace("/", "~1")
