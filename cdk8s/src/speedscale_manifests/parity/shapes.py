"""What stands in a manifest, as the shape it should have: a stranger's file may hold anything.

Called by `flatten`, `rights` and `crd`. Pure. What has another shape counts as empty: Kubernetes would refuse it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def mapping(value: Any) -> Mapping[str, Any]:
    """Return a value that is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def mappings(value: Any) -> list[Mapping[str, Any]]:
    """Return the mappings of a list; none of anything else."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def texts(value: Any) -> list[str]:
    """Return the scalars of a list as text; none of anything else."""
    items = value if isinstance(value, list) else []
    return [str(item) for item in items if item is not None and not isinstance(item, Mapping | list)]
