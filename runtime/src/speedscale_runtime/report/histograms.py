"""Latency as HDR histograms: decode, merge, read quantiles. Quantiles are never averaged.

Histograms hold microseconds from 1 to 3,600,000,000 with three significant digits (schema `result-line`).
"""

from __future__ import annotations

from typing import Any

from hdrh.histogram import HdrHistogram

from .model import Latency

_LOWEST, _HIGHEST, _DIGITS = 1, 3_600_000_000, 3


class Histogram:
    """A histogram that is made when the first value comes."""

    __slots__ = ("_inner",)

    def __init__(self) -> None:
        self._inner: Any = None

    def merge(self, encoded: str) -> None:
        """Add a histogram (V2, zlib, base64); ValueError when it cannot be decoded."""
        try:
            other = HdrHistogram.decode(encoded.encode("ascii"))
        except Exception as error:  # the library raises its own types, zlib.error and struct.error alike
            raise ValueError(f"no HDR histogram ({type(error).__name__})") from error
        self._own().add(other)

    def add(self, other: Histogram) -> None:
        """Add another histogram's counts."""
        if other._inner is not None:
            self._own().add(other._inner)

    def record(self, milliseconds: float) -> None:
        """Count one value; what is out of range counts at the range's end."""
        self._own().record_value(min(_HIGHEST, max(_LOWEST, round(milliseconds * 1000))))

    def summary(self) -> Latency:
        """Return count, smallest, mean, quantiles and largest, in milliseconds to the microsecond."""
        inner = self._inner
        if inner is None or inner.get_total_count() == 0:
            return Latency()

        def at(percent: float) -> float:
            return float(round(min(inner.get_value_at_percentile(percent), inner.get_max_value()) / 1000, 3))

        return Latency(
            int(inner.get_total_count()),
            round(inner.get_min_value() / 1000, 3),
            round(inner.get_mean_value() / 1000, 3),
            at(50),
            at(75),
            at(90),
            at(95),
            at(99),
            round(inner.get_max_value() / 1000, 3),
        )

    def _own(self) -> Any:
        if self._inner is None:
            self._inner = HdrHistogram(_LOWEST, _HIGHEST, _DIGITS)
        return self._inner
