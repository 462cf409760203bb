"""The filter rules that come with the product, by name."""

from __future__ import annotations

from typing import Any

from speedscale_schemas import builtins


def builtin_names() -> tuple[str, ...]:
    """Return the names of the built-in rules, sorted."""
    return builtins.names("filter-rule")


def builtin(name: str) -> dict[str, Any]:
    """Return a fresh copy of a built-in rule's JSON; ConfigError with the valid names for an unknown one."""
    return builtins.document("filter-rule", name)
