"""JSON text without loss: integers of any size, lone surrogates and depth survive, and errors name line and column.

Used by the codecs and the model instead of `orjson` itself, which turns integers beyond 64 bits into floats and
refuses lone surrogates. The fast path is orjson; the slow path is the standard library's. Nothing here knows what
an RRPair is.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

import orjson

DEPTH_MAX = 250
"""Levels of nesting a document may have; orjson writes no more than 254."""

_BIG_INTEGER = re.compile(rb"(?:\A|[:\[,\s])-?[0-9]{19}")
_DIGITS = bytes.maketrans(b"123456789", b"000000000")
_MANY_DIGITS = b"0" * 19


class JsonError(ValueError):
    """Text that is no JSON: `line` and `column` count from 1, `reason` says what is wrong there."""

    def __init__(self, reason: str, line: int = 1, column: int = 1) -> None:
        self.reason, self.line, self.column = reason, line, column
        super().__init__(f"line {line}, column {column}: {reason}")


def parse(data: bytes) -> Any:
    """Return the value of a JSON text in UTF-8 (a byte order mark is allowed); raise JsonError."""
    if data.startswith(b"\xef\xbb\xbf"):
        data = data[3:]
    # Searching for equal bytes is many times faster than for a pattern, and bodies may have 64 MiB.
    if _MANY_DIGITS not in data.translate(_DIGITS) or _BIG_INTEGER.search(data) is None:
        try:
            value = orjson.loads(data)
        except orjson.JSONDecodeError:
            return _parse_slowly(data)
    else:
        value = _parse_slowly(data)
    if data.count(b"{") + data.count(b"[") > DEPTH_MAX:
        _refuse_depth(value)
    return value


def compact(value: Any) -> bytes:
    """Return the value as JSON on one line, without spaces; lone surrogates are written as `\\uXXXX`."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return _text(json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False), value, None)


def pretty(value: Any) -> bytes:
    """Return the value as JSON indented by two spaces, with a newline at the end."""
    try:
        return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    except TypeError:
        return _text(json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False), value, 2) + b"\n"


def ordered(value: Any) -> bytes:
    """Return the value as JSON with sorted keys: equal bytes mean equal values of equal types."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")


def _text(text: str, value: Any, indent: int | None) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        separators = (",", ":") if indent is None else (",", ": ")
        return json.dumps(value, indent=indent, separators=separators, allow_nan=False).encode("ascii")


def _parse_slowly(data: bytes) -> Any:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        raise JsonError(f"byte 0x{data[error.start]:02x} is no UTF-8", line, column) from None
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise JsonError(error.msg, error.lineno, error.colno) from None
    except RecursionError:
        raise JsonError(f"nested deeper than {DEPTH_MAX} levels") from None
    except ValueError as error:
        raise JsonError(str(error)) from None
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _refuse_depth(value: Any) -> None:
    """Raise when the value nests too deep; walks level by level, so it cannot itself run out of stack."""
    try:
        orjson.dumps(value)
        return
    except TypeError:
        level = [value]
    for _ in range(DEPTH_MAX):
        level = [child for node in level for child in _children(node) if isinstance(child, dict | list)]
        if not level:
            return
    raise JsonError(f"nested deeper than {DEPTH_MAX} levels")


def _children(node: Any) -> Any:
    return node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
