"""The decision: a workload and what is known → a verdict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from .facts import Facts
from .verdict import Leave, Verdict

Operation = Literal["CREATE", "UPDATE"]


def decide(
    workload: Mapping[str, Any],
    facts: Facts,
    *,
    operation: Operation = "CREATE",
    old: Mapping[str, Any] | None = None,
) -> Verdict:
    """Return what becomes of the workload; never raises.

    `workload` is the object as it is to be stored (of a review, or live), never changed here. `operation` is what is
    being done to it: UPDATE also where a live object is mended. `old` is the stored object of an UPDATE review.
    """
    return Leave()
