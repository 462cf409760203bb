"""What the verbs here tell of any Kubernetes object; tolerant, as live objects come from everywhere.

How an object is read at all (metadata, labels, pod template) is in `injection`. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from speedscale_controller.injection import mapping, metadata


def title(obj: Mapping[str, Any]) -> str:
    """Return how an object is called in a sentence: `Deployment shop/cart`."""
    meta = metadata(obj)
    place = f"{meta['namespace']}/" if meta.get("namespace") else ""
    return f"{obj.get('kind', 'object')} {place}{meta.get('name', '')}"


def condition(obj: Mapping[str, Any], type_: str) -> Mapping[str, Any]:
    """Return a condition of an object's status, empty when it has none of this type."""
    found = mapping(obj.get("status")).get("conditions") or ()
    return next((c for c in map(mapping, found) if c.get("type") == type_), {})
