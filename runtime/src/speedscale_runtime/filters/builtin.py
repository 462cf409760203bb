"""The filter rules that come with the product, by name.

Called by every service that takes a rule's name. They are JSON files in `speedscale_schemas/builtin/filters`; no
rule is built in code.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

from speedscale_schemas.errors import ConfigError
from speedscale_schemas.validation import nearest

_SUFFIX = ".json"


@cache
def builtin_names() -> tuple[str, ...]:
    """Return the names of the built-in rules, sorted."""
    folder = resources.files("speedscale_schemas") / "builtin" / "filters"
    return tuple(sorted(f.name.removesuffix(_SUFFIX) for f in folder.iterdir() if f.name.endswith(_SUFFIX)))


def builtin(name: str) -> dict[str, Any]:
    """Return a fresh copy of a built-in rule's JSON; ConfigError with the valid names for an unknown one."""
    if name not in builtin_names():
        near = nearest(name, builtin_names())
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ConfigError([f"filter rule {name!r}: no such rule; built in are {', '.join(builtin_names())}{hint}"])
    text = (resources.files("speedscale_schemas") / "builtin" / "filters" / f"{name}{_SUFFIX}").read_text("utf-8")
    rule: dict[str, Any] = json.loads(text)
    return rule
