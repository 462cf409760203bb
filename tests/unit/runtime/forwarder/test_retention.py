"""Who may be cut off, and what may go."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedscale_runtime.forwarder.retention import Lag, decide
from speedscale_runtime.spool import Position

LIMIT = 100


def lag(segment: int, size: int) -> Lag:
    return Lag(Position(segment, 0), size)


@pytest.mark.parametrize(
    ("lags", "before", "need_room", "cut_off", "release"),
    [
        ({"a": lag(5, 0), "b": lag(3, 40)}, set(), False, set(), 3),
        ({"a": lag(5, 0), "b": lag(1, 101)}, set(), False, {"b"}, 1),  # kept while there is room
        ({"a": lag(5, 0), "b": lag(1, 101)}, set(), True, {"b"}, 5),
        ({"a": lag(5, 0), "b": lag(2, 60)}, {"b"}, True, {"b"}, 5),  # comes back below half the limit
        ({"a": lag(5, 0), "b": lag(4, 49)}, {"b"}, True, set(), 4),
        ({"a": lag(1, 500)}, set(), True, set(), 1),  # alone: nothing is given up
        ({"a": lag(2, 300), "b": lag(1, 500)}, set(), True, set(), 1),  # none keeps up: nothing is given up
        ({"a": lag(2, 300), "b": lag(1, 500)}, {"b"}, True, {"b"}, 2),  # was cut off, stays so
        ({"a": lag(2, 300), "b": lag(1, 500)}, {"a", "b"}, True, {"b"}, 2),
    ],
)
def test_decide(lags: dict[str, Lag], before: set[str], need_room: bool, cut_off: set[str], release: int) -> None:
    verdict = decide(lags, frozenset(before), LIMIT, need_room=need_room)
    assert verdict == (frozenset(cut_off), Position(release, 0))


@given(
    st.dictionaries(
        st.sampled_from("abcd"), st.builds(lag, st.integers(1, 9), st.integers(0, 300)), min_size=1, max_size=4
    ),
    st.frozensets(st.sampled_from("abcd")),
    st.booleans(),
)
def test_some_exporter_always_holds_the_spool(lags: dict[str, Lag], before: frozenset[str], need: bool) -> None:
    verdict = decide(lags, before & lags.keys(), LIMIT, need_room=need)
    holding = [one.position for name, one in lags.items() if name not in verdict.cut_off]
    assert holding
    assert verdict.release <= min(holding)
    if not need:
        assert verdict.release == min(one.position for one in lags.values())
    assert all(lags[name].bytes > LIMIT // 2 for name in verdict.cut_off)
