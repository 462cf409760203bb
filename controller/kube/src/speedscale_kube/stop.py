"""The one way to end a thread of this package: an Event that also wakes those who wait elsewhere than on it.

A reflector spends its life in `recv` on a watch, where no Event reaches it. So who blocks lends `Stop` a way to wake
him (close the socket, notify the condition) for as long as he blocks: `with stop.waking(watch.close): …`. One `Stop`
ends a whole process; every `run(stop)` of this package takes it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Stop(threading.Event):
    """An Event with wakers. `wait(seconds)` is how this package sleeps; True means: end now."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.RLock()  # set() may come from a signal handler of the thread that holds it
        self._wakers: dict[int, Callable[[], None]] = {}
        self._number = 0

    def set(self) -> None:
        """Say that it ends, and wake all who block. Wakers must neither block nor raise."""
        super().set()
        with self._lock:
            wakers = list(self._wakers.values())
        for wake in wakers:
            wake()

    @contextmanager
    def waking(self, wake: Callable[[], None]) -> Iterator[None]:
        """Have `wake()` called by `set` while the block runs; at once when it is set already."""
        with self._lock:
            self._number += 1
            number = self._number
            self._wakers[number] = wake
        try:
            if self.is_set():  # looked at after we are known: set() saw us, or we see it
                wake()
            yield
        finally:
            with self._lock:
                self._wakers.pop(number, None)
