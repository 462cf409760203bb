"""The run second by second, widened to at most `SLICES` slices for a plot.

Counters of a slice are summed; quantiles are the largest of its seconds, because the mean of quantiles is no
quantile.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .model import Interval

SLICES = 240
SECONDS = 7 * 86_400


class Timeline:
    """Interval lines by second; several lines of one second (several processes) are merged."""

    def __init__(self) -> None:
        self._by_second: dict[int, Interval] = {}

    @property
    def seconds(self) -> int:
        """Length of the run as far as intervals tell, in seconds."""
        return max(self._by_second) + 1 if self._by_second else 0

    def take(self, line: Mapping[str, Any]) -> None:
        """Add an `interval` line; ValueError for a second beyond a week."""
        second = int(line["second"])
        if not 0 <= second < SECONDS:
            raise ValueError(f"second {second} is out of range")
        one = Interval(
            float(second),
            1.0,
            int(line["requests"]),
            int(line["errors"]),
            int(line.get("receivedBytes") or 0) + int(line.get("sentBytes") or 0),
            {str(k): float(v) for k, v in (line.get("latencyMs") or {}).items()},
        )
        known = self._by_second.get(second)
        self._by_second[second] = one if known is None else _joined([known, one], float(second), 1.0)

    def slices(self) -> tuple[Interval, ...]:
        """Return slices of equal width from the start to the end, empty ones included."""
        total = self.seconds
        if not total:
            return ()
        width = -(-total // SLICES)
        result = []
        for start in range(0, total, width):
            inside = [self._by_second[s] for s in range(start, min(start + width, total)) if s in self._by_second]
            result.append(_joined(inside, float(start), float(min(width, total - start))))
        return tuple(result)


def _joined(inside: list[Interval], start: float, width: float) -> Interval:
    quantiles: dict[str, float] = {}
    for one in inside:
        for name, value in one.quantiles.items():
            if one.requests > one.errors:
                quantiles[name] = max(quantiles.get(name, 0.0), value)
    return Interval(
        start,
        width,
        sum(i.requests for i in inside),
        sum(i.errors for i in inside),
        sum(i.bytes for i in inside),
        quantiles,
    )
