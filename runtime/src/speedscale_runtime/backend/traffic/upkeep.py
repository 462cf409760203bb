"""Which parts are to be merged, and which are to go. Pure; `store` does it.

Merging goes by size: when enough parts of an hour are of one size class, they become one of the next. So a pair is
written anew at most as often as there are classes, however often somebody reads.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from .model import Part

FAN_IN = 8
LARGEST_MERGED = 64 << 20
_SMALLEST_CLASS = 64 << 10


def to_merge(parts: Sequence[Part]) -> list[Part]:
    """Return some parts of one hour that should be one; empty when all is well."""
    classes: dict[tuple[int, int], list[Part]] = defaultdict(list)
    for part in parts:
        if part.bytes < LARGEST_MERGED:
            group = classes[part.hour, _size_class(part.bytes)]
            group.append(part)
            if len(group) == FAN_IN:
                return group
    return []


def to_delete(parts: Sequence[Part], *, received_before_ns: int | None, max_bytes: int) -> list[Part]:
    """Return what is too old, and the oldest of what is too much. None and 0 mean no bound."""
    oldest_first = sorted(parts, key=lambda p: (p.received_ns, p.name))
    gone = [p for p in oldest_first if received_before_ns is not None and p.received_ns < received_before_ns]
    left = oldest_first[len(gone) :]
    size = sum(p.bytes for p in left)
    while max_bytes and size > max_bytes and left:
        size -= left[0].bytes
        gone.append(left.pop(0))
    return gone


def _size_class(size: int) -> int:
    number = 0
    while size > _SMALLEST_CLASS:
        size //= FAN_IN
        number += 1
    return number
