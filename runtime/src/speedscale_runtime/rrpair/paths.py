"""Paths to values inside JSON documents, as the field writes them: `a.b.0.c`, `a[0].c`, `*`, `..`.

Called by filters, transforms, redaction and reports. Pure, and never raises for a document that has not what the
path asks for. Looking inside strings (a JWT, a JSON body) is not done here.

Grammar: names are separated by dots; `[n]` and `["name"]` are the same as `.n` and `.name`; a number is an index in
a list and a name in an object; a negative index counts from a list's end; `*` is every child; `..` is every
descendant, itself included; `\\` takes the next character as it is; a leading `$` or `.` says nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

Path = tuple[str | int, ...]


class Match(NamedTuple):
    """One value found: where it stands (object names and list indexes) and the value itself."""

    path: Path
    value: Any


class _Step(NamedTuple):
    kind: str  # "name", "any" or "deep"
    name: str = ""


def find(doc: Any, path: str) -> list[Match]:
    """Return every match of the path, each once; an empty list when there is none.

    Matches come in document order; with `..`, those in an outer object come before those further inside. Raises
    ValueError when the path itself is malformed (an unclosed bracket or quote).
    """
    found = [Match((), doc)]
    for step in parse(path):
        found = [hit for match in found for hit in _take(match, step)]
    if any(step.kind == "deep" for step in parse(path)):
        found = list({match.path: match for match in found}.values())
    return found


def put(doc: Any, path: str, value: Any, *, create: bool = False) -> bool:
    """Set every value that the path finds; return whether anything was set.

    With `create`, a path without `*` and `..` that leads nowhere makes the objects it needs, appends to a list by
    the index just behind its end, and never replaces a value of another kind on the way. The document itself
    cannot be replaced. Raises ValueError when the path is malformed.
    """
    found = [match for match in find(doc, path) if match.path]
    for match in found:
        put_at(doc, match.path, value)
    if found or not create:
        return bool(found)
    return _make(doc, parse(path), value)


def put_at(doc: Any, path: Path, value: Any) -> None:
    """Set the value at the exact path of a `Match`; KeyError or IndexError when the document has changed."""
    parent = doc
    for part in path[:-1]:
        parent = parent[part]
    parent[path[-1]] = value


def render(path: Path) -> str:
    """Return the path as text that `find` understands: `a.b[0]`, names with odd characters escaped."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = "".join("\\" + c if c in "\\.[]*$" else c for c in part) if part else '[""]'
            text += name if not text or not part else f".{name}"
    return text


@lru_cache(maxsize=4096)
def parse(path: str) -> tuple[_Step, ...]:
    """Return the steps of a path; ValueError with the column when it is malformed."""
    steps: list[_Step] = []
    at = 1 if path[:1] == "$" and path[1:2] in ("", ".", "[") else 0
    fresh = True  # whether a single dot may be skipped here
    while at < len(path):
        char = path[at]
        if char == ".":
            if path[at + 1 : at + 2] == ".":
                steps.append(_Step("deep"))
                at += 2
            else:
                at += 1
                if not fresh and at == len(path):
                    break
        elif char == "[":
            step, at = _bracket(path, at)
            steps.append(step)
        else:
            step, at = _name(path, at)
            steps.append(step)
        fresh = False
    return tuple(steps)


def _name(path: str, at: int) -> tuple[_Step, int]:
    name, literal = "", False
    while at < len(path) and path[at] not in ".[":
        if path[at] == "\\" and at + 1 < len(path):
            at, literal = at + 1, True
        name += path[at]
        at += 1
    return (_Step("any") if name == "*" and not literal else _Step("name", name)), at


def _bracket(path: str, at: int) -> tuple[_Step, int]:
    quote = path[at + 1 : at + 2]
    if quote in ('"', "'") and quote:
        name, cursor = "", at + 2
        while cursor < len(path) and path[cursor] != quote:
            if path[cursor] == "\\" and cursor + 1 < len(path):
                cursor += 1
            name += path[cursor]
            cursor += 1
        if path[cursor : cursor + 2] != quote + "]":
            raise ValueError(f"path {path!r}: quote at column {at + 2} is not closed")
        return _Step("name", name), cursor + 2
    end = path.find("]", at)
    if end < 0:
        raise ValueError(f"path {path!r}: bracket at column {at + 1} is not closed")
    name = path[at + 1 : end].strip()
    return (_Step("any") if name in ("*", "") else _Step("name", name)), end + 1


def _take(match: Match, step: _Step) -> Iterator[Match]:
    path, value = match
    if step.kind == "deep":
        yield from _descend(match)
    elif step.kind == "any":
        yield from _children(match)
    elif isinstance(value, dict):
        if step.name in value:
            yield Match((*path, step.name), value[step.name])
    elif isinstance(value, list):
        index = _index(step.name, len(value))
        if index is not None and index < len(value):
            yield Match((*path, index), value[index])


def _children(match: Match) -> Iterator[Match]:
    path, value = match
    if isinstance(value, dict):
        yield from (Match((*path, key), child) for key, child in value.items())
    elif isinstance(value, list):
        yield from (Match((*path, index), child) for index, child in enumerate(value))


def _descend(match: Match) -> Iterator[Match]:
    stack = [match]
    while stack:
        here = stack.pop()
        yield here
        stack.extend(reversed(list(_children(here))))


def _index(name: str, length: int) -> int | None:
    digits = name[1:] if name[:1] == "-" else name
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 9:
        return None
    index = int(name)
    return index + length if -length <= index < 0 else index if index >= 0 else None


def _make(doc: Any, steps: tuple[_Step, ...], value: Any) -> bool:
    if not steps or any(step.kind != "name" for step in steps):
        return False
    here, missing = doc, len(steps) - 1
    for number, step in enumerate(steps[:-1]):
        hit = next(_take(Match((), here), step), None)
        if hit is None:
            missing = number
            break
        here = hit.value
    fresh: Any = value
    for step in reversed(steps[missing + 1 :]):
        fresh = {step.name: fresh}
    last = steps[missing].name
    if isinstance(here, dict):
        here[last] = fresh
        return True
    if isinstance(here, list) and _index(last, len(here)) == len(here):
        here.append(fresh)
        return True
    return False
