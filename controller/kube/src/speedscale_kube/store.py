"""What a controller knows of the cluster: small projections of objects, by namespace and name.

A reflector writes, everybody reads. Two things make it cheap to hold a cluster in memory: a projection keeps the few
fields that a decision needs (an 8 KB Deployment is 58 KiB as a dict), and one that equals the last is no change, so
nobody hears of a status that counts up. Projections are therefore values: frozen dataclasses, tuples, never dicts
that somebody may still write to.

Handlers hear of changes as `(key, old, new)`: `old` None is an arrival, `new` None a departure. They run in the
reflector's thread, outside any lock, in the order of the changes to a key, and do one thing: put a key into a queue.
What they were told may be old by the time a worker reads the store; the store is right.

Bounded: beyond `limit` objects, further ones are left out and counted (`left_out`); what is known stays up to date.
No I/O and no clock here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Generic, NamedTuple, TypeVar

import structlog

P = TypeVar("P")
Handler = Callable[["Key", P | None, P | None], None]
Index = Callable[[P], Iterable[Hashable]]
LIMIT = 100_000
_log = structlog.get_logger("speedscale_kube")


class Key(NamedTuple):
    """An object of one kind; `namespace` is empty for kinds that lie in none."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


class Store(Generic[P]):
    """Projections of one kind. `indexes` maps a name to what an object is found by: `{"owner": lambda p: [p.owner]}`.

    Any thread may read. `limit` is the most objects that are kept, 1 or more.
    """

    def __init__(self, *, limit: int = LIMIT, indexes: Mapping[str, Index[P]] | None = None) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._objects: dict[Key, P] = {}
        self._handlers: tuple[Handler[P], ...] = ()
        self._index_of = dict(indexes or {})
        self._indexes: dict[str, dict[Hashable, set[Key]]] = {name: {} for name in self._index_of}
        self._left_out: set[Key] = set()
        self._handler_failures = 0

    def __len__(self) -> int:
        return len(self._objects)

    def __contains__(self, key: object) -> bool:
        return key in self._objects

    @property
    def left_out(self) -> int:
        """How many objects the cluster has beyond `limit` (counted up to `limit` again)."""
        return len(self._left_out)

    @property
    def handler_failures(self) -> int:
        """How often a handler raised: bugs, each logged."""
        return self._handler_failures

    def get(self, key: tuple[str, str]) -> P | None:
        """Return the projection, or None when there is no such object."""
        return self._objects.get(Key(*key))

    def values(self) -> tuple[P, ...]:
        """Return all projections as of now."""
        with self._lock:
            return tuple(self._objects.values())

    def items(self) -> tuple[tuple[Key, P], ...]:
        """Return all keys with their projections as of now."""
        with self._lock:
            return tuple(self._objects.items())

    def by(self, index: str, value: Hashable) -> tuple[P, ...]:
        """Return those that an index files under `value`; KeyError for an index that was not asked for."""
        with self._lock:
            return tuple(self._objects[key] for key in sorted(self._indexes[index].get(value, ())))

    def add_handler(self, on_change: Handler[P]) -> None:
        """Have `on_change(key, old, new)` called for each change, and now once for each object that is there.

        An object that changes at this very moment may be told in the other order, or twice: a handler notes the key.
        """
        with self._lock:
            self._handlers = (*self._handlers, on_change)
            there = tuple(self._objects.items())
        for key, new in there:
            self._call(on_change, key, None, new)

    def put(self, key: tuple[str, str], new: P | None) -> bool:
        """Keep one projection, or forget the object (`None`); True when that changed something. Reflectors only."""
        key = Key(*key)
        with self._lock:
            old = self._objects.get(key)
            changed = self._set(key, old, new)
        if changed:
            self._tell(key, old, new)
        return changed

    def replace(self, found: Mapping[Key, P], namespace: str = "") -> int:
        """Make the store hold `found` and nothing else (of `namespace`, when given); return how many changed.

        Handlers hear of the differences only: arrivals, changes, and departures that nobody saw happen. Reflectors
        only.
        """
        with self._lock:
            gone = [k for k in self._objects if k not in found and (not namespace or k.namespace == namespace)]
            self._left_out -= {k for k in self._left_out if not namespace or k.namespace == namespace}
            before = [(key, self._objects.get(key), None) for key in gone]
            after = [(key, self._objects.get(key), new) for key, new in found.items()]
            changes = [change for change in (*before, *after) if self._set(*change)]
        for change in changes:
            self._tell(*change)
        return len(changes)

    def _set(self, key: Key, old: P | None, new: P | None) -> bool:
        """Write, under the lock; True when it changed something."""
        if new is None or old is not None:
            self._left_out.discard(key)
        elif len(self._objects) >= self._limit:
            if len(self._left_out) < self._limit:
                self._left_out.add(key)
            return False
        else:
            self._left_out.discard(key)
        if old == new:
            return False
        for name, index_of in self._index_of.items():
            filed = self._indexes[name]
            for value in index_of(old) if old is not None else ():
                if value in filed:
                    filed[value].discard(key)
                    if not filed[value]:
                        del filed[value]
            for value in index_of(new) if new is not None else ():
                filed.setdefault(value, set()).add(key)
        if new is None:
            del self._objects[key]
        else:
            self._objects[key] = new
        return True

    def _tell(self, key: Key, old: P | None, new: P | None) -> None:
        for handler in self._handlers:
            self._call(handler, key, old, new)

    def _call(self, handler: Handler[P], key: Key, old: P | None, new: P | None) -> None:
        try:
            handler(key, old, new)
        except Exception:  # one handler's bug must not keep the others from hearing, nor end the reflector
            self._handler_failures += 1
            _log.exception("store_handler_failed", namespace=key.namespace, name=key.name)
