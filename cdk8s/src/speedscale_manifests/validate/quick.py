"""Kubernetes' schemas as predicates: whether a value fits, a hundred times faster than a validator that says why.

Called by `kubernetes`, which asks jsonschema for the reasons only where a predicate says no. The schemas use ten
keywords; a schema with any other gives no predicate, and jsonschema alone decides. A test holds both to the same
verdict. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Fits = Callable[[Any], bool]
Schema = Mapping[str, Any]

# Words that say nothing about whether a value fits. `format` is an annotation in JSON Schema 2020-12.
_SILENT = frozenset(("$id", "$schema", "description", "format", "default"))
_KNOWN = frozenset(("$ref", "additionalProperties", "enum", "items", "oneOf", "properties", "required", "type"))
_TYPES: Mapping[str, Fits] = {
    "array": lambda value: isinstance(value, list),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: type(value) is int or (type(value) is float and value.is_integer()),
    "null": lambda value: value is None,
    "number": lambda value: type(value) is int or type(value) is float,
    "object": lambda value: isinstance(value, dict),
    "string": lambda value: isinstance(value, str),
}


class UnknownKeyword(Exception):
    """The schema says something that predicates cannot."""


class Compiler:
    """Makes predicates over one set of definitions; each definition is compiled once, when it is first needed."""

    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self._definitions = definitions
        self._made: dict[str, Fits] = {}

    def compile(self, schema: Schema) -> Fits:
        """Return the predicate of a schema; UnknownKeyword when it has a keyword that is not known here."""
        unknown = [key for key in schema if key not in _KNOWN | _SILENT and not key.startswith("x-kubernetes-")]
        if unknown:
            raise UnknownKeyword(unknown[0])
        tests: list[Fits] = []
        if "$ref" in schema:
            tests.append(self._reference(str(schema["$ref"]).rpartition("/")[2]))
        if "type" in schema:
            tests.append(_typed(schema["type"]))
        if "enum" in schema:
            allowed = schema["enum"]
            tests.append(lambda value: any(value == one and type(value) is type(one) for one in allowed))
        if "oneOf" in schema:
            options = [self.compile(one) for one in schema["oneOf"]]
            tests.append(lambda value: sum(option(value) for option in options) == 1)
        if "items" in schema:
            tests.append(_items(self.compile(schema["items"])))
        if schema.keys() & {"properties", "required", "additionalProperties"}:
            tests.append(self._object(schema))
        return _all(tests)

    def _reference(self, name: str) -> Fits:
        """Return a predicate that compiles the definition when it is first asked: definitions refer to themselves."""
        if name not in self._definitions:
            raise UnknownKeyword(f"$ref {name}")

        def fits(value: Any) -> bool:
            made = self._made.get(name)
            if made is None:
                made = self._made[name] = self.compile(self._definitions[name])
            return made(value)

        return fits

    def _object(self, schema: Schema) -> Fits:
        known = {name: self.compile(inner) for name, inner in schema.get("properties", {}).items()}
        required = tuple(schema.get("required", ()))
        extra = schema.get("additionalProperties", True)
        other = self.compile(extra) if isinstance(extra, Mapping) else (lambda value: bool(extra))

        def fits(value: Any) -> bool:
            if not isinstance(value, dict):
                return True
            return all(key in value for key in required) and all(
                known.get(key, other)(inner) for key, inner in value.items()
            )

        return fits


def _typed(kinds: str | list[str]) -> Fits:
    if isinstance(kinds, str):
        return _TYPES[kinds]
    tests = [_TYPES[kind] for kind in kinds]
    return lambda value: any(test(value) for test in tests)


def _items(inner: Fits) -> Fits:
    return lambda value: not isinstance(value, list) or all(inner(item) for item in value)


def _all(tests: list[Fits]) -> Fits:
    if len(tests) == 1:
        return tests[0]
    return lambda value: all(test(value) for test in tests)
