"""The open model: requests that are due at a rate, and who waits to send one. Called by `engine` and `runner`."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Protocol

from . import ports
from .ports import Handle, Timers

BACKLOG_MAX = 100_000


class Waiter(Protocol):
    """Who has a request to send: a runner."""

    @property
    def waits(self) -> bool:
        """Whether it still wants to send."""
        ...

    def grant(self, due: float) -> None:
        """Send now a request that was due at `due`."""
        ...

    def resume(self) -> None:
        """The stage is over; go on in the next one."""
        ...


class Slots:
    """Requests that are due in an open stage, and the runners that wait for one.

    A due request that finds no runner waits; after `max_lag_s`, or beyond BACKLOG_MAX of them, it is dropped and
    counted (`dropped`).
    """

    def __init__(self, timers: Timers, due: Iterator[float], begin: float, max_lag_s: float) -> None:
        self.dropped = 0
        self._timers = timers
        self._due = due
        self._begin = begin
        self._max_lag_s = max_lag_s
        self._next: float | None = None
        self._waiting: deque[Waiter] = deque()
        self._backlog: deque[float] = deque()
        self._timer: Handle | None = None
        self._pull()

    def ready(self, runner: Waiter) -> None:
        """A runner can send; it gets the oldest due request, or waits."""
        oldest = self._timers.now() - self._max_lag_s
        while self._backlog:
            due = self._backlog.popleft()
            if due >= oldest:
                runner.grant(due)
                return
            self.dropped += 1
        self._waiting.append(runner)

    def tick(self) -> None:
        """Hand out what is due, and set the timer for what comes next."""
        self._timer = None
        now = self._timers.now()
        while self._next is not None and self._next <= now + ports.EARLY_S:
            due = self._next
            self._pull()
            runner = self._pick()
            if runner is not None:
                runner.grant(due)
            elif len(self._backlog) < BACKLOG_MAX:
                self._backlog.append(due)
            else:
                self.dropped += 1
        if self._next is not None:
            self._timer = self._timers.at(self._next - ports.EARLY_S, self.tick)

    def close(self, *, cancelled: bool = False) -> list[Waiter]:
        """End of the stage: what is due and was not sent is dropped. Return the runners that wait.

        With `cancelled`, what was not due yet is nobody's loss.
        """
        if self._timer is not None:
            self._timer.cancel()
        self.dropped += len(self._backlog)
        self._backlog.clear()
        if self._next is not None and not cancelled:
            self.dropped += 1 + sum(1 for _ in self._due)
        self._next = None
        waiting = [runner for runner in self._waiting if runner.waits]
        self._waiting.clear()
        return waiting

    def _pick(self) -> Waiter | None:
        while self._waiting:
            runner = self._waiting.popleft()
            if runner.waits:
                return runner
        return None

    def _pull(self) -> None:
        offset = next(self._due, None)
        self._next = None if offset is None else self._begin + offset
