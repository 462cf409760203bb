"""What the backend counts, in the given registry. Labels are reasons, operations and outcomes from tables, never names
of users, clusters or traffic. Safe to call from any thread."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_PREFIX = "speedscale_cloud"


class Metrics:
    """All counters of one backend."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, help: str, *labels: str) -> Counter:
            return Counter(f"{_PREFIX}_{name}", help, labels, registry=registry)

        def gauge(name: str, help: str) -> Gauge:
            return Gauge(f"{_PREFIX}_{name}", help, registry=registry)

        self._requests = counter("requests", "Requests by operation and outcome", "operation", "outcome")
        self._seconds = Histogram(f"{_PREFIX}_request_seconds", "Time to answer", ["operation"], registry=registry)
        self._failures = counter("authentication_failures", "Requests whose key was not taken", "reason")
        self._batches = counter("batches", "Batches by outcome", "outcome")
        self._received_pairs = counter("received_pairs", "Pairs acknowledged")
        self._received_bytes = counter("received_bytes", "Bytes of acknowledged batches, unpacked")
        self._stored = counter("stored_pairs", "Pairs brought into Parquet")
        self._repeated = counter("repeated_pairs", "Pairs that came again and were left out")
        self._lost = counter("lost_pairs", "Pairs that were acknowledged and cannot be read", "reason")
        self._retired = counter("retired_pairs", "Pairs deleted by age or room")
        self._erased = counter("erased_pairs", "Pairs erased on demand")
        self._parts = gauge("traffic_parts", "Parquet objects of stored traffic")
        self._pairs = gauge("traffic_pairs", "Pairs in Parquet")
        self._bytes = gauge("traffic_bytes", "Bytes in Parquet")
        self._journal = gauge("journal_bytes", "Size of the journal")
        self._waiting = gauge("journal_waiting_bytes", "Bytes of the journal not yet in Parquet")
        self._inflight = gauge("inflight_bytes", "Bytes of batches in memory")
        self._clusters = gauge("connected_clusters", "Inspectors that are connected")
        self._commands = counter("commands", "Commands to inspectors by name and outcome", "command", "outcome")
        self._audit_lost = counter("audit_lost_entries", "Entries that could not be written to the audit")

    def request(self, operation: str, outcome: str, seconds: float) -> None:
        """Count an answer; `outcome` is `ok` or a reason."""
        self._requests.labels(operation, outcome).inc()
        self._seconds.labels(operation).observe(seconds)

    def refused_key(self, reason: str) -> None:
        """Count a failed authentication."""
        self._failures.labels(reason).inc()

    def batch(self, outcome: str, pairs: int = 0, size: int = 0) -> None:
        """Count a batch: `stored`, `duplicate`, or a reason."""
        self._batches.labels(outcome).inc()
        self._received_pairs.inc(pairs)
        self._received_bytes.inc(size)

    def compacted(self, pairs: int, repeated: int) -> None:
        """Count a round of compaction."""
        self._stored.inc(pairs)
        self._repeated.inc(repeated)

    def lost(self, reason: str, pairs: int) -> None:
        """Count pairs that cannot be read: `undecodable`, `journal`, `part_missing`."""
        if pairs:
            self._lost.labels(reason).inc(pairs)

    def retired(self, pairs: int) -> None:
        """Count pairs deleted by retention."""
        self._retired.inc(pairs)

    def erased(self, pairs: int) -> None:
        """Count pairs erased on demand."""
        self._erased.inc(pairs)

    def stored(self, parts: int, pairs: int, bytes: int) -> None:
        """Note how much there is."""
        self._parts.set(parts)
        self._pairs.set(pairs)
        self._bytes.set(bytes)

    def journal(self, size: int, waiting: int, inflight: int) -> None:
        """Note the journal's size."""
        self._journal.set(size)
        self._waiting.set(waiting)
        self._inflight.set(inflight)

    def clusters(self, connected: int) -> None:
        """Note how many inspectors are connected."""
        self._clusters.set(connected)

    def command(self, name: str, outcome: str) -> None:
        """Count a command that ended; names are those of the table."""
        self._commands.labels(name, outcome).inc()

    def audit_lost(self) -> None:
        """Count an entry that could not be written."""
        self._audit_lost.inc()
