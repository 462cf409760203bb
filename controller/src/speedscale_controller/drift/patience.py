"""How often one object is mended before we think that somebody means it. Pure: time is an argument.

Two that mend one object with different wishes write for ever. So repairs of one object are counted: after `BURST`
within `WINDOW_S` the next one waits, first a minute, then twice as long each time, up to an hour; a quiet window
forgets it all. Bounded: of more than `LIMIT` objects the one longest quiet is forgotten, which only means that it is
mended sooner.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

BURST: Final = 5
WINDOW_S: Final = 600.0
FIRST_S, LAST_S = 60.0, 3600.0
LIMIT: Final = 10_000


@dataclass(slots=True)
class _Count:
    repairs: int
    last: float
    until: float


class Patience:
    """Counts repairs by key. `now` is monotonic seconds, never going back."""

    def __init__(self, *, burst: int = BURST, limit: int = LIMIT) -> None:
        self._burst, self._limit = burst, limit
        self._counts: OrderedDict[Hashable, _Count] = OrderedDict()

    def wait_s(self, key: Hashable, now: float) -> float:
        """Return how long this object is to be left alone; 0 when it may be mended."""
        count = self._counts.get(key)
        return max(0.0, count.until - now) if count else 0.0

    def repaired(self, key: Hashable, now: float) -> float:
        """Note a repair; return how long the next one has to wait, 0 when it need not."""
        count = self._counts.pop(key, None)
        if count is None or now - max(count.last, count.until) > WINDOW_S:
            count = _Count(0, now, 0.0)
        count.repairs, count.last = count.repairs + 1, now
        over = count.repairs - self._burst
        wait = min(FIRST_S * 2.0 ** min(over, 16), LAST_S) if over >= 0 else 0.0
        count.until = now + wait
        self._counts[key] = count
        if len(self._counts) > self._limit:
            self._counts.popitem(last=False)
        return wait

    def forget(self, key: Hashable) -> None:
        """Begin anew with an object: it is gone, or its wish is a new one."""
        self._counts.pop(key, None)
