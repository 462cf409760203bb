"""Check documents against the JSON Schemas in `documents/`, with errors that a person can act on.

Called by every reader of a user's file. Pure: documents come in parsed, or as text to `load`; `source` only names
them in messages. How a problem is worded is in `wording`, where a value stands in a text in `positions`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from . import positions
from .errors import ConfigError
from .formats import FORMATS
from .wording import Problem, nearest, problems

__all__ = ["Problem", "check", "kinds", "load", "nearest", "schema"]

_SUFFIX = ".schema.json"


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
def _validator(kind: str, part: str = "") -> Draft202012Validator:
    found = {"$ref": f"speedscale:{kind}#/$defs/{part}"} if part else schema(kind)
    return Draft202012Validator(found, registry=_registry(), format_checker=FORMATS)


def check(kind: str, document: object, *, source: str = "", part: str = "") -> list[Problem]:
    """Return every problem of the document, in document order; an empty list when it is valid.

    `part` names one of the kind's `$defs`, which the document is held against instead of the whole.
    """
    return problems(_validator(kind, part).iter_errors(document), document, source)


def load(kind: str, text: bytes | str, *, source: str) -> Any:
    """Parse a JSON text, check it and return it.

    Raises ConfigError with every problem, each with source, line, path, what stands there and what was expected.
    """
    try:
        decoded = text.decode("utf-8-sig") if isinstance(text, bytes) else text
        document = json.loads(decoded)
    except UnicodeDecodeError as error:
        raise ConfigError([f"{source}: byte {error.start} is no UTF-8; expected a JSON text in UTF-8"]) from None
    except json.JSONDecodeError as error:
        raise ConfigError([f"{source}:{error.lineno}:{error.colno}: expected JSON: {error.msg}"]) from None
    except (RecursionError, ValueError) as error:
        raise ConfigError([f"{source}: expected JSON: {error}"]) from None
    found = check(kind, document, source=source)
    if found:
        lines = positions.lines(decoded)
        raise ConfigError([str(p.at_line(lines)) for p in found])
    return document
