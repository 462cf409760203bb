"""Fault specifications: what they mean, and that a wrong one says what was expected."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedscale_runtime.responder.faults import Effect, compile_faults, corrupted
from speedscale_runtime.responder.timing import delay_s, factor
from speedscale_schemas.errors import ConfigError


@pytest.mark.parametrize(
    ("spec", "effect"),
    [
        ("/pay:status=500", Effect("status=500", status=500)),
        ("a:b/c:body=truncate:10", Effect("body=truncate:10", truncate=10)),
        ("x:body=truncate", Effect("body=truncate", truncate=-1)),
        ("x:body=corrupt,latency=1.5s", Effect("body=corrupt,latency=1.5s", corrupt=True, latency_s=1.5)),
        ("x:connection=stall", Effect("connection=stall", connection="stall")),
        ("x:rate=1/1", Effect("rate=1/1", status=503)),
    ],
)
def test_actions(spec: str, effect: Effect) -> None:
    assert compile_faults([spec])[0].effect == effect


@given(st.integers(1, 9), st.integers(0, 9), st.integers(1, 60))
def test_a_rate_strikes_exactly_so_often(fails: int, more: int, periods: int) -> None:
    of = fails + more
    (fault,) = compile_faults([f"pay:rate={fails}/{of}"])
    struck = [fault.apply("GET h/pay") is not None for _ in range(of * periods)]
    assert sum(struck) == fails * periods
    assert struck[:fails] == [True] * fails


def test_what_does_not_match_does_not_count() -> None:
    (fault,) = compile_faults(["^POST .*pay:rate=1/2"])
    found = [fault.apply(target) is not None for target in ("GET h/pay", "POST h/pay", "GET h/pay", "POST h/pay")]
    assert found == [False, True, False, False]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("nothing", "expected <regex>:action=value"),
        ("(:status=500", "regex"),
        ("x:status=99", "200 to 599"),
        ("x:rate=3/2", "0 < F <= N"),
        ("x:rate=1", "F/N"),
        ("x:latency=5", "200ms"),
        ("x:body=gone", "corrupt, truncate"),
        ("x:connection=slow", "refuse, reset, stall, drop"),
        ("x:speed=9", "known are"),
    ],
)
def test_wrong_specifications_say_what_was_expected(spec: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        compile_faults([spec])


def test_all_wrong_ones_are_reported_together() -> None:
    with pytest.raises(ConfigError) as caught:
        compile_faults(["a", "/ok:status=500", "b"])
    assert len(caught.value.problems) == 2


@given(st.binary(min_size=1))
def test_a_corrupted_body_has_its_length_and_is_another(body: bytes) -> None:
    assert len(corrupted(body)) == len(body)
    assert corrupted(body) != body


def test_timing() -> None:
    assert [factor(text) for text in ("none", "recorded", "5x", "0.5x")] == [0.0, 1.0, 5.0, 0.5]
    assert delay_s(200, 5.0) == 1.0
    assert delay_s(10**9, 5.0) == 600.0
    with pytest.raises(ConfigError, match="none, recorded"):
        factor("fast")
