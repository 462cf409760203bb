"""What was worked out from bytes that come again and again: bounded, and cheap for who never repeats himself.

Used by `http1_head` (parsed first lines and field blocks) and by the proxy's recorder (their JSON). Clients and servers
say nearly the same in each message, so looking a message's parts up is several times cheaper than parsing them.

Invariant: at most two generations, each bounded by entries and by the bytes of its keys. When the present one is
full it becomes the older one, and what was the older one is forgotten; what is still asked for moves over. Values
must depend on nothing but their key. No policy about what to remember here.
"""

from __future__ import annotations

from typing import Generic, TypeVar

V = TypeVar("V")


class Recall(dict[bytes, V], Generic[V]):
    """A dict for whoever asks with `get` first, then with `older`, and then makes the value and calls `put`."""

    __slots__ = ("_bytes", "_entries", "_key_max", "_older", "_room")

    def __init__(self, *, entries: int = 256, room: int = 65536, key_max: int = 4096) -> None:
        """A generation holds up to `entries` values and `room` bytes of keys; longer keys than `key_max` never."""
        super().__init__()
        self._entries, self._room, self._key_max = entries, room, key_max
        self._bytes = 0
        self._older: dict[bytes, V] = {}

    def older(self, key: bytes) -> V | None:
        """Return a value of the older generation, which is young again then; None when it is not known."""
        value = self._older.get(key)
        if value is not None:
            self.put(key, value)
        return value

    def put(self, key: bytes, value: V) -> None:
        """Remember `value`, unless its key is too long."""
        size = len(key)
        if size > self._key_max:
            return
        if len(self) >= self._entries or self._bytes + size > self._room:
            self._older = dict(self)
            self.clear()
            self._bytes = 0
        if key not in self:
            self._bytes += size
        self[key] = value
