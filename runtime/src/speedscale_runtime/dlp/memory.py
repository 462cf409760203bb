"""Bounded memory of what was worked out already: two generations, so that what is asked for stays.

Called by whatever repeats in traffic (texts, tokens, names). When the young generation is full it becomes the old one
and what the old one still held is dropped and counted; a look-up in the old one brings the entry back. Thus values that
come once (ids, times) push each other out, and not what comes with every pair.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Memory(Generic[K, V]):
    """A mapping of bounded cost; `evictions` counts the entries that were dropped, `hits` and `misses` look-ups."""

    __slots__ = ("_left", "_old", "_room", "evictions", "hits", "misses", "young")

    def __init__(self, limit: int) -> None:
        """`limit` is what both generations together may cost, in the units of `put`; at least 2."""
        self._room = self._left = max(limit // 2, 1)
        self._old: dict[K, tuple[V, int]] = {}
        self.young: dict[K, tuple[V, int]] = {}
        self.evictions = self.hits = self.misses = 0

    def __len__(self) -> int:
        return len(self.young) + len(self._old)

    def get(self, key: K) -> V | None:
        """Return what is known of a key, or None."""
        entry = self.young.get(key)
        if entry is not None:
            self.hits += 1
            return entry[0]
        entry = self._old.pop(key, None) if self._old else None
        if entry is None:
            self.misses += 1
            return None
        self.hits += 1
        self.put(key, entry[0], entry[1])
        return entry[0]

    def put(self, key: K, value: V, cost: int = 1) -> None:
        """Remember; what costs more than a generation may is not kept."""
        if cost > self._room:
            return
        if cost > self._left:
            self.evictions += len(self._old)
            self._old, self.young, self._left = self.young, {}, self._room
        self._left -= cost
        self.young[key] = (value, cost)

    def clear(self) -> None:
        """Forget everything, uncounted."""
        self._old, self.young, self._left = {}, {}, self._room
