"""The stop: who blocks elsewhere is woken, also one who comes too late."""

from __future__ import annotations

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


def test_a_waker_may_look_at_the_stop_and_set_it_again() -> None:
    stop, seen = Stop(), list[bool]()
    with stop.waking(lambda: (seen.append(stop.is_set()), stop.set() if len(seen) < 2 else None)[0]):
        stop.set()
    assert seen == [True, True]
