"""Templates with gaps: manifests that the installation writes and the controller completes.

The components of `speedscale_manifests` write the templates into the bundle; the controller reads them there, calls
`fill` and applies what comes back. The table in `template_gaps` is the whole contract between the two: a gap that is
not in it does not exist. Pure: no I/O, no client.

A gap is written `@name@` where a value goes, `@name:text@` where its text goes (a port in an environment variable).
A scalar that is one whole gap takes the type of the value; inside a longer text a gap is written as text. A list
item that is one whole gap of type `array` is replaced by the array's items. A value of None for an optional gap
leaves out the key or item that is the gap. `@@` is one `@`. Keys have no gaps. Filled values are never looked at again,
so that no value can smuggle in a gap.

What a template is made of comes partly from users (labels, proxies, annotations), so builders do not write `@name@`
themselves: they use `gap` and `gap_text`, and `seal` turns what these marked into gaps and doubles every other `@`
that could be read as one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .errors import ConfigError
from .template_gaps import GAPS, Gap
from .wording import nearest

__all__ = ["GAPS", "Gap", "examples", "fill", "gap", "gap_text", "gaps", "seal"]

_GAP = re.compile(r"@@|@([a-z][a-z0-9_]*)(:text)?@")
_MARK = re.compile("\ue000([a-z][a-z0-9_]*)(:text)?\ue001")
_KINDS: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "boolean": (bool,),
    "object": (Mapping,),
    "array": (list, tuple),
}
_ABSENT = object()


def gap(name: str) -> str:
    """Return the mark of a gap that takes the value as it is; KeyError for a name that is not in GAPS."""
    GAPS[name]
    return f"\ue000{name}\ue001"


def gap_text(name: str) -> str:
    """Return the mark of a gap that takes the value's text; KeyError for a name that is not in GAPS."""
    GAPS[name]
    return f"\ue000{name}:text\ue001"


def seal(node: Any) -> Any:
    """Return a copy in which marks are gaps, and no other text can be read as one."""
    if isinstance(node, str):
        return _seal_text(node)
    if isinstance(node, Mapping):
        return {key: seal(value) for key, value in node.items()}
    if isinstance(node, (list, tuple)):
        return [seal(item) for item in node]
    return node


def _seal_text(text: str) -> str:
    marked = _MARK.search(text) is not None
    if marked or _GAP.search(text):
        text = text.replace("@", "@@")
    return _MARK.sub(lambda m: f"@{m[1]}{m[2] or ''}@", text)


def gaps(node: Any) -> frozenset[str]:
    """Return the names of all gaps in a template, known or not."""
    return frozenset(m[1] for _, text in _texts(node, "") for m in _GAP.finditer(text) if m[1])


def examples() -> dict[str, Any]:
    """Return each gap's example, enough to fill every template."""
    return {name: g.example for name, g in GAPS.items()}


def fill(node: Any, values: Mapping[str, Any]) -> Any:
    """Return the template with its gaps filled; the template itself stays as it was.

    `values` are by the gaps' names; those that this template does not use are checked, and else left aside, so that
    one set serves all templates of a replay. Raises ConfigError with every problem: a gap that is not in GAPS, one
    without a value, a value of the wrong type or form, a value whose name is no gap's.
    """
    problems = [*_value_problems(values), *_template_problems(node, values)]
    if problems:
        raise ConfigError(problems)
    return _fill(node, values)


def _value_problems(values: Mapping[str, Any]) -> Iterator[str]:
    for name, value in values.items():
        known = GAPS.get(name)
        if known is None:
            near = nearest(name, GAPS)
            yield f"value {name!r}: no gap has this name" + (f"; did you mean {near[0]!r}?" if near else "")
        elif problem := _wrong(known, value):
            yield f"value {name!r}: {problem}"


def _wrong(known: Gap, value: Any) -> str:
    if value is None:
        return "" if known.optional else f"expected {known.type}, found nothing; only an optional gap may be left out"
    fits = isinstance(value, _KINDS[known.type]) and (known.type != "integer" or not isinstance(value, bool))
    if not fits:
        return f"expected {known.type}, found {type(value).__name__}"
    if known.pattern and not re.fullmatch(known.pattern, value):
        return f"{value!r} does not match {known.pattern!r}"
    return ""


def _template_problems(node: Any, values: Mapping[str, Any]) -> Iterator[str]:
    for path, text in _texts(node, ""):
        for match in _GAP.finditer(text):
            name = match[1]
            if name is None:
                continue
            known = GAPS.get(name)
            if known is None:
                near = nearest(name, GAPS)
                yield f"{path}: unknown gap {name!r}" + (f"; did you mean {near[0]!r}?" if near else "")
            elif name not in values and not known.optional:
                yield f"{path}: no value for gap {name!r}: {known.description}"
            elif match[0] != text and not match[2] and known.type in ("object", "array"):
                yield f"{path}: gap {name!r} is of type {known.type} and cannot stand inside a text"


def _fill(node: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(node, str):
        return _fill_text(node, values)
    if isinstance(node, Mapping):
        filled = ((key, _fill(value, values)) for key, value in node.items())
        return {key: value for key, value in filled if value is not _ABSENT}
    if isinstance(node, (list, tuple)):
        return list(_fill_items(node, values))
    return node


def _fill_items(items: Sequence[Any], values: Mapping[str, Any]) -> Iterator[Any]:
    for item in items:
        filled = _fill(item, values)
        if filled is _ABSENT:
            continue
        if isinstance(item, str) and isinstance(filled, list):
            yield from filled
        else:
            yield filled


def _fill_text(text: str, values: Mapping[str, Any]) -> Any:
    whole = _GAP.fullmatch(text)
    if whole is not None and whole[1]:
        value = values.get(whole[1])
        if value is None:
            return _ABSENT
        return _as_text(value) if whole[2] else _copy(value)
    return _GAP.sub(lambda m: _as_text(values.get(m[1])) if m[1] else "@", text)


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (Mapping, list, tuple)):
        return json.dumps(_copy(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return str(value)


def _copy(value: Any) -> Any:
    """Return plain dicts and lists, so that nobody changes a value through a filled template."""
    if isinstance(value, Mapping):
        return {key: _copy(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_copy(item) for item in value]
    return value


def _texts(node: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, str):
        yield path, node
    elif isinstance(node, Mapping):
        for key, value in node.items():
            yield from _texts(value, f"{path}.{key}" if path else str(key))
    elif isinstance(node, (list, tuple)):
        for index, item in enumerate(node):
            yield from _texts(item, f"{path}[{index}]")
