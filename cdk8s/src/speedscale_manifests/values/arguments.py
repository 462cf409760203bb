"""`--set a.b=c`: an argument read by the schema, so that text stays text and a number is one.

    --set image.tag=1.20                        text, because the setting is text
    --set namespaceSelector={shop,pay}          a list; also as JSON: '["shop","pay"]'
    --set 'globalLabels.example\\.com/team=pay'  a dot within a key
    --set 'tolerations[0].effect=NoExecute'     an item of the list as it stands
    --set globalPodSecurityContext.runAsUser=null   takes away

Called by `loading` and by the edits of values files. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from . import tree
from .frozen import plain
from .layers import Layer
from .places import Path, Place, Refusal, ValuesError, text
from .secrets import hidden

_INDEX = re.compile(r"\[([0-9]{1,4})\]")
_ITEM = re.compile(r"(?:\\.|[^,\\])*")


@dataclass(frozen=True, slots=True)
class Assignment:
    """One argument: the path, its value in the setting's own type, and what to call it in messages."""

    path: Path
    value: Any
    place: Place

    def layer(self, below: dict[str, Any]) -> Layer:
        """Return the assignment as a layer upon the tree below it; an item of a list changes a copy of that list.

        Raises ValuesError where a list is shorter than the index, or where the path goes through a scalar.
        """
        if all(isinstance(part, str) for part in self.path):
            return Layer(str(self.place), _nested(self.path, self.value), {(): self.place})
        cut = next(i for i, part in enumerate(self.path) if isinstance(part, int))
        head, rest = self.path[:cut], self.path[cut:]
        current: Any = below
        for part in head:
            current = current.get(part) if isinstance(current, dict) else None
        changed = _put(plain(current) if current is not None else [], rest, self, head)
        return Layer(str(self.place), _nested(head, changed), {(): self.place})


def assignment(argument: str) -> Assignment:
    """Read one argument. Raises ValuesError when it is no assignment or its value has not the setting's type."""
    path, written = split(argument)
    place = Place(f"--set {text(path)}={hidden(path, written)}")
    known = _deepest(path)
    if len(known) < len(path):
        raise ValuesError([_unknown(path, known, place)])
    try:
        return Assignment(path, value(tree.at(path) or {}, written), place)
    except ValueError as error:
        raise ValuesError([Refusal(place, text(path), str(error), _example(path, written))]) from None


def split(argument: str) -> tuple[Path, str]:
    """Return path and value of `a.b[0]=c`, the path as `places.text` writes it; else ValuesError."""
    parts: list[str | int] = []
    key: str | None = None  # the key being read; None when none has begun
    at = 0
    while at < len(argument) and argument[at] != "=":
        char = argument[at]
        index = _INDEX.match(argument, at)
        after_index = key is None and bool(parts) and argument[at - 1] == "]"
        if char == "\\" and at + 1 < len(argument):
            key, at = (key or "") + argument[at + 1], at + 2
        elif key is None and argument.startswith('""', at):
            key, at = "", at + 2
        elif index and (key is not None or after_index):
            parts += [int(index[1])] if key is None else [key, int(index[1])]
            key, at = None, index.end()
        elif char == ".":
            if key is None and not after_index:
                raise _malformed(argument, "a part of the path is empty")
            parts += [] if key is None else [key]
            key, at = None, at + 1
        elif after_index:
            raise _malformed(argument, "after an index comes `.`, `[` or `=`")
        else:
            key, at = (key or "") + char, at + 1
    if at == len(argument):
        raise _malformed(argument, "there is no `=`")
    if key is None and (at == 0 or argument[at - 1] != "]"):
        raise _malformed(argument, "a part of the path is empty" if parts else "the path is empty")
    return (*parts, *([] if key is None else [key])), argument[at + 1 :]


def _malformed(argument: str, reason: str) -> ValuesError:
    path = argument.partition("=")[0]
    place = Place(f"--set {path}")
    return ValuesError([Refusal(place, "", reason, "write `--set path=value`, e.g. `--set forwarder.replicas=2`")])


def value(node: tree.Schema, written: str) -> Any:
    """Return the text as what the schema asks for; ValueError says what was expected."""
    kind = tree.kind(node)
    if written == "null":
        return None
    if kind in ("string", "quantity"):
        return written
    if kind == "boolean":
        if written not in ("true", "false"):
            raise ValueError(f"{written!r}: expected true or false")
        return written == "true"
    if kind == "integer":
        if not re.fullmatch(r"-?[0-9]{1,18}", written):
            raise ValueError(f"{written!r}: expected a whole number")
        return int(written)
    if kind == "array":
        return _list(node, written)
    if kind == "object":
        loaded = _json(written)
        if not isinstance(loaded, dict):
            raise ValueError("expected a map as JSON")
        return loaded
    return _guess(written)


def _list(node: tree.Schema, written: str) -> list[Any]:
    items = tree.resolve(node.get("items", {}))
    if written.startswith("["):
        loaded = _json(written)
        if not isinstance(loaded, list):
            raise ValueError("expected a list as JSON")
        return loaded
    if not (written.startswith("{") and written.endswith("}")):
        raise ValueError(f"{written!r}: expected a list, `{{a,b}}` or JSON")
    if tree.kind(items) == "object":
        raise ValueError("expected a list of maps as JSON")
    return [value(items, item) for item in _items(written[1:-1])]


def _items(inner: str) -> Iterator[str]:
    at = 0
    while at < len(inner):
        found = _ITEM.match(inner, at)
        item = found[0] if found else inner[at:]
        yield re.sub(r"\\(.)", r"\1", item.strip())
        at += len(item) + 1


def _json(written: str) -> Any:
    def refuse(name: str) -> None:
        raise ValueError(f"{name} is no JSON")

    try:
        return json.loads(written, parse_constant=refuse)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"expected JSON: {getattr(error, 'msg', 'nested too deep')}") from None


def _guess(written: str) -> Any:
    """Return what stands in a map in the form of Kubernetes: JSON where it is JSON, else text."""
    if written[:1] in ("{", "["):
        return _json(written)
    if written in ("true", "false") or re.fullmatch(r"-?(0|[1-9][0-9]{0,17})", written):
        return json.loads(written)
    return json.loads(written) if re.fullmatch(r'"(?:[^"\\]|\\.)*"', written) else written


def _example(path: Path, written: str) -> str:
    if re.search(r",[A-Za-z0-9_.\\/-]+=", written):
        return "one `--set` takes one assignment: repeat the flag"
    node = tree.at(path) or {}
    examples = node.get("examples") or []
    if not examples:
        return ""
    shown = examples[0] if isinstance(examples[0], str) else json.dumps(examples[0], separators=(",", ":"))
    return f"e.g. `--set '{text(path)}={shown}'`"


def _deepest(path: Path) -> Path:
    """Return the longest part of the path that is a setting or lies within one."""
    known: Path = ()
    while len(known) < len(path) and tree.at(path[: len(known) + 1]) is not None:
        known = path[: len(known) + 1]
    return known


def _unknown(path: Path, known: Path, place: Place) -> Refusal:
    wrong = path[len(known)]
    above = tree.at(known) or {}
    if isinstance(wrong, int):
        return Refusal(place, text(path), f"{text(known)} is no list", f"leave out [{wrong}]")
    if tree.kind(above) == "array":
        return Refusal(place, text(path), f"{text(known)} is a list", f"say which item: `{text(known)}[0].{wrong}`")
    keys = list(above.get("properties", {}))
    if not keys:
        return Refusal(place, text(path), f"{text(known)} is no map: it has no key {wrong!r}", "shorten the path")
    return Refusal(place, text(path), f"unknown key {wrong!r}", tree.suggestion((*known, wrong)))


def _nested(path: Path, inner: Any) -> dict[str, Any]:
    for part in reversed(path):
        inner = {part: inner}
    result: dict[str, Any] = inner
    return result


def _put(current: Any, rest: Path, given: Assignment, head: Path) -> Any:
    """Return `current` with the value at `rest`; lists grow by one at most."""
    if not rest:
        return given.value
    part, below = rest[0], rest[1:]
    here = (*head, part)
    if isinstance(part, int):
        if not isinstance(current, list):
            raise ValuesError([Refusal(given.place, text(head), "is no list", f"leave out [{part}]")])
        if part > len(current):
            count = f"the list has {len(current)} item" + ("s" if len(current) != 1 else "")
            raise ValuesError([Refusal(given.place, text(here), count, f"the next index is {len(current)}")])
        if below == () and given.value is None:
            return current[:part] + current[part + 1 :]
        old = current[part] if part < len(current) else ({} if below and isinstance(below[0], str) else [])
        return [*current[:part], _put(old, below, given, here), *current[part + 1 :]]
    holder = current if isinstance(current, dict) else {}
    old = holder.get(part, [] if below and isinstance(below[0], int) else {})
    changed = {**holder, part: _put(old, below, given, here)}
    return {key: item for key, item in changed.items() if item is not None}


__all__ = ["Assignment", "assignment", "split", "value"]
