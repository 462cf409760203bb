"""Read a service's settings from its environment, as its schema `settings/<service>` describes them.

One frozen dataclass per service is built from the result; nothing else reads the environment. All bad values
are reported together. The schema's properties are the variables' names; `type` is string, integer, number,
boolean, array (comma-separated, or a JSON array) or object (JSON). An empty value of a number, boolean or object
means unset: a boolean that protects something is never turned off by it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from .errors import ConfigError
from .validation import check, kinds, schema

_TRUE = {"true", "1", "yes", "on"}
_FALSE = {"false", "0", "no", "off"}
_INTEGER = re.compile(r"[+-]?[0-9]+")
_LINKS = re.compile(r"_SERVICE_(HOST|PORT)(_\w+)?$|_PORT_\d+_(TCP|UDP|SCTP)\w*$")
"""Names that Kubernetes sets for each Service (and `X_PORT=tcp://…`); never a misspelt setting of ours."""


def parse(service: str, environ: Mapping[str, str]) -> dict[str, Any]:
    """Return each setting by its variable's name, typed, with the schema's default where unset.

    Raises ConfigError with every bad value, every required one that is missing, and every variable that looks
    like a misspelt one. Values of settings marked `writeOnly` never appear in the message.
    """
    document = schema(f"settings/{service}")
    properties: Mapping[str, Mapping[str, Any]] = document["properties"]
    values: dict[str, Any] = {name: prop.get("default") for name, prop in properties.items()}
    given: dict[str, Any] = {}
    problems: list[str] = []
    missing = set(document.get("required", ())) - environ.keys()
    for name, prop in properties.items():
        text = environ.get(name)
        if text is None or (not text.strip() and _empty_is_unset(prop)):
            if text is not None and name in document.get("required", ()):
                missing.add(name)
            continue
        try:
            given[name] = values[name] = _convert(text, prop)
        except ValueError as error:
            shown = "(hidden)" if prop.get("writeOnly") else repr(text[:60])
            problems.append(f"environment: {name}: {shown}: {error}")
    for name in sorted(missing):
        about = str(properties.get(name, {}).get("description", "")).rstrip(".")
        problems.append(f"environment: {name}: missing{f': {about}' if about else ''}")
    found = check(f"settings/{service}", given, source="environment")
    problems += [str(p) for p in found if p.path or "is missing" not in p.expected]
    problems += _misspelt(service, properties, environ)
    if problems:
        raise ConfigError(problems)
    return values


def _empty_is_unset(prop: Mapping[str, Any]) -> bool:
    return _kind(prop) in ("boolean", "integer", "number", "object")


def _kind(prop: Mapping[str, Any]) -> str:
    kind = prop.get("type", "string")
    if isinstance(kind, list):
        return str(next((k for k in kind if k != "null"), "string"))
    return str(kind)


def _convert(text: str, prop: Mapping[str, Any]) -> Any:
    kind = _kind(prop)
    if kind == "array":
        return _array(text, prop.get("items", {}))
    if kind == "object":
        return _json(text, dict, "a JSON object")
    return _scalar(text, kind)


def _scalar(text: str, kind: str) -> Any:
    word = text.strip()
    if kind == "boolean":
        if word.casefold() in _TRUE | _FALSE:
            return word.casefold() in _TRUE
        raise ValueError("expected true or false")
    if kind == "integer":
        if _INTEGER.fullmatch(word) is None or len(word) > 20:
            raise ValueError("expected a whole number")
        return int(word)
    if kind == "number":
        try:
            number = float(word)
        except ValueError:
            number = math.nan
        if not math.isfinite(number) or "_" in word:
            raise ValueError("expected a number")
        return number
    return text


def _array(text: str, items: Mapping[str, Any]) -> list[Any]:
    kind = _kind(items)
    if text.lstrip().startswith("[") or kind in ("object", "array"):
        found: list[Any] = _json(text, list, "a JSON array") if text.strip() else []
        return found
    return [_scalar(part.strip(), kind) for part in text.split(",") if part.strip()]


def _json(text: str, kind: type, expected: str) -> Any:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"expected {expected} ({error})") from None
    if not isinstance(value, kind):
        raise ValueError(f"expected {expected}, found {type(value).__name__}")
    return value


def _misspelt(service: str, properties: Mapping[str, object], environ: Mapping[str, str]) -> Iterator[str]:
    """Tell variables that are a slip away from a setting which is not given itself.

    Narrow on purpose: a variable of someone else's must never keep a service from starting.
    """
    others = {n for k in kinds() if k.startswith("settings/") for n in schema(k).get("properties", {})}
    for name in sorted(environ):
        if name in others or _LINKS.search(name) or environ[name].startswith(("tcp://", "udp://", "sctp://")):
            continue
        near = [known for known in properties if known not in environ and _slip(name, known)]
        if near:
            yield f"environment: {name}: unknown setting of {service}; did you mean {near[0]!r}?"


def _slip(name: str, known: str) -> bool:
    """Tell whether one word of the name is misspelt: one slip, or two in a word of six letters or more."""
    if len(known) < 6 or "_" not in known or abs(len(name) - len(known)) > 2:
        return False
    ours, theirs = known.split("_"), name.upper().split("_")
    if len(ours) != len(theirs):
        return "".join(ours) == "".join(theirs)
    wrong = [(a, b) for a, b in zip(ours, theirs, strict=True) if a != b]
    if not wrong:
        return name != known
    a, b = wrong[0]
    return len(wrong) == 1 and len(a) > 2 and _distance(a, b) <= (2 if len(a) >= 6 else 1)


def _distance(a: str, b: str) -> int:
    """Return the number of letters inserted, deleted, replaced or swapped with their neighbour."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        previous, row = row, [i]
        for j, y in enumerate(b, 1):
            best = min(previous[j] + 1, row[j - 1] + 1, previous[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                best = min(best, before[j - 2] + 1)
            row.append(best)
        before = previous
    return row[-1]
