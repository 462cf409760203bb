"""Keys that want to be looked at: each once, never by two at a time, failures later and later.

A queue of a level-triggered controller holds keys, not events: five changes of one object while a worker is busy are
one look at its newest state. Three sets say it all, as in client-go's workqueue:

    ready       in order, waiting for a worker
    processing  given to a worker, who has not said `done` yet
    dirty       wanted: every ready key, and every processing one that was added meanwhile

`add` puts a key into dirty, and into ready unless a worker has it; `get` moves it from ready and dirty to processing;
`done` takes it out of processing, and back to ready when it is dirty again. So no key is with two workers, and no
change is lost.

Beside these lies a heap of keys with a time (`add_after`); of several times for a key the earliest counts. `failed`
is `add_after` with a wait that doubles per key: 5 ms to 1000 s; `forget` starts it anew.

Bounded by `limit` keys: a new key beyond it is refused and counted (`refused`); the next resync or change brings it
again. Any thread may call anything. The clock is injected: monotonic seconds.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
FIRST_S, LAST_S = 0.005, 1000.0
LIMIT = 100_000
_DOUBLINGS = 18  # 5 ms doubled 18 times is beyond 1000 s


class Queue(Generic[K]):
    """A keyed, deduplicating, delaying queue. `limit` bounds the number of distinct keys in it."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, limit: int = LIMIT) -> None:
        self._clock, self._limit = clock, limit
        self._changed = threading.Condition()
        self._ready: OrderedDict[K, float] = OrderedDict()  # key → since when
        self._dirty: set[K] = set()
        self._processing: set[K] = set()
        self._due: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []  # entries whose time is not that of _due are dead
        self._order = itertools.count()
        self._failures: dict[K, int] = {}
        self._closed = False
        self.refused = 0

    def __len__(self) -> int:
        """Return how many keys wait for a worker now; those with a time to come are not counted."""
        with self._changed:
            self._ripen()
            return len(self._ready)

    @property
    def waiting(self) -> int:
        """How many keys have a time to come."""
        return len(self._due)

    @property
    def processing(self) -> int:
        """How many keys are with workers."""
        return len(self._processing)

    @property
    def closed(self) -> bool:
        """Whether `shut_down` was called."""
        return self._closed

    def oldest_s(self) -> float:
        """Return how long the next key has been ready; 0 when none is."""
        with self._changed:
            self._ripen()
            return max(0.0, self._clock() - next(iter(self._ready.values()))) if self._ready else 0.0

    def failures(self, key: K) -> int:
        """Return how often a key failed since it was last forgotten."""
        return self._failures.get(key, 0)

    def add(self, key: K) -> bool:
        """Want a look at `key` as soon as a worker is free; False when the queue is full or shut down."""
        with self._changed:
            return self._admit(key) and self._add(key)

    def add_after(self, key: K, seconds: float) -> bool:
        """Want a look in `seconds`; an earlier time that is set already stays. False when full or shut down.

        A look that is wanted now does not wait for this one, and does not take it away.
        """
        with self._changed:
            if not self._admit(key):
                return False
            if seconds <= 0:
                return self._add(key)
            due = self._clock() + seconds
            if due >= self._due.get(key, float("inf")):
                return True
            self._due[key] = due
            heapq.heappush(self._heap, (due, next(self._order), key))
            self._compact()
            self._changed.notify()
            return True

    def failed(self, key: K, at_least_s: float = 0.0) -> float:
        """Want a look after this key's backoff, `at_least_s` seconds or more; return the wait."""
        with self._changed:
            count = self._failures.get(key, 0)
            self._failures[key] = count + 1
            wait = max(min(FIRST_S * float(2 ** min(count, _DOUBLINGS)), LAST_S), at_least_s)
            if not self.add_after(key, wait):
                self._failures.pop(key, None)
            return wait

    def forget(self, key: K) -> None:
        """Start the key's backoff anew: it went well, or trying again cannot help."""
        with self._changed:
            self._failures.pop(key, None)

    def get(self, timeout_s: float | None = None, *, cancelled: Callable[[], bool] = lambda: False) -> K | None:
        """Return the next key, which is then the caller's until `done`; None after `timeout_s` or at the end.

        `timeout_s` None waits for ever, 0 does not wait. `cancelled` is asked before each wait (who makes it true
        calls `wake`). After `shut_down` what is ready is still given out.
        """
        until = None if timeout_s is None else self._clock() + timeout_s
        with self._changed:
            while not cancelled():
                self._ripen()
                if self._ready:
                    key, _ = self._ready.popitem(last=False)
                    self._dirty.discard(key)
                    self._processing.add(key)
                    return key
                now = self._clock()
                if (until is not None and now >= until) or (self._closed and not self._processing):
                    return None
                ends = [t for t in (until, self._heap[0][0] if self._heap else None) if t is not None]
                self._changed.wait(max(0.0, min(ends) - now) if ends else None)
            return None

    def wake(self) -> None:
        """Have those who wait in `get` look whether they are cancelled."""
        with self._changed:
            self._changed.notify_all()

    def done(self, key: K) -> None:
        """Give a key back, whatever came of it; ValueError for one that `get` did not give out."""
        with self._changed:
            if key not in self._processing:
                raise ValueError(f"{key!r} is with no worker: done() follows get(), once")
            self._processing.discard(key)
            if key in self._dirty:
                self._ready[key] = self._clock()
            self._changed.notify_all()

    def shut_down(self) -> None:
        """Take no more keys, drop those with a time to come, give out what is ready, then let `get` return None."""
        with self._changed:
            self._closed = True
            self._due.clear()
            self._heap.clear()
            self._changed.notify_all()

    def drained(self, timeout_s: float | None = None) -> bool:
        """Wait until nothing is ready and no worker has a key; False when `timeout_s` (real seconds) ended first."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._processing and not self._ready, timeout_s)

    def _admit(self, key: K) -> bool:
        if self._closed:
            return False
        known = key in self._dirty or key in self._processing or key in self._due
        if known or len(self._ready) + len(self._processing) + len(self._due) < self._limit:
            return True
        self.refused += 1
        return False

    def _add(self, key: K) -> bool:
        if key not in self._dirty:
            self._dirty.add(key)
            if key not in self._processing:
                self._ready[key] = self._clock()
                self._changed.notify()
        return True

    def _ripen(self) -> None:
        now = self._clock()
        while self._heap and self._heap[0][0] <= now:
            due, _, key = heapq.heappop(self._heap)
            if self._due.get(key) == due:
                del self._due[key]
                self._add(key)

    def _compact(self) -> None:
        """Drop dead entries when they are most of the heap."""
        if len(self._heap) > 64 and len(self._heap) > 2 * len(self._due):
            self._heap = [entry for entry in self._heap if self._due.get(entry[2]) == entry[0]]
            heapq.heapify(self._heap)
