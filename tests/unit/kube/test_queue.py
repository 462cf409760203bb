"""The queue: by example, against a model in any order of calls, and between threads."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from speedscale_kube import Queue


@pytest.fixture
def queue(clock: Any) -> Queue[str]:
    return Queue(clock=clock)


def test_a_key_is_given_out_once_however_often_it_was_added(queue: Queue[str]) -> None:
    assert all([queue.add("a"), queue.add("a"), queue.add("b")])
    assert [queue.get(0), queue.get(0), queue.get(0)] == ["a", "b", None]


def test_a_key_that_is_with_a_worker_waits_until_it_is_done(queue: Queue[str]) -> None:
    queue.add("a")
    assert queue.get(0) == "a"
    queue.add("a")
    assert queue.get(0) is None, "no two workers on one key"
    queue.done("a")
    assert queue.get(0) == "a", "and no change is lost"


def test_done_without_get_is_a_bug(queue: Queue[str]) -> None:
    queue.add("a")
    with pytest.raises(ValueError, match="'a' is with no worker"):
        queue.done("a")


def test_of_several_times_the_earliest_counts(queue: Queue[str], clock: Any) -> None:
    for seconds in (10.0, 5.0, 20.0):
        queue.add_after("a", seconds)
    assert (queue.get(0), queue.waiting) == (None, 1)
    clock.pass_(5)
    assert queue.get(0) == "a"
    queue.done("a")
    clock.pass_(100)
    assert queue.get(0) is None


def test_a_time_that_is_over_is_now(queue: Queue[str]) -> None:
    queue.add_after("a", 0)
    queue.add_after("b", -1)
    assert [queue.get(0), queue.get(0)] == ["a", "b"]


def test_failures_wait_longer_and_longer_up_to_1000_seconds(queue: Queue[str]) -> None:
    waits = [queue.failed("a") for _ in range(25)]
    assert waits[:4] == [0.005, 0.01, 0.02, 0.04]
    assert waits[16:19] == [327.68, 655.36, 1000.0]
    assert waits[24] == 1000.0
    assert queue.failed("b") == 0.005, "each key by itself"
    queue.forget("a")
    assert queue.failed("a") == 0.005


def test_a_failure_may_name_a_longer_wait(queue: Queue[str], clock: Any) -> None:
    assert queue.failed("a", 3.0) == 3.0
    clock.pass_(2.9)
    assert queue.get(0) is None
    clock.pass_(0.2)
    assert queue.get(0) == "a"


def test_how_long_the_next_one_has_been_ready(queue: Queue[str], clock: Any) -> None:
    assert queue.oldest_s() == 0
    queue.add("a")
    clock.pass_(3)
    queue.add("b")
    assert (queue.oldest_s(), len(queue)) == (3, 2)


def test_a_full_queue_refuses_new_keys_only(clock: Any) -> None:
    queue: Queue[str] = Queue(clock=clock, limit=2)
    queue.add("a")
    queue.add_after("b", 5)
    assert [queue.add("c"), queue.add_after("c", 1), queue.add("a"), queue.add("b")] == [False, False, True, True]
    assert queue.refused == 2


def test_shutting_down_drops_times_and_takes_nothing_but_gives_out_what_is_ready(queue: Queue[str], clock: Any) -> None:
    queue.add("a")
    queue.add_after("b", 1)
    queue.shut_down()
    clock.pass_(2)
    assert [queue.add("c"), queue.add_after("c", 1), queue.failed("c") > 0] == [False, False, True]
    assert (queue.get(), queue.closed, queue.failures("c")) == ("a", True, 0)
    assert not queue.drained(0)
    queue.done("a")
    assert queue.get() is None
    assert queue.drained()


def test_the_heap_does_not_grow_with_times_that_were_replaced(queue: Queue[str]) -> None:
    for number in range(10_000):
        queue.add_after("a", 20_000.0 - number)
    assert len(queue._heap) < 200


class Model(RuleBasedStateMachine):
    """The three sets of the docstring, written plainly, beside the queue."""

    keys = st.sampled_from("abc")

    @initialize()
    def start(self) -> None:
        self.now = 0.0
        self.queue: Queue[str] = Queue(clock=lambda: self.now)
        self.ready: list[str] = []
        self.processing: set[str] = set()
        self.again: set[str] = set()
        self.due: dict[str, tuple[float, int]] = {}
        self.number = 0
        self.failures: dict[str, int] = {}
        self.closed = False

    def want(self, key: str) -> None:
        if key in self.processing:
            self.again.add(key)
        elif key not in self.ready:
            self.ready.append(key)

    def want_at(self, key: str, at: float) -> None:
        self.number += 1
        self.due[key] = min((at, self.number), self.due.get(key, (at, self.number)))

    def ripen(self) -> None:
        for _, key in sorted((due, key) for key, due in self.due.items() if due[0] <= self.now):
            del self.due[key]
            self.want(key)

    @rule(key=keys)
    def add(self, key: str) -> None:
        self.ripen_both()
        assert self.queue.add(key) is not self.closed
        if not self.closed:
            self.want(key)

    @rule(key=keys, seconds=st.integers(1, 9))
    def add_after(self, key: str, seconds: int) -> None:
        self.ripen_both()
        assert self.queue.add_after(key, seconds) is not self.closed
        if not self.closed:
            self.want_at(key, self.now + seconds)

    @rule(key=keys)
    def failed(self, key: str) -> None:
        self.ripen_both()
        wait = self.queue.failed(key)
        if not self.closed:
            assert wait == min(0.005 * 2 ** self.failures.get(key, 0), 1000)
            self.failures[key] = self.failures.get(key, 0) + 1
            self.want_at(key, self.now + wait)

    @rule(key=keys)
    def forget(self, key: str) -> None:
        self.queue.forget(key)
        self.failures.pop(key, None)

    @rule()
    def get(self) -> None:
        self.ripen_both()
        key = self.queue.get(0)
        assert key == (self.ready.pop(0) if self.ready else None)
        if key is not None:
            assert key not in self.processing
            self.processing.add(key)

    @precondition(lambda self: self.processing)
    @rule(data=st.data())
    def done(self, data: st.DataObject) -> None:
        self.ripen_both()
        key = data.draw(st.sampled_from(sorted(self.processing)))
        self.queue.done(key)
        self.processing.discard(key)
        if key in self.again:
            self.again.discard(key)
            self.ready.append(key)

    @rule(seconds=st.floats(0, 12))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def shut_down(self) -> None:
        self.ripen_both()
        self.queue.shut_down()
        self.closed = True
        self.due.clear()

    def ripen_both(self) -> None:
        """Both look at the clock: the order of arrival is that of time."""
        len(self.queue)
        self.ripen()

    @invariant()
    def agree(self) -> None:
        if hasattr(self, "queue"):
            self.ripen_both()
            assert len(self.queue) == len(self.ready)
            assert self.queue.processing == len(self.processing)
            assert self.queue.waiting == len(self.due)


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_several_workers_never_hold_one_key_and_miss_no_change() -> None:
    queue: Queue[int] = Queue()
    wanted = [0] * 5  # the version of each key that somebody asked for
    seen, held, clashes = [0] * 5, set[int](), list[int]()
    lock = threading.Lock()

    def work() -> None:
        while (key := queue.get()) is not None:
            with lock:
                if key in held:
                    clashes.append(key)
                held.add(key)
            seen[key] = wanted[key]
            with lock:
                held.discard(key)
            queue.done(key)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for number in range(2000):
        wanted[number % 5] += 1
        queue.add(number % 5)
    assert queue.drained(30)
    queue.shut_down()
    for worker in workers:
        worker.join(30)
    assert (clashes, seen) == ([], wanted)


def test_who_waits_is_woken_by_a_key_by_the_end_and_by_being_cancelled() -> None:
    queue: Queue[str] = Queue()
    got: list[Any] = []
    cancelled = threading.Event()
    waiters = [
        threading.Thread(target=lambda: got.append(queue.get())),
        threading.Thread(target=lambda: got.append(queue.get(cancelled=cancelled.is_set))),
    ]
    waiters[0].start()
    queue.add_after("a", 0.001)
    waiters[0].join(30)
    waiters[1].start()
    cancelled.set()
    queue.wake()
    waiters[1].join(30)
    assert got == ["a", None]


def test_at_the_end_a_key_that_changed_in_work_is_waited_for() -> None:
    queue: Queue[str] = Queue()
    queue.add("a")
    assert queue.get(0) == "a"
    queue.add("a")
    queue.shut_down()
    looking, got = threading.Event(), list[Any]()
    # asked under the queue's lock: `done` below comes after the decision to wait
    waiter = threading.Thread(target=lambda: got.append(queue.get(cancelled=lambda: bool(looking.set()))))
    waiter.start()
    assert looking.wait(30)
    queue.done("a")
    waiter.join(30)
    assert got == ["a"]
