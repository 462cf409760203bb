"""A layer against the schema: every wrong key, type, choice and bound, with its place, reason and remedy.

Called by `loading` for each layer alone (so that lines are those of the file that is wrong) and for the merged tree.
Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator, validators
from jsonschema.exceptions import ValidationError

from speedscale_schemas import wording
from speedscale_schemas.formats import FORMATS

from . import secrets, tree
from .layers import Layer, Merged
from .places import Path, Refusal, text

_KINDS = {"dict": "a map", "list": "a list", "str": "text", "bool": "a boolean", "int": "a number", "float": "a number"}
_WANTED = {
    "object": "a map",
    "array": "a list",
    "string": "text",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
}


def check_layer(layer: Layer) -> list[Refusal]:
    """Return what is wrong with one layer; keys that must be there are judged in the merged tree only."""
    whole = _without_nulls(layer.tree, ())
    errors = [error for error in _validator().iter_errors(whole) if error.validator != "required"]
    found = {refusal: None for error in errors for refusal in _told(error, layer)}
    found |= dict.fromkeys(_nulls_in_lists(whole, (), layer))
    return sorted(found, key=lambda refusal: refusal.place)


def _nulls_in_lists(value: Any, path: Path, layer: Layer) -> Iterator[Refusal]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _nulls_in_lists(item, (*path, key), layer)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            here = (*path, index)
            if item is None:
                yield Refusal(layer.place(here), text(here), "an item is nothing", "remove it, or write its value")
            yield from _nulls_in_lists(item, here, layer)


def check_merged(merged: Merged) -> list[Refusal]:
    """Return what only the sum shows: an entry that lacks a key, lists that are too short after a null.

    What no layer touched are defaults, which are valid.
    """
    touched = {path[0] for path in merged.origins}
    whole = {key: value for key, value in merged.tree.items() if key in touched}
    holder = Layer("values", whole, merged.origins)
    return [refusal for error in _validator().iter_errors(whole) for refusal in _told(error, holder)]


@cache
def _validator() -> Draft202012Validator:
    strict = validators.extend(Draft202012Validator, {"pattern": _pattern})  # type: ignore[no-untyped-call]
    return strict(_inlined(tree.root()), format_checker=FORMATS)  # type: ignore[no-any-return]


def _inlined(node: Any) -> Any:
    """Return the schema without references: looking them up anew for each value took two thirds of the time."""
    if isinstance(node, list):
        return [_inlined(item) for item in node]
    if not isinstance(node, dict):
        return node
    whole = tree.resolve(node) if isinstance(node.get("$ref"), str) else node
    return {key: _inlined(value) for key, value in whole.items() if key not in ("$defs", "default", "examples")}


def _pattern(_: Any, pattern: str, instance: object, __: Any) -> Iterator[ValidationError]:
    """Judge a pattern as JSON Schema means it: `$` is the end of the text, not the place before a last newline."""
    if isinstance(instance, str) and not re.search(pattern.replace("$", r"\Z"), instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _without_nulls(value: Any, path: Path) -> Any:
    """Return a tree to judge: a null that takes away is always right where the key is, so the default stands in."""
    if isinstance(value, Mapping):
        result = {}
        for key, item in value.items():
            here = (*path, key)
            if item is not None:
                result[key] = _without_nulls(item, here)
            elif tree.at(here) is None:
                result[key] = None  # an unknown key stays one
        return result
    if isinstance(value, list | tuple):
        return [_without_nulls(item, (*path, index)) for index, item in enumerate(value)]
    return value


def _told(error: ValidationError, layer: Layer) -> Iterator[Refusal]:
    path: Path = tuple(error.absolute_path)
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known = error.schema.get("properties", {}) if isinstance(error.schema, dict) else {}
        for key in error.instance:
            if key not in known:
                here = (*path, key)
                yield Refusal(layer.place(here), text(here), f"unknown key {key!r}", tree.suggestion(here))
    elif error.validator == "required":
        required: Any = error.validator_value
        instance: Any = error.instance
        missing = next(k for k in required if k not in instance and repr(k) in error.message)
        about = (tree.at((*path, missing)) or {}).get("description", "").rstrip(".")
        remedy = f"{about}; {_example((*path, missing))}".strip("; ")
        yield Refusal(layer.place(path), text(path), f"the key {missing!r} is missing", remedy)
    elif _within(error, "propertyNames"):
        here = (*path, str(error.instance))
        if error.validator == "enum":
            yield Refusal(layer.place(here), text(here), f"unknown key {error.instance!r}", _nearest(error))
            return
        reason = f"{error.instance!r} is no valid key"
        yield Refusal(layer.place(here), text(here), reason, f"{_expected(error)}, {_key_example(path)}".strip(", "))
    else:
        reason = f"{_value(error, path, layer.raw.get(path, ''))}: {_expected(error)}"
        yield Refusal(layer.place(path), text(path), reason, _remedy(error, layer))


def _within(error: ValidationError, keyword: str) -> bool:
    return keyword in error.absolute_schema_path or keyword in error.schema_path


def _value(error: ValidationError, path: Path, raw: str = "") -> str:
    """Return the wrong value for a message; maps, lists and secrets are not printed."""
    instance = error.instance
    if isinstance(instance, dict | list):
        return _KINDS[type(instance).__name__] if instance else wording.short(instance)
    if secrets.found(path, instance):
        return "(hidden)"
    return raw or wording.short(instance)


def _expected(error: ValidationError) -> str:
    if error.validator == "type":
        wanted: Any = error.validator_value
        names = wanted if isinstance(wanted, list) else [wanted]
        shown = [_WANTED[name] for name in names if name in _WANTED and (name != "integer" or "number" not in names)]
        found = _KINDS.get(type(error.instance).__name__, "null")
        return f"expected {' or '.join(shown)}" + (
            "" if isinstance(error.instance, dict | list) else f", found {found}"
        )
    if error.validator == "pattern" and error.validator_value == tree.root()["$defs"]["quantity"]["pattern"]:
        return "expected a quantity"
    if error.validator == "pattern" and isinstance(error.schema, dict) and error.schema.get("x-expected"):
        return f"expected {error.schema['x-expected']}"
    if error.validator == "enum":
        options: Any = error.validator_value
        return f"expected one of {', '.join(option or 'nothing' for option in options if option is not None)}"
    told = wording.problems([error], error.instance, "")
    return told[0].expected.partition(", for example")[0]


def _remedy(error: ValidationError, layer: Layer) -> str:
    path: Path = tuple(error.absolute_path)
    raw = layer.raw.get(path)
    if error.validator == "type" and error.validator_value == "string" and raw is not None:
        return f'quote it: "{raw}"'
    if error.validator == "type" and isinstance(error.instance, str):
        if error.validator_value in ("integer", "boolean") and _unquoted(error.instance, str(error.validator_value)):
            return f"without quotes: {error.instance.strip()}"
        if error.validator_value == "array":
            return f"a list, even of one: [{secrets.hidden(path, error.instance)}]"
    return _nearest(error) if error.validator == "enum" else _example(path)


def _nearest(error: ValidationError) -> str:
    options: Any = error.validator_value
    near = wording.nearest(str(error.instance), [option for option in options if option])
    if near:
        return f"did you mean {near[0]!r}?"
    return f"there are {', '.join(options)}" if _within(error, "propertyNames") else ""


def _unquoted(value: str, kind: str) -> bool:
    return value.strip() in ("true", "false") if kind == "boolean" else value.strip().lstrip("-").isdigit()


def _example(path: Path) -> str:
    examples = (tree.at(path) or {}).get("examples") or []
    return f"e.g. {json.dumps(examples[0], ensure_ascii=False)}" if examples else ""


def _key_example(path: Path) -> str:
    examples = (tree.at(path) or {}).get("examples") or []
    return f"e.g. {next(iter(examples[0]))}" if examples and isinstance(examples[0], dict) and examples[0] else ""
