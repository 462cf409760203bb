"""Plain JSON types → YAML text: the one writer of everything we put into git.

Called by `output`, `bundle`, the Helm form and every verb that shows a manifest. The text is a pure function of the
value: mappings are written in one canonical order (what identifies an object first, the rest by code point), so
neither the order in which a builder filled a dict nor a trip through JavaScript shows. What YAML 1.1 or YAML 1.2
readers would take for something else than text is quoted; nothing is folded, anchored, tagged or cut.

Every rule here is a fixed table: the Unicode data of the running Python is not asked, it differs between versions.
No knowledge of Kubernetes beyond the order of keys, and no I/O, may live here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

LEADING = ("apiVersion", "kind", "metadata", "name", "namespace")
"""Keys that come first in every mapping, in this order."""

_RANK = {key: rank for rank, key in enumerate(LEADING)}
_INT64 = 1 << 63
_EXACT = 1 << 53  # integers that a float holds exactly
_LONGEST_KEY = 1000  # readers look 1,024 characters ahead for the colon of a simple key

# Words that some reader takes for a boolean, null, merge key, default value or number without digits.
_WORDS = frozenset(
    ("y", "n", "yes", "no", "on", "off", "true", "false", "null", "~", "<<", "=", ".nan", ".inf", "+.inf", "-.inf", "")
)
# Integers of any base, floats, sexagesimals, dates and times: nothing made only of these characters is left plain.
_NUMBERISH = re.compile(r"[-+.]?[.]?[0-9][-+.,:_0-9a-fA-FxXoOtTzZ ]*")
_PLAIN_START = re.compile(r"[^-?:,\[\]{}#&*!|>'\"%@` ]|-[A-Za-z-]")
_PLAIN_BREAK = re.compile(r": |:\Z| #| \Z")
_MARKER = ("---", "...")
# Characters that never stand bare: controls, line separators, byte order mark, non-characters, and what is
# invisible or turns the direction of text, so that a review sees it.
_ESCAPED = re.compile(
    "[\x00-\x1f\x7f-\xa0\xad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202f\u205f-\u206f\u3000\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff\U000e0000-\U000e0fff\ue000-\uf8ff]"
)
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_SHORT = {"\0": "\\0", "\a": "\\a", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\v": "\\v", "\f": "\\f", "\r": "\\r"}
_SHORT |= {"\x1b": "\\e", '"': '\\"', "\\": "\\\\"}
_DOUBLE = re.compile(f'["\\\\]|{_ESCAPED.pattern}')


def emit(manifest: Mapping[str, Any]) -> str:
    """Return one document as YAML text that ends with a newline.

    `manifest` consists of mappings with text keys, lists or tuples, text, booleans, integers of 64 bits, finite
    floats and None. Raises TypeError or ValueError, with the path, for anything else.
    Source: YAML 1.1 types repository, YAML 1.2.2 chapter 10, and what go-yaml (sigs.k8s.io/yaml) reads.
    """
    if not isinstance(manifest, Mapping):
        raise TypeError(f"a document must be a mapping, not {type(manifest).__name__}")
    if not manifest:
        return "{}\n"
    return "\n".join(_mapping(manifest, "", "")) + "\n"


def emit_all(manifests: Iterable[Mapping[str, Any]]) -> str:
    """Return several documents as one text, `---` between them; raises as `emit`."""
    return "---\n".join(emit(manifest) for manifest in manifests)


def ordered(keys: Iterable[str]) -> list[str]:
    """Return keys in the order in which they are written."""
    return sorted(keys, key=lambda key: (_RANK.get(key, len(_RANK)), key))


def _mapping(node: Mapping[str, Any], indent: str, path: str) -> Iterator[str]:
    for key in node:
        if not isinstance(key, str):
            raise TypeError(f"{path or '(root)'}: key {key!r} is {type(key).__name__}, expected text")
    for key in ordered(node):
        name, value, where = _text_at(key, path), node[key], f"{path}.{key}" if path else key
        lead = f"{indent}{name}:"
        if len(name) > _LONGEST_KEY:
            yield f"{indent}? {name}"
            lead = f"{indent}:"
        inner = indent + "  "
        if isinstance(value, Mapping) and value:
            yield lead
            yield from _mapping(value, inner, where)
        elif isinstance(value, list | tuple) and value:
            yield lead
            yield from _sequence(value, indent, where)
        else:
            yield from _leaf(lead, value, inner, where)


def _sequence(node: Iterable[Any], indent: str, path: str) -> Iterator[str]:
    inner = indent + "  "
    for index, value in enumerate(node):
        where = f"{path}[{index}]"
        if isinstance(value, Mapping) and value:
            yield from _hung(_mapping(value, inner, where), indent)
        elif isinstance(value, list | tuple) and value:
            yield from _hung(_sequence(value, inner, where), indent)
        else:
            yield from _leaf(f"{indent}-", value, inner, where)


def _hung(lines: Iterator[str], indent: str) -> Iterator[str]:
    """Yield the lines with the first one behind a dash."""
    yield f"{indent}- {next(lines)[len(indent) + 2 :]}"
    yield from lines


def _leaf(lead: str, value: Any, inner: str, path: str) -> Iterator[str]:
    if isinstance(value, str) and "\n" in value and _fits_block(value):
        yield f"{lead} |" if value.endswith("\n") else f"{lead} |-"
        for line in value.removesuffix("\n").split("\n"):
            yield inner + line if line else ""
    else:
        yield f"{lead} {_scalar(value, path)}"


def _scalar(value: Any, path: str) -> str:
    if isinstance(value, str):
        return _text_at(value, path)
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, int):
        if not -_INT64 <= value < _INT64:
            raise ValueError(f"{path}: {value} does not fit 64 bits; write it as text")
        return str(int(value))
    if isinstance(value, float):
        return _float(float(value), path)
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, list | tuple):
        return "[]"
    raise TypeError(f"{path or '(root)'}: {type(value).__name__} is no JSON type")


def _float(value: float, path: str) -> str:
    """Return the shortest text that reads back; YAML 1.1 wants a dot and a sign in the exponent.

    JSON knows one kind of number: 1.0 is written as JavaScript would, 1.
    """
    if not math.isfinite(value):
        raise ValueError(f"{path}: {value} is no JSON number")
    if value.is_integer() and abs(value) <= _EXACT:
        return str(int(value))
    mantissa, exponent, power = repr(value).partition("e")
    if not exponent:
        return mantissa
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}e{power if power[0] in '+-' else '+' + power}"


def _text_at(text: str, path: str) -> str:
    if _LONE_SURROGATE.search(text):
        raise ValueError(f"{path or '(root)'}: text with half of a surrogate pair cannot be written as UTF-8")
    return _text(text)


@lru_cache(maxsize=8192)
def _text(text: str) -> str:
    """Return text on one line: plain when every reader takes it for the same text, else quoted."""
    if _is_plain(text):
        return text
    if ('"' in text or "\\" in text) and not _ESCAPED.search(text):
        return "'" + text.replace("'", "''") + "'"
    return '"' + _DOUBLE.sub(_escape, text) + '"'


def _is_plain(text: str) -> bool:
    return (
        text.lower() not in _WORDS
        and _PLAIN_START.match(text) is not None
        and _NUMBERISH.fullmatch(text) is None
        and _PLAIN_BREAK.search(text) is None
        and _ESCAPED.search(text) is None
        and not text.startswith(_MARKER)
    )


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    if character in _SHORT:
        return _SHORT[character]
    point = ord(character)
    return f"\\x{point:02x}" if point < 0x100 else f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


def _fits_block(text: str) -> bool:
    """Return whether a literal block keeps the text, also through editors and hooks that trim line ends."""
    if text[0] in " \t\n" or text.endswith("\n\n") or _LONE_SURROGATE.search(text):
        return False
    lines = text.removesuffix("\n").split("\n")
    return not any(line.endswith((" ", "\t")) or _ESCAPED.search(line.replace("\t", " ")) for line in lines)
