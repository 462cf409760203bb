"""Threads that take keys from a queue and have them reconciled; one table says what each failure means.

A reconcile is called with a key and nothing else: it reads stores, decides, applies, and may be called again at any
time. What it returns or raises decides when:

| outcome | what happened | then |
| --- | --- | --- |
| `done` | it returned | backoff forgotten; again after `Result.after_s`, when it says so |
| `conflict` | ConflictError: somebody wrote meanwhile | backoff, from 5 ms |
| `transient` | TransientError | again after `retry_after_s` or the backoff, whichever is later |
| `permanent` | PermanentError: trying cannot help | told to `on_permanent`, then at rest until the object changes |
| `peer` | PeerError, ConfigError: an answer, or a file, that makes no sense now | backoff |
| `bug` | anything else | logged with its traceback, backoff |

A worker never dies of a reconcile. Called by the manager, one `Worker` per queue. What a condition looks like is the
reconciler's business, not ours.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

import structlog

from speedscale_schemas.errors import ConfigError, PeerError, PermanentError, TransientError

from .errors import ConflictError
from .queue import Queue
from .stop import Stop

K = TypeVar("K", bound=Hashable)
_log = structlog.get_logger("speedscale_kube")


@dataclass(frozen=True, slots=True)
class Result:
    """What a reconcile wants next: another look after `after_s` seconds, or (None) only when something changes."""

    after_s: float | None = None


class Outcome(StrEnum):
    """How a reconcile ended; the label of its metrics."""

    DONE = "done"
    CONFLICT = "conflict"
    TRANSIENT = "transient"
    PERMANENT = "permanent"
    PEER = "peer"
    BUG = "bug"


# The first that fits counts: finer classes stand before their bases.
TABLE: tuple[tuple[type[Exception], Outcome], ...] = (
    (ConflictError, Outcome.CONFLICT),
    (TransientError, Outcome.TRANSIENT),
    (PermanentError, Outcome.PERMANENT),
    (PeerError, Outcome.PEER),
    (ConfigError, Outcome.PEER),
    (Exception, Outcome.BUG),
)
Observe = Callable[[Outcome, float], None]


class Worker(Generic[K]):
    """`threads` threads on one queue.

    `name` stands in logs and thread names. `on_permanent(key, error)` reports a failure that ends the trying; what it
    raises is treated by the same table, so a report that could not be written is tried again. `observe(outcome,
    seconds)` is the metrics hook. `threads` is 1 or more.
    """

    def __init__(
        self,
        name: str,
        queue: Queue[K],
        reconcile: Callable[[K], Result | None],
        *,
        on_permanent: Callable[[K, PermanentError], None],
        observe: Observe = lambda outcome, seconds: None,
        threads: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name, self.queue = name, queue
        self._reconcile, self._on_permanent, self._observe = reconcile, on_permanent, observe
        self._clock, self._count = clock, threads
        self._threads: list[threading.Thread] = []

    def start(self, stop: Stop) -> None:
        """Start the threads. They end when `stop` is set: after the keys they have, leaving those that are ready."""
        self._threads = [
            threading.Thread(target=self.run, args=(stop,), name=f"{self.name}-{number}", daemon=True)
            for number in range(self._count)
        ]
        for thread in self._threads:
            thread.start()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the threads to end, `timeout_s` in all; False when one still runs."""
        until = None if timeout_s is None else time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(None if until is None else max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def run(self, stop: Stop) -> None:
        """Work in this thread until `stop` is set, or until the queue is shut down and empty."""
        with stop.waking(self.queue.wake):
            while not stop.is_set():
                key = self.queue.get(cancelled=stop.is_set)
                if key is None:
                    return
                try:
                    self.one(key)
                finally:
                    self.queue.done(key)

    def one(self, key: K) -> Outcome:
        """Reconcile one key that `get` gave out and put it where its outcome sends it; never raises an Exception."""
        started = self._clock()
        try:
            result = self._reconcile(key)
        except Exception as error:
            outcome = self._settle(key, error)
        else:
            self.queue.forget(key)
            if result is not None and result.after_s is not None:
                self.queue.add_after(key, result.after_s)
            outcome = Outcome.DONE
        self._observe(outcome, self._clock() - started)
        return outcome

    def _settle(self, key: K, error: Exception) -> Outcome:
        outcome = outcome_of(error)
        if isinstance(error, PermanentError):
            try:
                self._on_permanent(key, error)
            except PermanentError as unwritten:  # nobody can be told: the log is all there is
                self._say("reconcile_report_refused", key, unwritten, outcome)
            except Exception as unwritten:
                return self._settle(key, unwritten)
            self._say("reconcile_gave_up", key, error, outcome)
            self.queue.forget(key)
            return outcome
        wait = self.queue.failed(key, error.retry_after_s if isinstance(error, TransientError) else 0.0)
        if outcome is Outcome.BUG:
            _log.error("reconcile_bug", worker=self.name, key=str(key), again_in_s=wait, exc_info=error)
        else:
            self._say("reconcile_failed", key, error, outcome, again_in_s=wait)
        return outcome

    def _say(self, event: str, key: K, error: Exception, outcome: Outcome, **more: float) -> None:
        level = _log.debug if outcome is Outcome.CONFLICT else _log.warning
        level(event, worker=self.name, key=str(key), outcome=outcome.value, error=str(error), **more)


def outcome_of(error: Exception) -> Outcome:
    """Return what an exception of a reconcile means."""
    return next(outcome for kind, outcome in TABLE if isinstance(error, kind))
