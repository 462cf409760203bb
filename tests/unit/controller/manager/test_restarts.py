"""Why a process ended, and when the next one starts."""

from __future__ import annotations

import pytest

from speedscale_controller.manager.restarts import EXIT_LOST, EXIT_SETTINGS, LAST_S, Cause, Restarts


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        (0, Cause.ENDED),
        (1, Cause.ENDED),
        (EXIT_SETTINGS, Cause.SETTINGS),
        (-9, Cause.KILLED),
        (EXIT_LOST, Cause.LOST_LEASE),
    ],
)
def test_causes(code: int, cause: Cause) -> None:
    assert Restarts().ended(code, 1.0, None)[0] is cause


def test_waits_double_up_to_a_bound() -> None:
    history = Restarts()
    waits = [history.ended(1, 0.1, None)[1] for _ in range(12)]
    assert waits[:4] == [0.2, 0.4, 0.8, 1.6]
    assert waits[-1] == LAST_S


def test_a_life_of_a_minute_starts_anew() -> None:
    history = Restarts()
    for _ in range(5):
        history.ended(1, 0.1, None)
    assert history.ended(1, 60.0, None)[1] == 0.2


def test_who_lost_the_lease_stands_again_at_once() -> None:
    history = Restarts()
    assert history.ended(EXIT_LOST, 5.0, None) == (Cause.LOST_LEASE, 0.0)
    assert history.failures == 0


def test_what_we_killed_it_for_counts() -> None:
    history = Restarts()
    for _ in range(3):
        assert history.ended(-9, 1.0, Cause.SILENT)[0] is Cause.SILENT
    assert history.stuck == 3
    history.ended(-9, 1.0, None)
    assert history.stuck == 0
