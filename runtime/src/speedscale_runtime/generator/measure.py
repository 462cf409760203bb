"""What is measured: per endpoint and per second, in buffers on the hot path, in HDR histograms behind it.

Times are whole microseconds. Recording into a histogram one value at a time costs more than the request; values
are buffered and counted by distinct value. Histograms of several processes are added, percentiles never averaged.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from speedscale_schemas import hdr

from .causes import Cause
from .plan import Endpoint

LOWEST_US, HIGHEST_US = hdr.LOWEST, hdr.HIGHEST
_BUFFER = 50_000
_QUANTILES = (("p50", 50.0), ("p75", 75.0), ("p90", 90.0), ("p95", 95.0), ("p99", 99.0), ("max", 100.0))


class Histogram:
    """Microseconds with HDR precision: a buffer, behind it counts by the lowest value of their HDR bucket.

    Bounded: there are at most 2048 + 21 x 1024 buckets between 1 us and 1 h.
    """

    __slots__ = ("counts", "values")

    def __init__(self, counts: Mapping[int, int] | None = None) -> None:
        self.counts: Counter[int] = Counter(counts or {})
        self.values: list[int] = []

    def flush(self) -> None:
        """Count what is buffered."""
        counts = self.counts
        for value, count in Counter(self.values).items():
            counts[bucket(value)] += count
        self.values.clear()

    def export(self) -> dict[int, int]:
        """Return the counts by bucket as plain data."""
        self.flush()
        return dict(self.counts)

    def encode(self) -> str:
        """Return the histogram as base64 (HDR V2, compressed)."""
        self.flush()
        return hdr.encode({hdr.slot(value): count for value, count in self.counts.items()})

    def quantiles_ms(self) -> dict[str, float]:
        """Return p50 to p99 and the maximum in ms; zeros where nothing was recorded."""
        self.flush()
        total = sum(self.counts.values())
        found: dict[str, float] = {}
        seen, ordered = 0, iter(sorted(self.counts.items()))
        value = 0
        for name, percent in _QUANTILES:
            rank = math.ceil(total * percent / 100)
            while seen < rank:
                value, count = next(ordered)
                seen += count
            found[name] = value / 1000
        return found


def bucket(value: int) -> int:
    """Return the lowest value of the HDR bucket (3 digits) that a value falls into, within the histogram's range."""
    value = min(max(value, LOWEST_US), HIGHEST_US)  # as `hdr.bounds` of `hdr.slot`, for a loop over every value
    shift = value.bit_length() - 11
    return value if shift <= 0 else value >> shift << shift


class EndpointStats:
    """Counters of one endpoint. `recorded` counts the recorded durations, which are few distinct values."""

    __slots__ = ("causes", "codes", "latency", "matched", "recorded", "service")

    def __init__(self) -> None:
        self.codes: Counter[int] = Counter()
        self.causes: Counter[str] = Counter()
        self.matched = 0
        self.latency = Histogram()
        self.service = Histogram()
        self.recorded: Counter[int] = Counter()


class Second:
    """Counters of one second of the run."""

    __slots__ = ("codes", "errors", "latency", "received", "sent", "vusers")

    def __init__(self) -> None:
        self.codes: Counter[int] = Counter()
        self.errors = 0
        self.latency = Histogram()
        self.sent = 0
        self.received = 0
        self.vusers = 0


class Stats:
    """All counters of one process. `begin` is the run's start on the clock that `end` times are read from."""

    def __init__(self, endpoints: int, begin: float) -> None:
        self.begin = begin
        self.endpoints = [EndpointStats() for _ in range(endpoints)]
        self.finished: list[dict[str, Any]] = []
        self.requests = 0
        self.errors = 0
        self._second = Second()
        self._number = 0

    def answered(
        self, endpoint: int, end: float, latency_us: int, service_us: int, status: int, matched: bool,
        recorded_us: int, sent: int, received: int,
    ) -> None:  # fmt: skip
        """Count an answer; hot path."""
        number = int(end - self.begin)
        if number != self._number:
            self._turn(number)
        self.requests += 1
        stats = self.endpoints[endpoint]
        stats.codes[status] += 1
        latencies = stats.latency.values
        latencies.append(latency_us)
        stats.service.values.append(service_us)
        stats.recorded[recorded_us] += 1
        if matched:
            stats.matched += 1
        second = self._second
        second.codes[status] += 1
        second.latency.values.append(latency_us)
        second.sent += sent
        second.received += received
        if len(latencies) > _BUFFER:
            stats.latency.flush()
            stats.service.flush()

    def failed(self, endpoint: int, end: float, cause: Cause, recorded_us: int) -> None:
        """Count a request without an answer."""
        number = int(end - self.begin)
        if number != self._number:
            self._turn(number)
        self.requests += 1
        self.errors += 1
        stats = self.endpoints[endpoint]
        stats.causes[cause.value] += 1
        stats.recorded[recorded_us] += 1
        self._second.errors += 1

    def at_work(self, vusers: int) -> None:
        """Say how many vUsers work now."""
        self._second.vusers = vusers

    def _turn(self, number: int) -> None:
        if number < self._number:
            return
        second = self._second
        if second.errors or second.codes:
            self.finished.append(
                {
                    "second": self._number,
                    "requests": sum(second.codes.values()) + second.errors,
                    "errors": second.errors,
                    "codes": dict(second.codes),
                    "sent": second.sent,
                    "received": second.received,
                    "vusers": second.vusers,
                    "latency": second.latency.export(),
                }
            )
        self._second = Second()
        self._second.vusers = second.vusers
        self._number = number

    def export(self) -> dict[str, Any]:
        """Return everything as plain data, to be merged with that of other processes."""
        self._turn(self._number + 1)
        return {
            "requests": self.requests,
            "errors": self.errors,
            "seconds": self.finished,
            "endpoints": [
                {
                    "codes": dict(e.codes),
                    "causes": dict(e.causes),
                    "matched": e.matched,
                    "latency": e.latency.export(),
                    "service": e.service.export(),
                    "recorded": dict(e.recorded),
                }
                for e in self.endpoints
            ],
        }


def endpoint_lines(endpoints: tuple[Endpoint, ...], parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the `endpoint` lines of all processes together; endpoints without a request are left out."""
    lines = []
    for index, endpoint in enumerate(endpoints):
        merged = EndpointStats()
        for part in parts:
            one = part["endpoints"][index]
            merged.codes.update(one["codes"])
            merged.causes.update(one["causes"])
            merged.matched += one["matched"]
            merged.latency.counts.update(one["latency"])
            merged.service.counts.update(one["service"])
            merged.recorded.update(one["recorded"])
        errors = sum(merged.causes.values())
        requests = sum(merged.codes.values()) + errors
        if requests:
            lines.append(
                {
                    "type": "endpoint",
                    "endpoint": endpoint.name,
                    "method": endpoint.method,
                    "location": endpoint.location,
                    "requests": requests,
                    "errors": errors,
                    "errorCauses": dict(sorted(merged.causes.items())),
                    "statusCodes": {str(code): n for code, n in sorted(merged.codes.items())},
                    "matched": merged.matched,
                    "latencyHdr": merged.latency.encode(),
                    "serviceTimeHdr": merged.service.encode(),
                    "recordedLatencyHdr": _durations(merged.recorded).encode(),
                }
            )
    return lines


def _durations(recorded: Counter[int]) -> Histogram:
    made = Histogram()
    for value, count in recorded.items():
        made.counts[bucket(value)] += count
    return made


def interval_lines(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the `interval` lines of all processes together, in order."""
    seconds: dict[int, list[dict[str, Any]]] = {}
    for part in parts:
        for second in part["seconds"]:
            seconds.setdefault(second["second"], []).append(second)
    lines = []
    for number in sorted(seconds):
        every = seconds[number]
        latency = Histogram()
        codes: Counter[int] = Counter()
        for one in every:
            latency.counts.update(one["latency"])
            codes.update(one["codes"])
        lines.append(
            {
                "type": "interval",
                "second": number,
                "requests": sum(one["requests"] for one in every),
                "errors": sum(one["errors"] for one in every),
                "statusCodes": {str(code): n for code, n in sorted(codes.items())},
                "sentBytes": sum(one["sent"] for one in every),
                "receivedBytes": sum(one["received"] for one in every),
                "vusers": sum(one["vusers"] for one in every),
                "latencyMs": latency.quantiles_ms(),
            }
        )
    return lines
