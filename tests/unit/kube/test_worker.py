"""Workers: the table of failures, row by row, and threads that end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from speedscale_kube import Queue, Result, Stop, Worker
from speedscale_kube import errors as kube_errors
from speedscale_kube.errors import ConflictError, ForbiddenError, GoneError, ThrottledError
from speedscale_kube.worker import Outcome, outcome_of
from speedscale_schemas.errors import ConfigError, PeerError, PermanentError, TransientError


class Case:
    """One worker on one key, with what it reported."""

    def __init__(self, clock: Any, reconcile: Callable[[str], Result | None]) -> None:
        self.queue: Queue[str] = Queue(clock=clock)
        self.reported: list[tuple[str, str]] = []
        self.observed: list[tuple[Outcome, float]] = []
        self.clock, self.report = clock, self._report
        self.worker = Worker(
            "it",
            self.queue,
            reconcile,
            on_permanent=lambda key, error: self.report(key, error),
            observe=lambda outcome, seconds: self.observed.append((outcome, seconds)),
            clock=clock,
        )

    def _report(self, key: str, error: PermanentError) -> None:
        self.reported.append((key, error.reason))

    def once(self) -> Outcome:
        self.queue.add("a")
        key = self.queue.get(0)
        assert key == "a"
        outcome = self.worker.one(key)
        self.queue.done(key)
        return outcome

    def next_after(self) -> float | None:
        """Return when the key comes again: the wait that is set."""
        return self.queue._due["a"] - self.clock() if self.queue.waiting else None


def raising(error: Exception) -> Callable[[str], Result | None]:
    def reconcile(key: str) -> Result | None:
        raise error

    return reconcile


@pytest.mark.parametrize(
    ("error", "outcome", "wait"),
    [
        (ConflictError("changed", 0.0), Outcome.CONFLICT, 0.005),
        (TransientError("busy", 7.0), Outcome.TRANSIENT, 7.0),
        (ThrottledError("busy", 2.0), Outcome.TRANSIENT, 2.0),
        (GoneError("old", 0.0), Outcome.TRANSIENT, 0.005),
        (PermanentError("Bad"), Outcome.PERMANENT, None),
        (ForbiddenError("Forbidden", "no"), Outcome.PERMANENT, None),
        (PeerError("NotKubernetes"), Outcome.PEER, 0.005),
        (ConfigError(["no token"]), Outcome.PEER, 0.005),
        (ZeroDivisionError(), Outcome.BUG, 0.005),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_each_failure_has_its_outcome_and_its_wait(
    error: Exception, outcome: Outcome, wait: float | None, clock: Any
) -> None:
    case = Case(clock, raising(error))
    assert case.once() is outcome
    assert case.next_after() == (pytest.approx(wait) if wait else None)
    assert case.reported == ([("a", error.reason)] if isinstance(error, PermanentError) else [])
    assert [o for o, _ in case.observed] == [outcome]


def test_every_error_of_the_kubernetes_layer_is_no_bug() -> None:
    classes = [
        value
        for value in vars(kube_errors).values()
        if isinstance(value, type) and issubclass(value, Exception) and value.__module__ == kube_errors.__name__
    ]
    assert len(classes) > 8
    for one in classes:
        assert outcome_of(one.__new__(one)) is not Outcome.BUG, one


def test_success_starts_the_backoff_anew_and_may_ask_for_another_look(clock: Any) -> None:
    failing = [True, True, False]

    def reconcile(key: str) -> Result:
        clock.pass_(0.25)
        if failing.pop(0):
            raise TransientError("busy", 0.0)
        return Result(after_s=60.0)

    case = Case(clock, reconcile)
    case.once()
    case.once()
    assert case.queue.failures("a") == 2
    clock.pass_(1)
    case.queue.get(0)
    case.queue.done("a")
    assert case.once() is Outcome.DONE
    assert (case.queue.failures("a"), case.next_after()) == (0, pytest.approx(60.0))
    assert [seconds for _, seconds in case.observed] == [0.25] * 3


def test_a_permanent_failure_rests_until_the_object_changes(clock: Any) -> None:
    case = Case(clock, raising(PermanentError("Bad")))
    case.once()
    clock.pass_(10_000)
    assert case.queue.get(0) is None
    case.queue.add("a")
    assert case.queue.get(0) == "a"


def test_a_report_that_cannot_be_written_now_is_tried_again(clock: Any) -> None:
    case = Case(clock, raising(PermanentError("Bad")))
    case.report = lambda key, error: raising(TransientError("busy", 3.0))(key) and None
    assert case.once() is Outcome.TRANSIENT
    assert case.next_after() == 3.0


def test_a_report_that_is_refused_ends_there(clock: Any) -> None:
    case = Case(clock, raising(PermanentError("Bad")))
    case.report = lambda key, error: raising(ForbiddenError("Forbidden", "no"))(key) and None
    assert case.once() is Outcome.PERMANENT
    assert case.next_after() is None


def test_threads_work_and_end_after_what_they_have() -> None:
    queue: Queue[int] = Queue()
    seen: set[int] = set()
    all_seen, stop = threading.Event(), Stop()

    def reconcile(key: int) -> None:
        seen.add(key)
        if len(seen) == 100:
            all_seen.set()

    worker = Worker("it", queue, reconcile, on_permanent=lambda key, error: None, threads=3)
    worker.start(stop)
    for key in range(100):
        queue.add(key)
    assert all_seen.wait(30)
    stop.set()
    assert worker.join(30)
    queue.add(1)
    assert queue.get(0) == 1, "who ended takes no more"


def test_a_queue_that_is_shut_down_ends_its_workers_when_empty() -> None:
    queue: Queue[int] = Queue()
    seen: list[int] = []
    worker = Worker("it", queue, seen.append, on_permanent=lambda key, error: None)
    for key in range(10):
        queue.add(key)
    queue.shut_down()
    worker.run(Stop())
    assert seen == list(range(10))
