"""The record of what we did to a workload: per path the inverse, and a hash of ours.

`difference` compares the workload before and after; `revert` undoes what still holds our value and leaves what
anybody changed since. Both know nothing of sidecars. The record stands on the pod template as annotation
`operator.speedscale.com/revert`, JSON of two maps: `w` for paths from the workload, `t` for paths from its template.
What a replay's patch changed stands beside them under `p` (`overlay`).

A path is a JSON pointer (RFC 6901), but elements of lists that Kubernetes merges are named by their key
(`/spec/containers/name=web/env/name=PORT`), because an index means another element after an edit. A second element of
the same key has `1:` before it. What stands at a path:

    [hash]              we added it
    [hash, was]         we changed it
    [hash, n, "cut"]    we added to a text whose first n characters were there
    [null, was]         we took it away
    ["+"] ["+", null]   we made this empty map or list, where nothing or null was

A hash is of the value without what is empty in it, because the API server leaves that out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

KEYS: Final[Mapping[str, str]] = {
    "containers": "name",
    "initContainers": "name",
    "env": "name",
    "volumeMounts": "mountPath",
    "volumes": "name",
    "imagePullSecrets": "name",
    "hostAliases": "ip",
}
"""Lists that are merged, and the key of their elements."""

Entries = dict[str, list[Any]]
MAX_BYTES: Final = 64 * 1024
_MADE = "+"
_ABSENT: Any = object()


def fingerprint(value: Any) -> str:
    """Return the hash of a value that we wrote, as twelve hexadecimal digits."""
    name = repr(value)
    known = _fingerprints.get(name)
    if known is not None:
        return known
    text = json.dumps(_dense(value), sort_keys=True, separators=(",", ":"))
    found = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    if len(name) <= _LONGEST_REMEMBERED:
        if len(_fingerprints) >= _MAX_REMEMBERED:
            _fingerprints.clear()
        _fingerprints[name] = found
    return found


_MAX_REMEMBERED: Final = 1024
_LONGEST_REMEMBERED: Final = 8192
_fingerprints: dict[str, str] = {}
"""Hashes by the value's text: what we add is nearly the same everywhere. At most 8 MiB, then it begins anew."""


def _dense(value: Any) -> Any:
    if isinstance(value, dict):
        dense = {key: _dense(item) for key, item in value.items()}
        return {key: item for key, item in dense.items() if item or (item == 0 and item is not False)}
    if isinstance(value, list):
        return [_dense(item) for item in value]
    return value


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> Entries:
    """Return what turns `after` back into `before`."""
    entries: Entries = {}
    _compare(before, after, "", "", entries)
    return entries


def dumps(workload: Entries, template: Entries, patch: Mapping[str, Any] | None = None) -> str:
    """Return the annotation's text; `patch` is what `overlay` remembers."""
    document = {"w": workload, "t": template, **({"p": patch} if patch else {})}
    return json.dumps(document, separators=(",", ":"), sort_keys=True)


def loads(text: object) -> tuple[Entries, Entries, object] | None:
    """Return workload's and template's entries, and what `overlay` remembers; None for a text that is no record."""
    try:
        found = json.loads(text) if isinstance(text, str) and len(text) <= 4 * MAX_BYTES else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not {"w", "t"} <= found.keys():
        return None
    workload, template = found["w"], found["t"]
    return (workload, template, found.get("p")) if _entries(workload) and _entries(template) else None


def _entries(value: object) -> bool:
    return isinstance(value, dict) and all(
        path.startswith("/")
        and isinstance(entry, list)
        and 1 <= len(entry) <= 3
        and (isinstance(entry[0], str) or (entry[0] is None and len(entry) == 2))
        and (len(entry) < 3 or (type(entry[1]) is int and entry[1] >= 0 and entry[2] == "cut"))
        for path, entry in value.items()
    )


def _compare(before: Any, after: Any, path: str, key: str, entries: Entries) -> None:
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        _compare_maps(before, after, path, entries)
    elif isinstance(before, list) and isinstance(after, list) and key in KEYS:
        _compare_lists(before, after, path, key, entries)
    elif before is None and _container(after, key):
        _added(after, path, key, entries, [_MADE, None])
    elif isinstance(before, str) and isinstance(after, str) and before and after.startswith(before):
        entries[path] = [fingerprint(after), len(before), "cut"]
    else:
        entries[path] = [fingerprint(after), before]


def _compare_lists(before: list[Any], after: list[Any], path: str, key: str, entries: Entries) -> None:
    """Compare merged lists by element where the list only grew; of any other the whole is remembered."""
    old, new = dict(_elements(before, key)), dict(_elements(after, key))
    if list(old) != [token for token in new if token in old]:
        entries[path] = [fingerprint(after), before]
        return
    for token, element in new.items():
        if token in old:
            _compare(old[token], element, f"{path}/{token}", "", entries)
        else:
            entries[f"{path}/{token}"] = [fingerprint(element)]


def _compare_maps(before: dict[str, Any], after: dict[str, Any], path: str, entries: Entries) -> None:
    for name, value in after.items():
        here = f"{path}/{escape(name)}"
        if name in before:
            _compare(before[name], value, here, name, entries)
        else:
            _added(value, here, name, entries, [_MADE])
    for name, value in before.items():
        if name not in after:
            entries[f"{path}/{escape(name)}"] = [None, value]


def _added(value: Any, path: str, key: str, entries: Entries, made: list[Any]) -> None:
    if not _container(value, key):
        entries[path] = [fingerprint(value)]
        return
    entries[path] = made
    empty: Any = {} if isinstance(value, dict) else []
    if value:
        _compare(empty, value, path, key, entries)


def _container(value: Any, key: str) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and key in KEYS)


def _elements(items: list[Any], key: str) -> Iterator[tuple[str, Any]]:
    merge_key = KEYS[key]
    seen: dict[str, int] = {}
    for item in items:
        name = f"{merge_key}={escape(str(item.get(merge_key, '')))}"
        number = seen.get(name, 0)
        seen[name] = number + 1
        yield (f"{number}:{name}" if number else name), item


def escape(token: str) -> str:
    """Return a key as a token of a path."""
    return token.replace("~", "~0").replace("/", "~1") if "/" in token or "~" in token else token


def _unescape(token: str) -> str:
    return token.replace("~1", "/").replace("~0", "~")


def revert(obj: dict[str, Any], entries: Entries) -> None:
    """Undo in place what the entries say, where the object still holds what we wrote; deepest paths first."""
    for path in sorted(entries, key=lambda p: (-p.count("/"), p)):
        tokens = path.split("/")[1:]
        parent, key = _parent(obj, tokens)
        if parent is None:
            continue
        value = _value(parent, tokens[-1])
        _undo(parent, tokens[-1], value, entries[path], key)


def at(obj: Any, path: str) -> Any:
    """Return what stands at a path; None where nothing, or null, does."""
    tokens = path.split("/")[1:]
    parent, _ = _parent(obj, tokens)
    value = _ABSENT if parent is None else _value(parent, tokens[-1])
    return None if value is _ABSENT else value


def put_at(obj: Any, path: str, *value: Any, index: int | None = None) -> None:
    """Put a value at a path, or take away what is there; a new element of a list becomes number `index`."""
    tokens = path.split("/")[1:]
    parent, _ = _parent(obj, tokens)
    if isinstance(parent, list) and index is not None and value and _index(parent, tokens[-1]) < 0:
        parent.insert(index, value[0])
    elif parent is not None:
        _put(parent, tokens[-1], value[0] if value else _ABSENT)


def holds(obj: Mapping[str, Any], path: str, entry: list[Any]) -> bool:
    """Return whether there is a value of ours at this path."""
    tokens = path.split("/")[1:]
    parent, _ = _parent(obj, tokens)
    value = _ABSENT if parent is None else _value(parent, tokens[-1])
    return value is not _ABSENT and fingerprint(value) == entry[0]


def _undo(parent: Any, token: str, value: Any, entry: list[Any], key: str) -> None:
    if entry[0] == _MADE:
        if value is not _ABSENT and not value and isinstance(value, (dict, list)):
            _put(parent, token, entry[1] if len(entry) > 1 else _ABSENT)
    elif entry[0] is None:
        if value is _ABSENT:
            _put(parent, token, entry[1])
    elif value is not _ABSENT and fingerprint(value) == entry[0]:
        if len(entry) == 3:
            _put(parent, token, value[: entry[1]] if isinstance(value, str) else value)
        else:
            _put(parent, token, entry[1] if len(entry) == 2 else _ABSENT)


def _parent(obj: Any, tokens: list[str]) -> tuple[Any, str]:
    here = obj
    for token in tokens[:-1]:
        here = _value(here, token)
        if here is _ABSENT:
            return None, ""
    return (here if isinstance(here, (dict, list)) else None), tokens[-1]


def _index(items: list[Any], token: str) -> int:
    """Return where the element of a token is, -1 without one."""
    number, colon, rest = token.partition(":")
    wanted = int(number) if colon and number.isdecimal() else 0
    name, equals, text = (rest if colon and number.isdecimal() else token).partition("=")
    if not equals:
        return -1
    text = _unescape(text)
    for index, item in enumerate(items):
        if isinstance(item, dict) and str(item.get(name, "")) == text:
            if not wanted:
                return index
            wanted -= 1
    return -1


def _value(parent: Any, token: str) -> Any:
    if isinstance(parent, dict):
        return parent.get(_unescape(token), _ABSENT)
    if isinstance(parent, list):
        index = _index(parent, token)
        return parent[index] if index >= 0 else _ABSENT
    return _ABSENT


def _put(parent: Any, token: str, value: Any) -> None:
    if isinstance(parent, dict):
        if value is _ABSENT:
            parent.pop(_unescape(token), None)
        else:
            parent[_unescape(token)] = value
        return
    index = _index(parent, token)
    if index < 0:
        if value is not _ABSENT:
            parent.append(value)
    elif value is _ABSENT:
        del parent[index]
    else:
        parent[index] = value
