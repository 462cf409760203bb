"""When is it time to synthesise after a change: once the files have been quiet, and never later than a limit.

Editors write in several steps (truncate and write, or write aside and rename), and tools touch many files in a row.
Pure: times come in as seconds of a monotonic clock.
"""

from __future__ import annotations


class Debounce:
    """Collects changes until none came for `quiet_s`, or until `limit_s` after the first of them."""

    def __init__(self, quiet_s: float = 0.1, limit_s: float = 1.0) -> None:
        """Take both times in seconds, 0 or more."""
        self._quiet_s, self._limit_s = quiet_s, limit_s
        self._first: float | None = None
        self._last = 0.0

    @property
    def pending(self) -> bool:
        """Return whether a change waits."""
        return self._first is not None

    def touch(self, now: float) -> None:
        """Note a change."""
        self._first = now if self._first is None else self._first
        self._last = now

    def wait(self, now: float) -> float | None:
        """Return the seconds until it is time, 0 when it is; None when nothing changed."""
        if self._first is None:
            return None
        return max(0.0, min(self._last + self._quiet_s, self._first + self._limit_s) - now)

    def take(self) -> None:
        """Forget the changes: they are being dealt with."""
        self._first = None
