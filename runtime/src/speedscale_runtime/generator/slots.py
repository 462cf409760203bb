"""The open model: requests that are due at a rate, and the runners that wait to send one. Called by `engine`."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

from . import ports
from .ports import Handle
from .runner import Runner

if TYPE_CHECKING:
    from .engine import Engine

BACKLOG_MAX = 100_000


class Slots:
    """Requests that are due in an open stage, and the runners that wait for one.

    A due request that finds no runner waits; after `max_lag_s`, or beyond BACKLOG_MAX of them, it is dropped and
    counted.
    """

    def __init__(self, engine: Engine, due: Iterator[float], begin: float, max_lag_s: float) -> None:
        self._engine = engine
        self._due = due
        self._begin = begin
        self._max_lag_s = max_lag_s
        self._next: float | None = None
        self._waiting: deque[Runner] = deque()
        self._backlog: deque[float] = deque()
        self._timer: Handle | None = None
        self._pull()

    def ready(self, runner: Runner) -> None:
        """A runner can send; it gets the oldest due request, or waits."""
        oldest = self._engine.timers.now() - self._max_lag_s
        while self._backlog:
            due = self._backlog.popleft()
            if due >= oldest:
                runner.grant(due)
                return
            self._engine.dropped += 1
        self._waiting.append(runner)

    def tick(self) -> None:
        """Hand out what is due, and set the timer for what comes next."""
        self._timer = None
        now = self._engine.timers.now()
        while self._next is not None and self._next <= now + ports.EARLY_S:
            due = self._next
            self._pull()
            runner = self._pick()
            if runner is not None:
                runner.grant(due)
            elif len(self._backlog) < BACKLOG_MAX:
                self._backlog.append(due)
            else:
                self._engine.dropped += 1
        if self._next is not None:
            self._timer = self._engine.timers.at(self._next - ports.EARLY_S, self.tick)

    def close(self) -> list[Runner]:
        """End of the stage: what is due and was not sent is dropped. Return the runners that wait."""
        if self._timer is not None:
            self._timer.cancel()
        self._engine.dropped += len(self._backlog)
        self._backlog.clear()
        if self._next is not None and not self._engine.cancelled:
            self._engine.dropped += 1 + sum(1 for _ in self._due)
        self._next = None
        waiting = [runner for runner in self._waiting if runner.waits]
        self._waiting.clear()
        return waiting

    def _pick(self) -> Runner | None:
        while self._waiting:
            runner = self._waiting.popleft()
            if runner.waits:
                return runner
        return None

    def _pull(self) -> None:
        offset = next(self._due, None)
        self._next = None if offset is None else self._begin + offset
