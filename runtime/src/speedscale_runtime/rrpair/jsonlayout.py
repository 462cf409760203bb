"""JSON bodies indented for people and squeezed again, token by token: no number, escape or key is rewritten.

Called by the Markdown codec. What is no JSON object or array is nobody's layout and gives None.
"""

from __future__ import annotations

import json
import re

import orjson

from . import jsontext

SLOW_MAX = 4 * 1024 * 1024
"""Bodies whose numbers or escapes orjson would rewrite are laid out in Python, up to this size in bytes."""

_STRING_OR_SPACE = re.compile(rb'("[^"\\]*(?:\\.[^"\\]*)*")|[ \t\r\n]+', re.DOTALL)
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)


def indent(text: bytes) -> bytes | None:
    """Return a JSON object or array indented by two spaces; None for anything else."""
    if text.lstrip()[:1] not in (b"{", b"["):
        return None
    try:
        value = orjson.loads(text)
        plain = orjson.dumps(value)
        if plain == text or (len(text) <= SLOW_MAX and plain == _squeezed(text)):
            return orjson.dumps(value, option=orjson.OPT_INDENT_2)
    except (orjson.JSONDecodeError, TypeError):
        if not _is_json(text):
            return None
    return _indented(text) if len(text) <= SLOW_MAX else None


def squeeze(text: bytes) -> bytes | None:
    """Return a JSON object or array without the space between tokens; None for anything else."""
    if text.lstrip()[:1] not in (b"{", b"[") or not _is_json(text):
        return None
    return _squeezed(text)


def same(one: bytes, other: bytes) -> bool:
    """Tell whether two JSON texts mean the same: the order of keys and the writing of values aside.

    A text that names a key twice in an object, and so hides a value, is the same only as itself.
    """
    if one.lstrip()[:1] not in (b"{", b"[") or other.lstrip()[:1] not in (b"{", b"["):
        return False
    a, b = plain(one), plain(other)
    if a is None or b is None:
        return _squeezed(one) == _squeezed(other) and _is_json(one)
    return jsontext.ordered(a) == jsontext.ordered(b)


def plain(text: bytes) -> object:
    """Return the value of a JSON text that names no key twice; None for anything else."""

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("a key stands twice")
        return found

    try:
        value: object = json.loads(text, object_pairs_hook=unique)
        return value
    except (ValueError, RecursionError):
        return None


def _is_json(text: bytes) -> bool:
    try:
        jsontext.parse(text)
    except jsontext.JsonError:
        return False
    return True


def _squeezed(text: bytes) -> bytes:
    return _STRING_OR_SPACE.sub(rb"\1", text)


def _indented(text: bytes) -> bytes:
    parts: list[bytes] = []
    depth, opened = 0, False
    for token in _TOKEN.findall(text):
        if token in (b"}", b"]"):
            depth -= 1
            if not opened:
                parts.append(b"\n" + b"  " * depth)
            parts.append(token)
            opened = False
            continue
        if opened:
            parts.append(b"\n" + b"  " * depth)
            opened = False
        if token in (b"{", b"["):
            depth += 1
            opened = True
            parts.append(token)
        elif token == b",":
            parts.append(b",\n" + b"  " * depth)
        elif token == b":":
            parts.append(b": ")
        else:
            parts.append(token)
    return b"".join(parts)
