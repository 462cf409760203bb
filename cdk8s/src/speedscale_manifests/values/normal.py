"""One form for what means the same: a quantity is text (`cpu: 1` → "1"), a whole number an int (`2.0` → 2).

So that the same settings give the same bytes however they were written. Called by `loading` on a checked tree.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from . import tree


def normalise(values: dict[str, Any]) -> None:
    """Bring a merged, checked tree into its one form, in place."""
    for key in values:
        values[key] = _normal(values[key], tree.step(tree.root(), key) or {})


def _normal(value: Any, node: tree.Schema) -> Any:
    if isinstance(value, dict):
        return {key: _normal(item, tree.step(node, key) or {}) for key, item in value.items()}
    if isinstance(value, list):
        return [_normal(item, tree.step(node, index) or {}) for index, item in enumerate(value)]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if tree.kind(node) == "quantity":
        return _quantity(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _quantity(value: float) -> str:
    written = format(Decimal(repr(value)), "f")
    return written.rstrip("0").rstrip(".") if "." in written else written
