"""How old things are, by a clock that does not step.

The wall clock of a machine is set, forwards and backwards, while we run. What is deleted for its age must not go
because of that: time here is the wall clock at the start and what a monotonic clock measured since.
"""

from __future__ import annotations

import time
from collections.abc import Callable


class Clock:
    """Seconds since 1970 that only go on; `wall` is asked once."""

    def __init__(self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._offset = wall() - monotonic()

    def now(self) -> float:
        """Return Unix seconds."""
        return self._offset + self._monotonic()
