"""The member of `baggage` that names a replay: put in, found again, and never at the cost of what was recorded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedscale_runtime.rrpair import baggage

OWN = baggage.member("r-1")


@pytest.mark.parametrize(
    ("recorded", "sent"),
    [
        ("", "speedscale-replay=r-1"),
        ("user=ada;p=1, tenant=x", "user=ada;p=1,tenant=x,speedscale-replay=r-1"),
        ("speedscale-replay=old", "speedscale-replay=r-1"),
        ("a=1, speedscale-replay = old ;p, b=2", "a=1,b=2,speedscale-replay=r-1"),
        ("a=1,,", "a=1,speedscale-replay=r-1"),
    ],
)
def test_it_joins_what_was_recorded_and_takes_the_place_of_an_earlier_replays(recorded: str, sent: str) -> None:
    assert baggage.added(recorded, OWN) == sent


def test_what_was_recorded_comes_first_where_there_is_no_room() -> None:
    recorded = "a=" + "x" * 8185
    assert baggage.added(recorded, OWN) == recorded


@pytest.mark.parametrize(
    ("value", "is_ours"),
    [
        (b"speedscale-replay=r-1", True),
        (b"user=ada,\tspeedscale-replay = r-1 ;p=1", True),
        (b"speedscale-replay=r-12", False),
        (b"speedscale-replay=r-2", False),
        (b"x-speedscale-replay=r-1", False),
        (b"user=speedscale-replay=r-1", False),
        (b"", False),
    ],
)
def test_only_this_replays_own_member_counts(value: bytes, is_ours: bool) -> None:
    assert baggage.bears(value, OWN.encode()) is is_ours


@given(st.text(min_size=1, max_size=40), st.lists(st.sampled_from(["a=1", "b = 2;p", " c=%20", "speedscale-replay=x"])))
def test_what_is_added_is_found(replay: str, recorded: list[str]) -> None:
    own = baggage.member(replay)
    assert baggage.bears(baggage.added(",".join(recorded), own).encode(), own.encode())
