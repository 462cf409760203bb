"""A clock that does not step, and who is cut off for the age of what he has not taken."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from speedscale_runtime.forwarder.ages import NOTE, Clock
from speedscale_runtime.forwarder.retention import Lag, decide
from speedscale_runtime.spool import Position


class Machine:
    """Clocks of a machine that somebody sets."""

    def __init__(self) -> None:
        self.wall, self.up, self.boot = 1_800_000_000.0, 50.0, "first"

    def passes(self, seconds: float) -> None:
        self.wall += seconds
        self.up += seconds

    def clock(self, folder: Path | None = None) -> Clock:
        return Clock(folder, lambda: self.wall, lambda: self.up, lambda: self.boot)


@pytest.mark.parametrize("step", [-3600.0, 86400.0])
def test_a_wall_clock_that_is_set_makes_nothing_older_or_younger(tmp_path: Path, step: float) -> None:
    machine = Machine()
    clock = machine.clock(tmp_path)
    stamp = clock.now_ns()
    machine.passes(10)
    machine.wall += step
    assert clock.now() - stamp / 1e9 == pytest.approx(10)
    assert clock.wall_ns(stamp) / 1e9 == pytest.approx(machine.wall - 10)  # ten seconds ago, by whatever the wall says
    again = machine.clock(tmp_path)  # a restart after the step
    assert again.now() - stamp / 1e9 == pytest.approx(10)
    assert again.wall_ns(stamp) / 1e9 == pytest.approx(machine.wall - 10)


def test_a_stamp_is_exported_as_it_is_where_no_clock_stepped() -> None:
    machine = Machine()
    clock = machine.clock()
    stamp = clock.now_ns()
    machine.passes(7200)
    machine.wall += 0.4  # slewed
    assert clock.wall_ns(stamp) == stamp


@pytest.mark.parametrize(("step", "age"), [(0.0, 100), (-3600.0, 0), (86400.0, 86500)])
def test_over_a_boot_the_wall_clock_counts_but_time_never_goes_back(tmp_path: Path, step: float, age: float) -> None:
    machine = Machine()
    stamp = machine.clock(tmp_path).now()
    machine.passes(100)
    machine.wall += step
    machine.boot, machine.up = "second", 1.0
    clock = machine.clock(tmp_path)
    assert clock.now() - stamp == pytest.approx(age)
    machine.passes(5)
    assert machine.clock(tmp_path).now() - stamp == pytest.approx(age + 5)


@pytest.mark.parametrize("noted", ["", "{", "[]", '{"boot": "first"}', '{"boot": "first", "offset": "x", "begun": 1}'])
def test_a_note_that_cannot_be_read_is_written_anew(tmp_path: Path, noted: str) -> None:
    (tmp_path / NOTE).write_text(noted)
    machine = Machine()
    assert machine.clock(tmp_path).now() == pytest.approx(machine.wall)
    machine.wall += 3600
    assert machine.clock(tmp_path).now() == pytest.approx(machine.wall - 3600)


def test_where_nothing_can_be_noted_there_is_time_all_the_same(tmp_path: Path) -> None:
    machine = Machine()
    assert machine.clock(tmp_path / "absent").now() == pytest.approx(machine.wall)
    machine.boot = ""
    assert machine.clock(tmp_path).now() == pytest.approx(machine.wall)
    assert list(tmp_path.iterdir()) == []


def test_the_machine_s_own_clocks() -> None:
    clock = Clock()
    first = clock.now_ns()
    assert first <= clock.now_ns()
    assert abs(first / 1e9 - time.time()) < 3600


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
