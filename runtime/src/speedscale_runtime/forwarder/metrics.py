"""What the forwarder counts: once for /metrics, once for /v1/status.

The server and the exporters' runners call it; only from the event loop. Labels are reasons from enums, and names
from the configuration (rule, exporter, kind of finding), never from traffic.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client import Counter as PromCounter

UNDECODABLE = "UNDECODABLE"  # the kind of what could not be looked into
_KINDS_MAX = 200  # kinds of findings come from rules; beyond this they are counted together


class Metrics:
    """All counters of one forwarder, in the given registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.batches = Counter[str]()
        self.pairs = Counter[str]()
        self.filtered = Counter[str]()
        self.redacted = Counter[str]()
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
        self._undecodable = PromCounter(
            f"{prefix}_undecodable_parts",
            "Bodies and texts replaced whole, since nobody can tell what is in them",
            registry=registry,
        )
        self._evictions = PromCounter(
            f"{prefix}_redaction_evictions", "Entries dropped from the redactor's bounded memories", registry=registry
        )
        self._evicted = 0
        self._dropped = PromCounter(f"{prefix}_dropped_pairs", "Pairs lost", ["reason"], registry=registry)
        self._refused = PromCounter(f"{prefix}_refused_batches", "Batches refused", ["reason"], registry=registry)
        self._exporter = PromCounter(
            f"{prefix}_exporter_events",
            "Per exporter: exported, filtered, rejected, cut, deduplicated and lost pairs; errors; cutoffs",
            ["exporter", "event"],
            registry=registry,
        )
        self._lag_bytes = Gauge(f"{prefix}_exporter_lag_bytes", "Not yet exported", ["exporter"], registry=registry)
        self._lag_pairs = Gauge(f"{prefix}_exporter_lag_pairs", "Not yet exported", ["exporter"], registry=registry)
        self._cut_off = Gauge(
            f"{prefix}_exporter_cut_off", "1 while it holds nothing back", ["exporter"], registry=registry
        )
        self._spool = Gauge(f"{prefix}_spool_bytes", "Size of the spool", registry=registry)
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
        redacted: Mapping[str, int],
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
        for kind, n in redacted.items():
            label = kind if kind in self.redacted or len(self.redacted) < _KINDS_MAX else "other"
            self.redacted[label] += n
            self._redacted.labels(label).inc(n)
        undecodable = redacted.get(UNDECODABLE, 0)
        if undecodable:
            self.undecodable += undecodable
            self._undecodable.inc(undecodable)
        for reason, n in dropped.items():
            self.dropped[reason] += n
            self._dropped.labels(reason).inc(n)

    def evicted(self, total: int) -> None:
        """Note how many entries the rule in force has dropped; a new rule begins at 0."""
        more = total - self._evicted if total >= self._evicted else total
        self._evicted = total
        self.evictions += more
        self._evictions.inc(more)

    def exporter(self, name: str, event: str, n: int = 1) -> None:
        """Count something of an exporter."""
        if n:
            self.exported.setdefault(name, Counter())[event] += n
            self._exporter.labels(name, event).inc(n)

    def lag(self, name: str, size: int, pairs: int, cut_off: bool) -> None:
        """Note how far behind an exporter is."""
        self._lag_bytes.labels(name).set(size)
        self._lag_pairs.labels(name).set(pairs)
        self._cut_off.labels(name).set(cut_off)

    def spool(self, size: int, inflight: int) -> None:
        """Note the sizes of spool and memory in use."""
        self._spool.set(size)
        self._inflight.set(inflight)

    def reloaded(self, good: bool) -> None:
        """Count a change of rule files."""
        self._reloads.labels("ok" if good else "failed").inc()

    def damaged(self, kind: str, size: int) -> None:
        """Count bytes of the spool that could not be read: `torn` or `damage`."""
        if size:
            self._damage.labels(kind).inc(size)
