"""When it is time after a change, on a clock of the test's own."""

from __future__ import annotations

import pytest

from speedscale_manifests.watch import Debounce


def test_nothing_changed_nothing_to_wait_for() -> None:
    assert Debounce().wait(5.0) is None
    assert not Debounce().pending


def test_it_is_time_once_the_files_have_been_quiet() -> None:
    debounce = Debounce(quiet_s=0.25, limit_s=1.0)
    debounce.touch(10.0)
    assert debounce.wait(10.0) == 0.25
    debounce.touch(10.125)
    assert debounce.wait(10.25) == 0.125
    assert debounce.wait(10.5) == 0.0
    debounce.take()
    assert debounce.wait(10.5) is None


def test_a_file_that_never_rests_waits_no_longer_than_the_limit() -> None:
    debounce = Debounce(quiet_s=0.25, limit_s=1.0)
    now, steps = 10.0, 0
    debounce.touch(now)
    while debounce.wait(now) != 0.0:
        now += 0.125
        steps += 1
        debounce.touch(now)
    assert now == pytest.approx(11.0)
    assert steps == 8
