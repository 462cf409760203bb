"""Counters and histograms: merged over processes, exact to three digits, valid lines."""

from __future__ import annotations

import math

from hdrh.histogram import HdrHistogram
from hypothesis import given
from hypothesis import strategies as st

from speedscale_runtime.generator.causes import Cause, cause_of
from speedscale_runtime.generator.measure import (
    HIGHEST_US,
    LOWEST_US,
    Histogram,
    Stats,
    bucket,
    endpoint_lines,
    interval_lines,
)
from speedscale_runtime.generator.plan import Endpoint
from speedscale_schemas.validation import check

TIMES = st.lists(st.integers(LOWEST_US, HIGHEST_US), min_size=1, max_size=60)


@given(st.integers(LOWEST_US, HIGHEST_US))
def test_buckets_are_those_of_the_hdr_histogram(value: int) -> None:
    histogram = HdrHistogram(LOWEST_US, HIGHEST_US, 3)
    assert bucket(value) == histogram.get_lowest_equivalent_value(value)
    assert bucket(bucket(value)) == bucket(value)
    assert value - bucket(value) <= value / 1000


@given(TIMES)
def test_encoding_equals_one_record_after_the_other(times: list[int]) -> None:
    histogram = Histogram()
    histogram.values.extend(times)
    plain = HdrHistogram(LOWEST_US, HIGHEST_US, 3)
    for time in times:
        plain.record_value(time)
    decoded = HdrHistogram.decode(histogram.encode())
    assert decoded.get_total_count() == len(times)
    for percentile in (50, 99, 100):
        assert decoded.get_value_at_percentile(percentile) == plain.get_value_at_percentile(percentile)


@given(TIMES)
def test_quantiles_are_those_of_the_sorted_values(times: list[int]) -> None:
    histogram = Histogram()
    histogram.values.extend(times)
    ordered = sorted(times)
    found = histogram.quantiles_ms()
    for name, percent in (("p50", 50), ("p95", 95), ("max", 100)):
        exact = ordered[math.ceil(len(times) * percent / 100) - 1]
        assert found[name] == bucket(exact) / 1000


def filled(offset: float) -> Stats:
    stats = Stats(2, 100.0)
    for number in range(10):
        stats.answered(
            0, 100.5 + number * offset, 1000 * (number + 1), 900, 200 if number else 500, number > 0, 5000, 10, 20
        )
    stats.failed(0, 101.9, Cause.REFUSED, 5000)
    return stats


def test_two_processes_become_one() -> None:
    parts = [filled(0.1).export(), filled(0.1).export()]
    (line,) = endpoint_lines((Endpoint("GET", "/a"), Endpoint("GET", "/unused")), parts)
    assert check("result-line", line) == []
    assert (line["requests"], line["errors"], line["matched"]) == (22, 2, 18)
    assert line["statusCodes"] == {"200": 18, "500": 2}
    assert line["errorCauses"] == {"refused": 2}
    latency = HdrHistogram.decode(line["latencyHdr"])
    assert latency.get_total_count() == 20
    assert HdrHistogram.decode(line["recordedLatencyHdr"]).get_total_count() == 22
    seconds = interval_lines(parts)
    assert [check("result-line", s) for s in seconds] == [[], []]
    assert [s["requests"] for s in seconds] == [10, 12]
    assert [s["errors"] for s in seconds] == [0, 2]
    assert seconds[0]["latencyMs"]["p50"] == 3.0
    assert seconds[1]["latencyMs"]["max"] == 10.0


def test_causes() -> None:
    assert cause_of(None) is Cause.CLOSED
    assert cause_of(ConnectionRefusedError()) is Cause.REFUSED
    assert cause_of(ConnectionResetError()) is Cause.RESET
    assert cause_of(OSError(113, "no route")) is Cause.UNREACHABLE
    assert cause_of(TimeoutError()) is Cause.CONNECT_TIMEOUT
