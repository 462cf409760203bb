"""How often one object is mended before it is left alone for a while."""

from __future__ import annotations

from speedscale_controller.drift.patience import BURST, FIRST_S, LAST_S, WINDOW_S, Patience


def test_a_burst_then_longer_and_longer() -> None:
    patience, now = Patience(), 0.0
    for _ in range(BURST - 1):
        assert patience.repaired("it", now) == 0.0
        assert patience.wait_s("it", now) == 0.0
    waits = []
    for _ in range(10):
        wait = patience.repaired("it", now)
        waits.append(wait)
        assert patience.wait_s("it", now) == wait
        assert patience.wait_s("it", now + wait) == 0.0
        now += wait
    assert waits[:3] == [FIRST_S, 2 * FIRST_S, 4 * FIRST_S]
    assert waits[-1] == LAST_S
    assert patience.wait_s("other", now) == 0.0


def test_a_quiet_window_forgets() -> None:
    patience = Patience()
    for _ in range(BURST):
        wait = patience.repaired("it", 0.0)
    assert wait == FIRST_S
    assert patience.repaired("it", FIRST_S + WINDOW_S + 1) == 0.0


def test_forgetting_and_the_bound() -> None:
    patience = Patience(burst=1, limit=2)
    for key in ("a", "b", "c"):
        assert patience.repaired(key, 0.0) == FIRST_S
    assert patience.wait_s("a", 0.0) == 0.0  # the one longest quiet made room
    assert patience.wait_s("c", 0.0) == FIRST_S
    patience.forget("c")
    assert patience.wait_s("c", 0.0) == 0.0
