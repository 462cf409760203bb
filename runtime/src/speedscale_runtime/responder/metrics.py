"""Metrics of the responder. Counted by the server as plain integers, turned into metrics when they are scraped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from .matcher import Matcher
from .mocks import Mocks
from .results import Results


@dataclass
class Counts:
    """What the server counts itself. `broken` is by reason of the protocol's own, bounded set."""

    connections: int = 0
    open: int = 0
    redaction_failures: int = 0
    recorded: int = 0
    record_failures: int = 0
    broken: dict[str, int] = field(default_factory=dict)


class ResponderCollector(Collector):
    """Reads the counts when asked."""

    def __init__(
        self, registry: CollectorRegistry, counts: Counts, mocks: Mocks, results: Results, matcher: Matcher
    ) -> None:
        self._counts, self._mocks, self._results, self._matcher = counts, mocks, results, matcher
        registry.register(self)

    def describe(self) -> list[Metric]:
        """Nothing is promised before the first scrape."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics."""
        counts = self._counts
        name = "speedscale_responder_"
        yield _labelled(name + "requests", "Requests by verdict.", "verdict", self._results.verdicts)
        yield _labelled(name + "unanswered", "Requests without a recorded answer.", "reason", self._results.reasons)
        yield _labelled(name + "broken", "Connections ended by a protocol error.", "reason", counts.broken)
        for noun, text, value in (
            ("connections", "Connections accepted.", counts.connections),
            ("faults", "Answers with an injected fault.", sum(self._results.faults.values())),
            ("recorded_pairs", "Misses recorded as new mocks.", counts.recorded),
            ("record_failures", "Misses that could not be recorded.", counts.record_failures),
            ("redaction_failures", "Requests on which the DLP rule failed.", counts.redaction_failures),
            ("result_lines_left_out", "Requests without a line in mocks.jsonl.", self._results.left_out),
            ("forgotten_sessions", "Sessions whose place in a sequence was forgotten.", self._mocks.forgotten_sessions),
            ("cache_clears", "Times the cache of raw requests was full and emptied.", self._matcher.cache_clears),
        ):
            yield CounterMetricFamily(name + noun, text, value=value)
        refused = GaugeMetricFamily(name + "unservable_mocks", "Recorded answers not served.", labels=["reason"])
        for reason, count in self._mocks.unservable.items():
            refused.add_metric([reason], count)
        yield refused
        yield GaugeMetricFamily(name + "open_connections", "Connections now open.", value=counts.open)
        yield GaugeMetricFamily(name + "mocks", "Recorded answers loaded.", value=self._mocks.answers)


def _labelled(name: str, text: str, label: str, values: dict[str, int]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family
