"""Counters of one endpoint, filled line by line; `building` makes one per endpoint and adds them up.

Memory is bounded: at most `FAILURES` failing pairs with both sides, `KINDS` kinds of failure and `SHOWN` paths that
differ without failing are kept per endpoint; whatever is beyond is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .assertions import Outcome
from .failing import Fingerprint
from .histograms import Histogram
from .model import Endpoint, Failure, Kind, Requests, Shown

FAILURES = 5
KINDS = 200
SHOWN = 50


@dataclass(slots=True)
class Tally:
    """What is known about one endpoint so far; `matched` of `compared` pairs passed every assertion."""

    name: str
    requests: int = 0
    errors: int = 0
    compared: int = 0
    matched: int = 0
    causes: Counter[str] = field(default_factory=Counter)
    status_codes: Counter[str] = field(default_factory=Counter)
    recorded_status_codes: Counter[str] = field(default_factory=Counter)
    assertions: dict[str, list[int]] = field(default_factory=dict)
    latency: Histogram = field(default_factory=Histogram)
    recorded_latency: Histogram = field(default_factory=Histogram)
    service_time: Histogram = field(default_factory=Histogram)
    status_matched: int = 0
    failed: int = 0
    kinds: dict[Fingerprint, int] = field(default_factory=dict)
    failures: dict[Fingerprint, Failure] = field(default_factory=dict)
    shown: Counter[tuple[str, str, Kind, str]] = field(default_factory=Counter)

    def take_totals(self, line: Mapping[str, Any]) -> None:
        """Add an `endpoint` line: the generator's own totals. ValueError when a histogram cannot be decoded."""
        # Everything is read before anything is counted: a line is taken whole or not at all.
        counts = int(line["requests"]), int(line["errors"]), int(line.get("matched", 0))
        causes = {str(k): int(v) for k, v in line.get("errorCauses", {}).items()}
        codes = {str(k): int(v) for k, v in line.get("statusCodes", {}).items()}
        histograms = Histogram(), Histogram(), Histogram()
        for histogram, key in zip(histograms, ("latencyHdr", "serviceTimeHdr", "recordedLatencyHdr"), strict=True):
            histogram.merge(line[key])
        self.requests += counts[0]
        self.errors += counts[1]
        self.status_matched += counts[2]
        self.causes.update(causes)
        self.status_codes.update(codes)
        self.latency.add(histograms[0])
        self.service_time.add(histograms[1])
        self.recorded_latency.add(histograms[2])

    def take_pair_as_totals(self, line: Mapping[str, Any], status: int) -> None:
        """Count a pair line where the run was killed before it wrote its totals."""
        self.requests += 1
        if line.get("error"):
            self.errors += 1
            self.causes[str(line["error"])] += 1
        elif status:
            self.status_codes[str(status)] += 1
        for histogram, key in ((self.latency, "latencyMs"), (self.service_time, "serviceTimeMs")):
            if isinstance(line.get(key), int | float):
                histogram.record(line[key])
        duration = line.get("recorded", {}).get("duration")
        if isinstance(duration, int | float):
            self.recorded_latency.record(duration)

    def take_outcomes(self, outcomes: Sequence[Outcome], names: Sequence[str], error: str) -> bool:
        """Count a pair's assertions (all failed where there was no answer); return whether it passed."""
        self.compared += 1
        passed = not error
        if error:
            for name in names:
                self.assertions.setdefault(name, [0, 0])[1] += 1
        for outcome in outcomes:
            self.assertions.setdefault(outcome.type, [0, 0])[0 if outcome.passed else 1] += 1
            passed = passed and outcome.passed
            for d in outcome.differences:
                if not d.fails:
                    key = (d.place, d.path, d.kind, d.pattern)
                    if key in self.shown or len(self.shown) < SHOWN:
                        self.shown[key] += 1
        self.matched += passed
        return passed

    def wants(self, kind: Fingerprint) -> bool:
        """Count a failing pair; say whether its two sides are to be kept."""
        self.failed += 1
        if kind in self.kinds:
            self.kinds[kind] += 1
            return False
        if len(self.kinds) < KINDS:
            self.kinds[kind] = 1
        return len(self.failures) < FAILURES

    def kept(self) -> list[Failure]:
        """Return the failures that were kept, each with the number of pairs that fail alike."""
        return [replace(f, same=self.kinds.get(kind, 1) - 1) for kind, f in self.failures.items()]

    def row(self, seconds: float) -> Endpoint:
        """Return the endpoint's row of the report."""
        kept = self.kept()
        return Endpoint(
            name=self.name,
            requests=requests([self], seconds),
            status_codes=ordered(self.status_codes),
            recorded_status_codes=ordered(self.recorded_status_codes),
            latency=self.latency.summary(),
            recorded_latency=self.recorded_latency.summary(),
            service_time=self.service_time.summary(),
            assertions=assertions([self]),
            shown=tuple(
                Shown(place, path, kind, pattern, count)
                for (place, path, kind, pattern), count in sorted(self.shown.items(), key=lambda i: (-i[1], i[0]))
            ),
            failures_kept=len(kept),
            failures_left_out=self.failed - len(kept) - sum(f.same for f in kept),
        )


def requests(tallies: Sequence[Tally], seconds: float) -> Requests:
    """Add up the counters of several endpoints; without compared pairs, status codes stand for the match."""
    total, errors = sum(t.requests for t in tallies), sum(t.errors for t in tallies)
    compared, matched = sum(t.compared for t in tallies), sum(t.matched for t in tallies)
    if not compared:
        compared, matched = total, sum(t.status_matched for t in tallies)
    rate = total / seconds if seconds > 0 else 0.0
    return Requests(
        total=total,
        succeeded=total - errors,
        failed=errors,
        compared=compared,
        matched=matched,
        per_second=round(rate, 3),
        per_minute=round(rate * 60, 3),
        response_pct=percent(total - errors, total),
        result_match_pct=percent(matched, compared) if compared else None,
    )


def assertions(tallies: Sequence[Tally]) -> dict[str, dict[str, int]]:
    """Add up assertion counts by type."""
    sums: dict[str, list[int]] = {}
    for tally in tallies:
        for name, (passed, failed) in tally.assertions.items():
            both = sums.setdefault(name, [0, 0])
            both[0] += passed
            both[1] += failed
    return {name: {"passed": both[0], "failed": both[1]} for name, both in sorted(sums.items())}


def ordered(counter: Mapping[str, int]) -> dict[str, int]:
    """Return a counter with its keys sorted, so that the same counts are the same bytes."""
    return dict(sorted(counter.items()))


def percent(part: int, whole: int) -> float:
    """Return a share in percent with two digits, rounded down so that 100 means all of them; 0 of nothing is 0."""
    return part * 10_000 // whole / 100 if whole else 0.0
