"""What the engine needs from outside: a clock with timers, and connections. And its options.

Implemented by `worker` and `client` over asyncio, and by fakes in tests. What takes the results is `runner.Sink`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from .causes import Cause
from .client import CountingConnection
from .targets import Target

EARLY_S = 0.0005
"""Timers count whole milliseconds; asking half a millisecond early halves the worst lateness."""


class Handle(Protocol):
    """A timer that was set."""

    def cancel(self) -> None:
        """Do not call back."""
        ...


class Timers(Protocol):
    """The clock (monotonic seconds) and timers on it."""

    def now(self) -> float:
        """Return seconds."""
        ...

    def at(self, when: float, callback: Callable[..., None], *arguments: Any) -> Handle:
        """Call back at `when`, or soon when that is past."""
        ...


class Dial(Protocol):
    """Opens connections."""

    def dial(
        self, target: Target, opened: Callable[[CountingConnection], None], failed: Callable[[Cause], None]
    ) -> None:
        """Open one; one of the callbacks is called later, never before this returns."""
        ...

    def cancel(self) -> None:
        """Give up on connections that are being opened."""
        ...


@dataclass(frozen=True, slots=True)
class Options:
    """What the engine has to know of the test config; `connections_max` is per vUser."""

    rewrite_host: bool
    timeout_s: float
    by_session: bool
    connections_max: int
    mark: str = ""
    """The member of `baggage` that names the replay; empty: requests are sent without one."""
