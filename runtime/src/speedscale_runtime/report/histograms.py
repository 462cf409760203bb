"""Latency as HDR histograms: decode, merge, read quantiles. Quantiles are never averaged.

Histograms hold microseconds from 1 to 3,600,000,000 with three significant digits (schema `result-line`). Counts
are kept sparsely, by slot: thousands of endpoints would otherwise cost 200 KiB a histogram, and the library's own
iterators visit every empty slot.
"""

from __future__ import annotations

from typing import Any

from hdrh.histogram import HdrHistogram

from .model import Latency

_LOWEST, _HIGHEST, _DIGITS = 1, 3_600_000_000, 3
_SCALE: Any = HdrHistogram(_LOWEST, _HIGHEST, _DIGITS)
"""Says which slot a value has; holds no counts itself."""


class Histogram:
    """Counts by slot of `_SCALE`."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}

    def merge(self, encoded: str) -> None:
        """Add a histogram (V2, zlib, base64); ValueError when it cannot be decoded."""
        try:
            other: Any = HdrHistogram.decode(encoded.encode("ascii"))
            counts = other.encoder.get_counts()[:]
            alike = other.bucket_count == _SCALE.bucket_count and other.sub_bucket_count == _SCALE.sub_bucket_count
            for index, count in enumerate(counts):
                if count:
                    self._count(index if alike else _slot(other.get_value_from_index(index)), count)
        except Exception as error:  # the library raises its own types, zlib.error and struct.error alike
            raise ValueError(f"no HDR histogram ({type(error).__name__})") from error

    def add(self, other: Histogram) -> None:
        """Add another histogram's counts."""
        for index, count in other._counts.items():
            self._count(index, count)

    def record(self, milliseconds: float) -> None:
        """Count one value; what is out of range counts at the range's end."""
        self._count(_slot(round(milliseconds * 1000)), 1)

    def summary(self) -> Latency:
        """Return count, smallest, mean, quantiles and largest, in milliseconds to the microsecond."""
        slots = sorted(self._counts.items())
        if not slots:
            return Latency()
        total = sum(count for _, count in slots)
        lows = [_SCALE.get_value_from_index(index) for index, _ in slots]
        highs = [_SCALE.get_highest_equivalent_value(low) for low in lows]
        middles = ((low + high) / 2 * count for low, high, (_, count) in zip(lows, highs, slots, strict=True))

        def at(percent: int) -> float:
            wanted, seen = -(-total * percent // 100), 0
            for high, (_, count) in zip(highs, slots, strict=True):
                seen += count
                if seen >= wanted:
                    return float(high)
            return float(highs[-1])

        microseconds = (lows[0], sum(middles) / total, *(at(p) for p in (50, 75, 90, 95, 99)), highs[-1])
        return Latency(total, *(round(value / 1000, 3) for value in microseconds))

    def _count(self, index: int, count: int) -> None:
        self._counts[index] = self._counts.get(index, 0) + count


def _slot(microseconds: int) -> int:
    bounded = min(_HIGHEST, max(_LOWEST, microseconds))
    return int(_SCALE._counts_index_for(bounded))
