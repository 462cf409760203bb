"""The backend's API as a document: operations with scope, parameters and bodies, read from `backend.openapi.json`.

The backend serves the document and takes scopes, bounds and the shapes of requests from it; its contract test holds the
answers to it, too. Pure: it reads only what is part of this package.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from jsonschema import Draft202012Validator

from .formats import FORMATS
from .wording import problems

SCOPES = ("ingest", "read", "write", "control", "admin")
"""What a key may do; `admin` may do everything."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation. `scopes`: any of them is needed; empty means any key, None no key at all."""

    id: str
    method: str
    path: str
    scopes: tuple[str, ...] | None
    parameters: tuple[Mapping[str, Any], ...]
    body_schema: Mapping[str, Any] | None
    max_bytes: int | str

    def named(self, where: str) -> dict[str, Mapping[str, Any]]:
        """Return the schemas of parameters in `query` or `path`, by name."""
        return {p["name"]: p["schema"] for p in self.parameters if p["in"] == where}


@cache
def document() -> Mapping[str, Any]:
    """Return the OpenAPI document."""
    text = (resources.files(__package__) / "documents" / "backend.openapi.json").read_text("utf-8")
    loaded: Mapping[str, Any] = json.loads(text)
    return loaded


@cache
def operations() -> Mapping[str, Operation]:
    """Return every operation by its id."""
    found = {}
    for path, methods in document()["paths"].items():
        for method, given in methods.items():
            content = given.get("requestBody", {}).get("content", {})
            scope = given["x-scope"]
            operation = Operation(
                id=given["operationId"],
                method=method.upper(),
                path=path,
                scopes=None if scope is None else tuple([scope] if isinstance(scope, str) and scope else scope or ()),
                parameters=tuple(given.get("parameters", ())),
                body_schema=content.get("application/json", {}).get("schema"),
                max_bytes=given.get("x-max-bytes", 0),
            )
            found[operation.id] = operation
    return found


@cache
def _validator(key: str) -> Draft202012Validator:
    whole = {**json.loads(key), "components": document()["components"]}
    return Draft202012Validator(whole, format_checker=FORMATS)


def mistakes(schema: Mapping[str, Any], value: object, source: str) -> list[str]:
    """Return what is wrong with a value, each with its place; empty when it keeps to the schema."""
    found = _validator(json.dumps(schema, sort_keys=True)).iter_errors(value)
    return [str(problem) for problem in problems(found, value, source)]
