"""The report as JSON (schema `report`): the dataclasses with their names in camelCase, nothing added.

Data of the run (headers, status codes, the test config) keeps its own keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any

import orjson

from speedscale_runtime.report.model import Report


def render(report: Report) -> bytes:
    """Return the report as indented JSON with a final newline."""
    return orjson.dumps(as_json(report), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def as_json(value: Any) -> Any:
    """Return a dataclass, and everything in it, as JSON values."""
    if is_dataclass(value) and not isinstance(value, type):
        return {camel(f.name): as_json(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(k): as_json(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(v) for v in value]
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    return value


@cache
def camel(name: str) -> str:
    """Return `snake_case` as `snakeCase`."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
