"""A clock that does not step, and who is cut off for the age of what he has not taken."""

from __future__ import annotations

from speedscale_runtime.forwarder.ages import Clock
from speedscale_runtime.forwarder.retention import Lag, decide
from speedscale_runtime.spool import Position


def test_the_wall_clock_is_asked_once() -> None:
    wall, monotonic = [1000.0], [5.0]
    clock = Clock(lambda: wall[0], lambda: monotonic[0])
    assert clock.now() == 1000.0
    wall[0] = 9e9  # somebody sets the machine's clock
    monotonic[0] = 15.0
    assert clock.now() == 1010.0


def test_an_exporter_whose_oldest_pair_waits_too_long_is_cut_off_alone_and_comes_back() -> None:
    def lags(age: float) -> dict[str, Lag]:
        return {"late": Lag(Position(1, 0), 10, age), "good": Lag(Position(9, 0), 10, 0.0)}

    cut = decide(lags(101), frozenset(), 1000, need_room=True, limit_s=100)
    assert (cut.cut_off, cut.release) == (frozenset({"late"}), Position(9, 0))
    assert decide(lags(51), cut.cut_off, 1000, need_room=True, limit_s=100).cut_off == {"late"}
    assert decide(lags(50), cut.cut_off, 1000, need_room=True, limit_s=100).cut_off == frozenset()
    assert decide(lags(10**6), frozenset(), 1000, need_room=True).cut_off == frozenset()  # 0: age does not count
    both = {n: lag._replace(age_s=500) for n, lag in lags(0).items()}
    assert decide(both, frozenset(), 1000, need_room=True, limit_s=100).cut_off == frozenset()
