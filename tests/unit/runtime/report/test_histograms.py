"""Merged histograms have the quantiles of all their values."""

from __future__ import annotations

import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given, settings
from hypothesis import strategies as st

from speedscale_runtime.report.histograms import Histogram
from speedscale_runtime.report.model import Latency

MICROSECONDS = st.lists(st.integers(1, 3_600_000_000), min_size=1, max_size=60)


@settings(max_examples=20)
@given(MICROSECONDS, MICROSECONDS)
def test_merged_quantiles_are_those_of_all_values(first: list[int], second: list[int]) -> None:
    merged, other = Histogram(), Histogram()
    for values, into in ((first, merged), (second, other)):
        part = HdrHistogram(1, 3_600_000_000, 3)
        for value in values:
            part.record_value(value)
        into.merge(part.encode().decode())
    merged.add(other)
    got, ranked = merged.summary(), sorted(first + second)
    assert got.count == len(ranked)
    for name, percent in (("p50", 50), ("p90", 90), ("p99", 99)):
        nearest_rank = ranked[-(-len(ranked) * percent // 100) - 1]
        assert getattr(got, name) == pytest.approx(nearest_rank / 1000, rel=0.002, abs=0.001)
    assert got.avg == pytest.approx(sum(ranked) / len(ranked) / 1000, rel=0.002, abs=0.001)
    assert got.max == pytest.approx(ranked[-1] / 1000, rel=0.002, abs=0.001)


def test_nothing_recorded_is_all_zero() -> None:
    assert Histogram().summary() == Latency()


def test_values_beyond_the_range_count_at_its_end() -> None:
    histogram = Histogram()
    histogram.record(-1)
    histogram.record(1e12)
    assert histogram.summary().count == 2


def test_large_counts_survive() -> None:
    part = HdrHistogram(1, 3_600_000_000, 3)
    for value, count in ((5, 1), (70_000, 300), (3_500_000_000, 2**40)):
        part.record_value(value, count)
    histogram = Histogram()
    histogram.merge(part.encode().decode())
    assert histogram.summary().count == 301 + 2**40


def test_a_histogram_of_another_range_is_refused() -> None:
    with pytest.raises(ValueError, match="no HDR histogram of 1 to"):
        Histogram().merge(HdrHistogram(1, 1000, 2).encode().decode())


@pytest.mark.parametrize("text", ["", "é", "not base64!", "AAAA", "HISTFAAAAA=="])
def test_what_is_no_histogram_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="no HDR histogram"):
        Histogram().merge(text)
