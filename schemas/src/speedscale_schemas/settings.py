"""Read a service's settings from its environment, as its schema `settings/<service>` describes them.

One frozen dataclass per service is built from the result; nothing else reads the environment. All bad values
are reported together. The schema's properties are the variables' names; `type` is string, integer, number,
boolean, array (comma-separated strings) or object (JSON).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .errors import ConfigError
from .validation import check, nearest, schema

_TRUE = {"true", "1", "yes", "on"}
_FALSE = {"false", "0", "no", "off", ""}


def parse(service: str, environ: Mapping[str, str]) -> dict[str, Any]:
    """Return each setting by its variable's name, typed, with the schema's default where unset.

    Raises ConfigError with every bad value, and every variable that looks like a misspelt one.
    """
    properties: Mapping[str, Mapping[str, Any]] = schema(f"settings/{service}")["properties"]
    values: dict[str, Any] = {}
    problems: list[str] = []
    for name, prop in properties.items():
        text = environ.get(name)
        if text is None:
            values[name] = prop.get("default")
            continue
        try:
            values[name] = _convert(text, prop.get("type", "string"))
        except ValueError as error:
            problems.append(f"environment: {name}: {text!r}: {error}")
    given = {k: v for k, v in values.items() if k in environ and not any(k in p for p in problems)}
    problems += [str(p) for p in check(f"settings/{service}", given, source="environment")]
    for name in environ:
        if name in properties or not name.startswith(tuple(_prefixes(properties))):
            continue
        near = [n for n in nearest(name, properties) if n not in environ and _distance_small(name, n)]
        if near:
            problems.append(f"environment: {name}: unknown setting; did you mean {near[0]!r}?")
    if problems:
        raise ConfigError(problems)
    return values


def _convert(text: str, kind: str) -> Any:
    if kind == "boolean":
        folded = text.strip().casefold()
        if folded in _TRUE:
            return True
        if folded in _FALSE:
            return False
        raise ValueError("expected true or false")
    if kind == "integer":
        try:
            return int(text)
        except ValueError:
            raise ValueError("expected a whole number") from None
    if kind == "number":
        try:
            return float(text)
        except ValueError:
            raise ValueError("expected a number") from None
    if kind == "array":
        return [part.strip() for part in text.split(",") if part.strip()]
    if kind == "object":
        try:
            return json.loads(text)
        except ValueError as error:
            raise ValueError(f"expected JSON ({error})") from None
    return text


def _prefixes(properties: Mapping[str, object]) -> set[str]:
    return {name.split("_", 1)[0] + "_" for name in properties if "_" in name}


def _distance_small(a: str, b: str) -> bool:
    return abs(len(a) - len(b)) <= 2 and sum(x != y for x, y in zip(a, b, strict=False)) <= max(3, len(a) // 3)
