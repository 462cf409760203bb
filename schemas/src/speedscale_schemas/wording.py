"""How a schema's errors are told to people: where, what stands there, what was expected, and a nearest name.

Called by `validation` only. One entry of a table words one keyword of JSON Schema; alternatives (`anyOf`, `oneOf`)
are told as one problem of the branch that was probably meant, or as the list of what would have done.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from jsonschema.exceptions import ValidationError

Path = tuple[str | int, ...]

_TYPES = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", float: "number"}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where (`source`, `path`), what stands there, what was expected, a nearest name.

    `parts` is the path as names and indexes, `line` the line in the source, 0 when unknown.
    """

    source: str
    path: str
    value: str
    expected: str
    hint: str = ""
    parts: Path = field(default=(), compare=False)
    line: int = 0

    def __str__(self) -> str:
        place = f"{self.source}:{self.line}: " if self.source and self.line else f"{self.source}: "
        hint = f"; {self.hint}" if self.hint else ""
        value = f"{self.value}: " if self.value else ""
        return f"{place if self.source else ''}{self.path or '(root)'}: {value}{self.expected}{hint}"

    def at_line(self, lines: Mapping[Path, int]) -> Problem:
        """Return the problem with the line of its path, or of the nearest path above it that has one."""
        parts = self.parts
        while parts and parts not in lines:
            parts = parts[:-1]
        return replace(self, line=lines.get(parts, 1))


def problems(errors: Iterable[ValidationError], document: object, source: str) -> list[Problem]:
    """Return the errors as problems in document order, each once."""
    found: dict[Problem, None] = {}
    for error in errors:
        for problem in _told(error, source):
            found[problem] = None
    return sorted(found, key=lambda p: _order(document, p.parts))


def nearest(name: str, candidates: Iterable[str]) -> list[str]:
    """Return at most three candidates that resemble `name`, the nearest first; letter case is ignored."""
    by_fold = {c.casefold(): c for c in candidates}
    return [by_fold[m] for m in difflib.get_close_matches(name.casefold(), by_fold, n=3, cutoff=0.6)]


def short(value: object, limit: int = 60) -> str:
    """Return a value as JSON, cut to `limit` characters."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _order(document: object, parts: Path) -> tuple[int, ...]:
    """Return where a path stands in the document, as numbers that sort."""
    ranks: list[int] = []
    for part in parts:
        if isinstance(document, dict):
            names = list(document)
            ranks.append(names.index(part) if part in document else len(names))
            document = document.get(part)
        elif isinstance(document, list) and isinstance(part, int) and part < len(document):
            ranks.append(part)
            document = document[part]
    return tuple(ranks)


def _told(error: ValidationError, source: str) -> Iterator[Problem]:
    if error.validator in ("anyOf", "oneOf") and error.context:
        merged = _alternatives(error, source)
        if merged is not None:
            yield merged
            return
        for inner in _meant(error):
            yield from _told(inner, source)
    elif error.validator == "required" and isinstance(_wanted(error), list):
        yield _problem(error, source, "", *_required(error))
    elif error.validator in ("additionalProperties", "unevaluatedProperties") and isinstance(error.instance, dict):
        yield from _unknown_keys(error, source)
    else:
        yield _problem(error, source, _value(error), *_expected(error))


def _problem(
    error: ValidationError, source: str, value: str, expected: str, hint: str = "", extra: Path = ()
) -> Problem:
    parts = (*error.absolute_path, *extra)
    return Problem(source, path_text(parts), value, expected, hint, parts)


def path_text(parts: Path) -> str:
    """Return a path as people write it: `a.b[0]`."""
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in parts).lstrip(".")


def _wanted(error: ValidationError) -> Any:
    """Return the keyword's value in the schema."""
    return error.validator_value


def _value(error: ValidationError) -> str:
    secret = isinstance(error.schema, dict) and error.schema.get("writeOnly")
    return "(hidden)" if secret else short(error.instance)


def _meant(error: ValidationError) -> list[ValidationError]:
    """Return the errors of the branch that was probably meant: fewest wrong discriminators, then deepest error."""
    branches: dict[Any, list[ValidationError]] = {}
    for inner in error.context or ():
        branches.setdefault(inner.relative_schema_path[0], []).append(inner)
    depth = len(error.absolute_path)

    def badness(errors: list[ValidationError]) -> tuple[int, int, int]:
        wrong_kind = sum(e.validator in ("const", "enum", "type") and len(e.absolute_path) <= depth + 1 for e in errors)
        return wrong_kind, -max(len(e.absolute_path) for e in errors), len(errors)

    return min(branches.values(), key=badness)


def _alternatives(error: ValidationError, source: str) -> Problem | None:
    """Tell branches that fail at one place for the same kind of reason as one problem."""
    inner = error.context or []
    if any(list(e.absolute_path) != list(error.absolute_path) for e in inner):
        return None
    if all(e.validator == "required" for e in inner):
        options = [" with ".join(f"{key!r}" for key in _wanted(e)) for e in inner]
        return _problem(error, source, _value(error), f"expected one of the keys {', '.join(dict.fromkeys(options))}")
    if all(e.validator == "type" for e in inner):
        names: list[str] = []
        for e in inner:
            names += _wanted(e) if isinstance(_wanted(e), list) else [_wanted(e)]
        return _problem(error, source, _value(error), f"expected {_any_of(dict.fromkeys(names))}, {_found(error)}")
    if all(e.validator in ("enum", "const") for e in inner):
        options = []
        for e in inner:
            options += _wanted(e) if e.validator == "enum" else [_wanted(e)]
        return _problem(error, source, _value(error), *_one_of(error.instance, options))
    return None


def _required(error: ValidationError) -> tuple[str, str, Path]:
    instance = error.instance if isinstance(error.instance, dict) else {}
    missing = next((k for k in _wanted(error) if k not in instance and repr(k) in error.message), "")
    known = error.schema.get("properties", {}) if isinstance(error.schema, dict) else {}
    about = known.get(missing, {}).get("description", "") if isinstance(known.get(missing, {}), dict) else ""
    expected = f"key {missing!r} is missing" + (f" ({about.rstrip('.')})" if about else "")
    near = [key for key in nearest(missing, instance) if key not in known]
    return expected, f"is {near[0]!r} meant to be it?" if near else "", ()


def _unknown_keys(error: ValidationError, source: str) -> Iterator[Problem]:
    known = list(error.schema.get("properties", {})) if isinstance(error.schema, dict) else []
    patterns = error.schema.get("patternProperties", {}) if isinstance(error.schema, dict) else {}
    if _wanted(error) is not False:  # the value under such a key is wrong, not the key
        yield _problem(error, source, _value(error), error.message)
        return
    instance = error.instance if isinstance(error.instance, dict) else {}
    quoted = [key for key in instance if key not in known and (not patterns or repr(key) in error.message)]
    for key in quoted:
        near = nearest(key, known)
        expected = f"unknown key; known are {', '.join(known)}" if known else "unknown key; none is allowed here"
        yield _problem(error, source, repr(key), expected, f"did you mean {near[0]!r}?" if near else "", (key,))


def _one_of(instance: object, options: list[Any]) -> tuple[str, str]:
    texts = [str(option) for option in options]
    near = nearest(str(instance), texts)
    return f"expected one of {', '.join(texts)}", f"did you mean {near[0]!r}?" if near else ""


def _any_of(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last


def _found(error: ValidationError) -> str:
    return f"found {_TYPES.get(type(error.instance), 'null')}"


def _type(error: ValidationError) -> str:
    wanted = _wanted(error)
    return f"expected {_any_of(wanted) if isinstance(wanted, list) else wanted}, {_found(error)}"


def _pattern(error: ValidationError) -> str:
    given = error.schema.get("examples", []) if isinstance(error.schema, dict) else []
    example = f", for example {short(given[0])}" if given else ""
    return f"expected text that matches {_wanted(error)}{example}"


def _counted(what: str, bound: str) -> Callable[[ValidationError], str]:
    def tell(error: ValidationError) -> str:
        size = len(error.instance) if isinstance(error.instance, str | list | dict) else 0
        return f"expected {bound} {_wanted(error)} {what}, found {size}"

    return tell


_WORDING: dict[str, Callable[[ValidationError], str]] = {
    "type": _type,
    "pattern": _pattern,
    "minimum": lambda e: f"expected {_wanted(e)} or more",
    "maximum": lambda e: f"expected {_wanted(e)} or less",
    "exclusiveMinimum": lambda e: f"expected more than {_wanted(e)}",
    "exclusiveMaximum": lambda e: f"expected less than {_wanted(e)}",
    "multipleOf": lambda e: f"expected a multiple of {_wanted(e)}",
    "minLength": _counted("characters", "at least"),
    "maxLength": _counted("characters", "at most"),
    "minItems": _counted("items", "at least"),
    "maxItems": _counted("items", "at most"),
    "minProperties": _counted("keys", "at least"),
    "maxProperties": _counted("keys", "at most"),
    "uniqueItems": lambda _: "expected each item once",
    "format": lambda e: f"expected the format {_wanted(e)}",
    "const": lambda e: f"expected {short(_wanted(e))}",
    "propertyNames": lambda e: f"this key is not allowed: {e.message}",
    "dependentRequired": lambda e: e.message,
    "oneOf": lambda _: "fits several alternatives where exactly one is allowed",
    "not": lambda _: "this combination is not allowed",
    "contains": lambda _: "none of the items is as required",
    "false": lambda _: "not allowed here",
}


def _expected(error: ValidationError) -> tuple[str, str]:
    if error.validator == "enum":
        return _one_of(error.instance, _wanted(error))
    tell = _WORDING.get(str(error.validator))
    return (tell(error) if tell else error.message), ""
