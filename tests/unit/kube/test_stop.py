"""The stop: who blocks elsewhere is woken, also one who comes too late."""

from __future__ import annotations

import signal
import threading
from typing import Any

from speedscale_kube import Stop


def test_setting_wakes_those_who_block_now_and_nobody_who_left() -> None:
    stop, woken = Stop(), list[str]()
    with stop.waking(lambda: woken.append("outer")):
        with stop.waking(lambda: woken.append("left")):
            pass
        with stop.waking(lambda: woken.append("inner")):
            stop.set()
    assert sorted(woken) == ["inner", "outer"]


def test_who_begins_to_block_after_the_end_is_woken_at_once() -> None:
    stop, woken = Stop(), list[str]()
    stop.set()
    with stop.waking(lambda: woken.append("late")):
        assert woken == ["late"]
    assert stop.wait(0)


def test_waiting_ends_with_the_time_or_with_the_stop() -> None:
    stop = Stop()
    assert (stop.wait(0), stop.wait(0.001)) == (False, False)
    waiter = threading.Thread(target=stop.wait)
    waiter.start()
    stop.set()
    waiter.join(30)
    assert not waiter.is_alive()


def test_a_signal_may_set_it_while_the_main_thread_waits_on_it() -> None:
    stop = Stop()

    def handler(number: int, frame: Any) -> None:
        stop.set()

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        with stop._changed:  # the main thread has the lock: an Event would wait for itself
            signal.raise_signal(signal.SIGUSR1)
            assert stop.is_set()
        assert stop.wait()
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_waker_may_look_at_the_stop_and_set_it_again() -> None:
    stop, seen = Stop(), list[bool]()
    with stop.waking(lambda: (seen.append(stop.is_set()), stop.set() if len(seen) < 2 else None)[0]):
        stop.set()
    assert seen == [True, True]
