"""Latency as HDR histograms: decode, merge, read quantiles. Quantiles are never averaged.

Counts are kept sparsely, by slot of `speedscale_schemas.hdr`: thousands of endpoints would otherwise cost 200 KiB a
histogram.
"""

from __future__ import annotations

from speedscale_schemas import hdr

from .model import Latency


class Histogram:
    """Counts by slot."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}

    def merge(self, encoded: str) -> None:
        """Add a histogram (V2, zlib, base64); ValueError when it cannot be decoded."""
        for index, count in hdr.decode(encoded):
            self._count(index, count)

    def add(self, other: Histogram) -> None:
        """Add another histogram's counts."""
        for index, count in other._counts.items():
            self._count(index, count)

    def record(self, milliseconds: float) -> None:
        """Count one value; what is out of range counts at the range's end."""
        self._count(hdr.slot(round(milliseconds * 1000)), 1)

    def summary(self) -> Latency:
        """Return count, smallest, mean, quantiles and largest, in milliseconds to the microsecond."""
        slots = sorted(self._counts.items())
        if not slots:
            return Latency()
        total = sum(count for _, count in slots)
        lows, highs = zip(*(hdr.bounds(index) for index, _ in slots), strict=True)
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
