"""JSON Patch (RFC 6902) from one object to another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def patch(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the operations that turn `before` into `after`; empty when they are equal."""
    return [] if before == after else [{"op": "replace", "path": "", "value": after}]
