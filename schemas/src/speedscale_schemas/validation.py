"""Check documents against the JSON Schemas in `documents/`, with errors that a person can act on.

Called by every reader of a user's file. Pure: documents come in parsed; `source` only names them in messages.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from referencing import Registry, Resource

_SUFFIX = ".schema.json"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where (`source`, `path`), what stands there, what was expected, a nearest name."""

    source: str
    path: str
    value: str
    expected: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.source}: " if self.source else ""
        hint = f"; {self.hint}" if self.hint else ""
        return f"{place}{self.path or '(root)'}: {self.value}: {self.expected}{hint}"


@cache
def kinds() -> tuple[str, ...]:
    """Return the names of all document kinds, e.g. `filter-rule`, `settings/forwarder`."""
    root = resources.files(__package__) / "documents"
    names: list[str] = []
    for entry in root.iterdir():
        if entry.name.endswith(_SUFFIX):
            names.append(entry.name.removesuffix(_SUFFIX))
        elif entry.is_dir():
            names += [
                f"{entry.name}/{f.name.removesuffix(_SUFFIX)}" for f in entry.iterdir() if f.name.endswith(_SUFFIX)
            ]
    return tuple(sorted(names))


@cache
def schema(kind: str) -> Mapping[str, Any]:
    """Return the JSON Schema of a kind; KeyError with the valid names for an unknown one."""
    if kind not in kinds():
        raise KeyError(f"no schema {kind!r}; there are {', '.join(kinds())}")
    text = (resources.files(__package__) / "documents" / f"{kind}{_SUFFIX}").read_text("utf-8")
    loaded: Mapping[str, Any] = json.loads(text)
    return loaded


@cache
def _registry() -> Registry[Any]:
    pairs = [(f"speedscale:{k}", Resource.from_contents(schema(k))) for k in kinds()]
    registry: Registry[Any] = Registry().with_resources(pairs)
    return registry


@cache
def _validator(kind: str) -> Draft202012Validator:
    return Draft202012Validator(schema(kind), registry=_registry())


def check(kind: str, document: object, *, source: str = "") -> list[Problem]:
    """Return every problem of the document, in document order; an empty list when it is valid."""
    found = {_problem(error, source) for error in _leaves(_validator(kind).iter_errors(document))}
    return sorted(found, key=lambda p: (p.path, p.expected))


def _leaves(errors: Iterable[ValidationError]) -> Iterable[ValidationError]:
    for error in errors:
        if error.context:
            best = min(error.context, key=lambda e: (len(e.context or ()), -len(e.absolute_path)))
            yield from _leaves([best])
        else:
            yield error


def _problem(error: ValidationError, source: str) -> Problem:
    path = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in error.absolute_path).lstrip(".")
    value = _short(error.instance)
    hint = ""
    expected = error.message
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known = list(error.schema.get("properties", {})) if isinstance(error.schema, dict) else []
        unknown = [k for k in error.instance if k not in known]
        value = ", ".join(repr(k) for k in unknown)
        expected = f"unknown key; known are {', '.join(known)}"
        near = [m for k in unknown for m in nearest(k, known)]
        hint = f"did you mean {near[0]!r}?" if near else ""
    elif error.validator == "enum":
        options = [str(v) for v in error.validator_value]
        expected = f"expected one of {', '.join(options)}"
        near = nearest(str(error.instance), options)
        hint = f"did you mean {near[0]!r}?" if near else ""
    elif error.validator == "type":
        expected = f"expected {error.validator_value}, found {type(error.instance).__name__}"
    return Problem(source, path, value, expected, hint)


def nearest(name: str, candidates: Iterable[str]) -> list[str]:
    """Return at most three candidates that resemble `name`, the nearest first; letter case is ignored."""
    by_fold = {c.casefold(): c for c in candidates}
    return [by_fold[m] for m in difflib.get_close_matches(name.casefold(), by_fold, n=3, cutoff=0.6)]


def _short(value: object, limit: int = 60) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= limit else text[: limit - 1] + "…"
