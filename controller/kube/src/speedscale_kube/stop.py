"""The one way to end threads: an event that also wakes those who wait elsewhere than on it.

A reflector spends its life in `recv` on a watch, where no event reaches it. So who blocks lends `Stop` a way to be
woken (close the socket, notify the condition) for as long as it blocks: `with stop.waking(watch.close): …`. One `Stop`
ends a whole process; every `run(stop)` of this package takes it.

It may be set from a signal handler, which runs in the main thread wherever that happens to be, in `wait` too. With a
`threading.Event` that is a deadlock now and then: its lock cannot be taken twice. Ours can, and a wake-up that falls
between two steps of `wait` is noticed a moment later.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_SLICE_S = 1.0


class Stop:
    """Not set, then set for good. `wait(seconds)` is how this package sleeps; True means: end now."""

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.RLock())
        self._set = False
        self._wakers: dict[int, Callable[[], None]] = {}
        self._number = 0

    def is_set(self) -> bool:
        """Say whether it ends."""
        return self._set

    def set(self) -> None:
        """Say that it ends, and wake all who block. Wakers must neither block nor raise."""
        with self._changed:
            self._set = True
            self._changed.notify_all()
            wakers = list(self._wakers.values())
        for wake in wakers:
            wake()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set, `timeout` seconds at most; return whether it is."""
        until = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while not self._set:
                left = _SLICE_S if until is None else min(_SLICE_S, until - time.monotonic())
                if left <= 0:
                    break
                self._changed.wait(left)
            return self._set

    @contextmanager
    def waking(self, wake: Callable[[], None]) -> Iterator[None]:
        """Have `wake()` called by `set` while the block runs; at once when it is set already."""
        with self._changed:
            self._number += 1
            number = self._number
            self._wakers[number] = wake
        try:
            if self._set:  # looked at after we are known: set() saw us, or we see it
                wake()
            yield
        finally:
            with self._changed:
                self._wakers.pop(number, None)
