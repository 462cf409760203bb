"""Find and replace one value in JSON text without touching any other byte.

Parsing and writing a document again would change number forms, spacing and escapes elsewhere; a span does not.
Used by json_path and json_selector. Pure.
"""

from __future__ import annotations

import json
import re
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

from .errors import TransformError

Path = tuple[str | int, ...]

_DECODER = json.JSONDecoder()
_WS = re.compile(r"[ \t\n\r]*")
_SEGMENT = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]|\[(['\"])(.*?)\3\]")


def split(path: str) -> Path:
    """Return the segments of `a.b[0].c`, `a.0.c`, `$.a` or `$['a b']`; ValueError for anything else."""
    rest = path.removeprefix("$")
    segments: list[str | int] = []
    at = 0
    while at < len(rest):
        match = _SEGMENT.match(rest, at)
        if not match:
            raise ValueError(f"{path!r} is no path such as a.b[0].c")
        segments.append(int(match[2]) if match[2] else match[4] if match[3] else match[1])
        at = match.end()
    return tuple(segments)


def span(document: str, path: Path) -> tuple[int, int] | None:
    """Return start and end of the value at `path`, None where there is none; TransformError when it is no JSON."""
    try:
        at = _ws(document, 0)
        for segment in path:
            found = _member(document, at, str(segment)) if document[at] == "{" else _item(document, at, segment)
            if found is None:
                return None
            at = found
        return at, _end(document, at)
    except (ValueError, IndexError, RecursionError):
        raise TransformError("the value is no JSON") from None


def load(document: str) -> Any:
    """Return the parsed document; TransformError when it is none."""
    try:
        return json.loads(document)
    except (ValueError, RecursionError):
        raise TransformError("the value is no JSON") from None


def dump(value: object) -> str:
    """Return compact JSON that keeps non-ASCII characters as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def show(literal: str) -> str:
    """Return what a chain sees of a JSON literal: a string without quotes, anything else verbatim."""
    return str(json.loads(literal)) if literal.startswith('"') else literal


def write(old: str, value: str) -> str:
    """Return `value` as a JSON literal of the old literal's type, where it can have that type; else as a string."""
    if not old.startswith('"'):
        try:
            parsed = json.loads(value)
        except ValueError:
            parsed = None if value == "null" else value
        if not isinstance(parsed, str) and _same_kind(old, parsed):
            return value
    return json.dumps(value, ensure_ascii=False)


def _same_kind(old: str, new: object) -> bool:
    if old[0] in "{[":
        return isinstance(new, (dict, list))
    if old in ("true", "false"):
        return isinstance(new, bool)
    if old == "null":
        return True
    return isinstance(new, (int, float)) and not isinstance(new, bool)


def _ws(document: str, at: int) -> int:
    match = _WS.match(document, at)
    return match.end() if match else at


def _end(document: str, at: int) -> int:
    return int(_DECODER.raw_decode(document, at)[1])


def _member(document: str, at: int, name: str) -> int | None:
    at = _ws(document, at + 1)
    found: int | None = None
    while document[at] == '"':
        key, at = scanstring(document, at + 1)
        at = _ws(document, at)
        if document[at] != ":":
            raise ValueError
        at = _ws(document, at + 1)
        if key == name:
            found = at  # the last one of equal keys counts, as parsers have it
        at = _ws(document, _end(document, at))
        if document[at] == "}":
            return found
        if document[at] != ",":
            raise ValueError
        at = _ws(document, at + 1)
    return found


def _item(document: str, at: int, segment: str | int) -> int | None:
    if document[at] != "[" or not str(segment).isdecimal():
        _end(document, at)  # raises where there is no JSON at all
        return None
    at = _ws(document, at + 1)
    for _ in range(int(segment)):
        if document[at] == "]":
            return None
        at = _ws(document, _end(document, at))
        if document[at] != ",":
            return None
        at = _ws(document, at + 1)
    return None if document[at] == "]" else at
