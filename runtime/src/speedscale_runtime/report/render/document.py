"""The report as JSON (schema `report`): the dataclasses with their names in camelCase, nothing added.

Data of the run (headers, status codes, the test config) keeps its own keys.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any

from speedscale_runtime.report.model import Report


def render(report: Report) -> bytes:
    """Return the report as indented JSON with a final newline."""
    # The standard library, because a test config may hold integers beyond 64 bits.
    return json.dumps(as_json(report), ensure_ascii=False, indent=2).encode("utf-8") + b"\n"


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
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


@cache
def camel(name: str) -> str:
    """Return `snake_case` as `snakeCase`."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
