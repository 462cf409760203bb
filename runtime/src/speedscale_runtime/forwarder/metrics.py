"""What the forwarder counts: once for /metrics, once for /v1/status.

The server and the exporters' runners call it; only from the event loop. Labels are reasons from enums, and names
from the configuration (rule, exporter, kind of finding), never from traffic.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client import Counter as PromCounter

from .rules import State

UNDECODABLE = "UNDECODABLE"  # the kind of what could not be looked into
OTHER = "other"
_KINDS_MAX = 200  # kinds of findings come from rules; beyond this they are counted together
_DECISIONS_MAX = 1000  # so do detectors


class Metrics:
    """All counters of one forwarder, in the given registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.batches = Counter[str]()
        self.pairs = Counter[str]()
        self.filtered = Counter[str]()
        self.redacted = Counter[str]()
        self.decisions = Counter[tuple[str, str, str]]()
        self.undecodable = 0
        self.evictions = 0
        self.dropped = Counter[str]()
        self.refused = Counter[str]()
        self.received_bytes = 0
        self.exported: dict[str, Counter[str]] = {}
        prefix = "speedscale_forwarder"
        self._batches = PromCounter(f"{prefix}_batches", "Batches by outcome", ["outcome"], registry=registry)
        self._pairs = PromCounter(f"{prefix}_pairs", "Pairs by stage", ["stage"], registry=registry)
        self._bytes = PromCounter(f"{prefix}_received_bytes", "Bytes of accepted batches", registry=registry)
        self._filtered = PromCounter(f"{prefix}_filtered_pairs", "Dropped by rule", ["rule"], registry=registry)
        self._redacted = PromCounter(f"{prefix}_redacted_values", "Values redacted", ["kind"], registry=registry)
        self._decisions = PromCounter(
            f"{prefix}_rule_redacted_values",
            "Values redacted by DLP rule, its detector and what the token says; exporters' own rules included",
            ["rule", "detector", "kind"],
            registry=registry,
        )
        self._rule_state = Gauge(
            f"{prefix}_rule_state",
            "1 for how the rules of a use (base, or an exporter) stand: current, last_good or missing",
            ["use", "state"],
            registry=registry,
        )
        self._undecodable = PromCounter(
            f"{prefix}_undecodable_parts",
            "Bodies and texts replaced whole, since nobody can tell what is in them",
            registry=registry,
        )
        self._evictions = PromCounter(
            f"{prefix}_redaction_evictions", "Entries dropped from the redactor's bounded memories", registry=registry
        )
        self._evicted = 0
        self._lookups = PromCounter(
            f"{prefix}_redaction_lookups",
            "Look-ups in the redactor's memories: shapes of heads, texts at their places in heads, other texts, values "
            "under sensitive names, tokens; result is hit or miss",
            ["memory", "result"],
            registry=registry,
        )
        self.lookups: dict[str, tuple[int, int]] = {}
        self._dropped = PromCounter(f"{prefix}_dropped_pairs", "Pairs lost", ["reason"], registry=registry)
        self._refused = PromCounter(f"{prefix}_refused_batches", "Batches refused", ["reason"], registry=registry)
        self._exporter = PromCounter(
            f"{prefix}_exporter_events",
            "Per exporter: exported, filtered, rejected, too_large, cut, deduplicated and lost pairs; errors; cutoffs",
            ["exporter", "event"],
            registry=registry,
        )
        self._lag_bytes = Gauge(f"{prefix}_exporter_lag_bytes", "Not yet exported", ["exporter"], registry=registry)
        self._lag_pairs = Gauge(f"{prefix}_exporter_lag_pairs", "Not yet exported", ["exporter"], registry=registry)
        self._lag_s = Gauge(
            f"{prefix}_exporter_lag_seconds", "Age of what was not yet exported", ["exporter"], registry=registry
        )
        self._cut_off = Gauge(
            f"{prefix}_exporter_cut_off", "1 while it holds nothing back", ["exporter"], registry=registry
        )
        self._spool = Gauge(f"{prefix}_spool_bytes", "Size of the spool", registry=registry)
        self._load = Gauge(
            f"{prefix}_load_ratio",
            "How full the fuller of spool and memory for batches is, 0 to 1: what replicas can be scaled by",
            registry=registry,
        )
        self._inflight = Gauge(f"{prefix}_inflight_bytes", "Batches in memory", registry=registry)
        self._reloads = PromCounter(
            f"{prefix}_rule_reloads", "Rules read anew, by outcome", ["outcome"], registry=registry
        )
        self._damage = PromCounter(
            f"{prefix}_spool_damaged_bytes", "Bytes of the spool that were no records", ["kind"], registry=registry
        )

    def batch(self, outcome: str) -> None:
        """Count a batch: `stored` or `duplicate`."""
        self.batches[outcome] += 1
        self._batches.labels(outcome).inc()

    def refuse(self, reason: str) -> None:
        """Count a refused batch."""
        self.refused[reason] += 1
        self._refused.labels(reason).inc()

    def stored(
        self,
        rule: str,
        size: int,
        received: int,
        pairs: int,
        filtered: int,
        dropped: Mapping[str, int],
    ) -> None:
        """Count what a stored batch held."""
        self.received_bytes += size
        self._bytes.inc(size)
        for stage, n in (("received", received), ("stored", pairs)):
            self.pairs[stage] += n
            self._pairs.labels(stage).inc(n)
        if filtered:
            self.filtered[rule] += filtered
            self._filtered.labels(rule).inc(filtered)
        for reason, n in dropped.items():
            self.dropped[reason] += n
            self._dropped.labels(reason).inc(n)

    def redactions(self, rule: str, decisions: Mapping[tuple[str, str], int]) -> None:
        """Count what the base rule took out of a stored batch: by detector and kind."""
        for (detector, kind), n in decisions.items():
            label = kind if kind in self.redacted or len(self.redacted) < _KINDS_MAX else OTHER
            self.redacted[label] += n
            self._redacted.labels(label).inc(n)
            if kind == UNDECODABLE:
                self.undecodable += n
                self._undecodable.inc(n)
            self.decided(rule, detector, kind, n)

    def decided(self, rule: str, detector: str, kind: str, n: int) -> None:
        """Count values that a rule's detector took out, before the disk or before an exporter."""
        labels = (rule, detector, kind)
        if labels not in self.decisions and len(self.decisions) >= _DECISIONS_MAX:
            labels = (OTHER, OTHER, OTHER)
        self.decisions[labels] += n
        self._decisions.labels(*labels).inc(n)

    def decided_by_rule(self) -> dict[str, dict[str, int]]:
        """Return how many values each detector of each rule took out, for /v1/status."""
        found: dict[str, dict[str, int]] = {}
        for (rule, detector, _), n in sorted(self.decisions.items()):
            mine = found.setdefault(rule, {})
            mine[detector] = mine.get(detector, 0) + n
        return found

    def rules(self, use: str, state: State) -> None:
        """Note how the rules of a use stand: `base`, or the name of an exporter."""
        for known in State:
            self._rule_state.labels(use, known.value).set(known is state)

    def evicted(self, total: int) -> None:
        """Note how many entries the rule in force has dropped; a new rule begins at 0."""
        more = total - self._evicted if total >= self._evicted else total
        self._evicted = total
        self.evictions += more
        self._evictions.inc(more)

    def looked_up(self, lookups: Mapping[str, tuple[int, int]]) -> None:
        """Note how often the memories of the rule in force were asked, by memory: hits and misses so far."""
        for memory, now in lookups.items():
            before = self.lookups.get(memory, (0, 0))
            begun_anew = sum(now) < sum(before)
            for result, new, old in zip(("hit", "miss"), now, before, strict=True):
                self._lookups.labels(memory, result).inc(new if begun_anew else max(new - old, 0))
        self.lookups = dict(lookups)

    def exporter(self, name: str, event: str, n: int = 1) -> None:
        """Count something of an exporter."""
        if n:
            self.exported.setdefault(name, Counter())[event] += n
            self._exporter.labels(name, event).inc(n)

    def lag(self, name: str, size: int, pairs: int, age_s: float, cut_off: bool) -> None:
        """Note how far behind an exporter is."""
        self._lag_s.labels(name).set(age_s)
        self._lag_bytes.labels(name).set(size)
        self._lag_pairs.labels(name).set(pairs)
        self._cut_off.labels(name).set(cut_off)

    def spool(self, size: int, inflight: int, load: float) -> None:
        """Note the sizes of spool and memory in use, and how full the fuller one is (0 to 1)."""
        self._load.set(load)
        self._spool.set(size)
        self._inflight.set(inflight)

    def reloaded(self, good: bool) -> None:
        """Count a change of rule files."""
        self._reloads.labels("ok" if good else "failed").inc()

    def damaged(self, kind: str, size: int) -> None:
        """Count bytes of the spool that could not be read: `torn` or `damage`."""
        if size:
            self._damage.labels(kind).inc(size)
