"""What the collector counts. Labels are from enums only."""

from __future__ import annotations

from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter, Gauge

from .refusals import Reason


class Kind(StrEnum):
    """Whose results they are."""

    GENERATOR = "generator"
    RESPONDER = "responder"


class Source(StrEnum):
    """What is followed of the pods under test."""

    PODS = "pods"
    LOGS = "logs"
    EVENTS = "events"
    RESOURCES = "resources"


class Outcome(StrEnum):
    """How something ended."""

    DONE = "done"
    FAILED = "failed"


class Metrics:
    """All counters of one collector, in the given registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        prefix = "speedscale_collector"
        self.uploads = Counter(f"{prefix}_uploads", "Results stored", ["kind"], registry=registry)
        self.upload_bytes = Counter(f"{prefix}_upload_bytes", "Bytes of stored results, packed", registry=registry)
        self.refused = Counter(f"{prefix}_refused_calls", "Calls refused", ["reason"], registry=registry)
        self.stored_bytes = Gauge(f"{prefix}_stored_bytes", "Results on disk, unpacked", registry=registry)
        self.snapshots = Counter(f"{prefix}_snapshot_fetches", "Tries to fetch it", ["outcome"], registry=registry)
        self.snapshot_reads = Counter(f"{prefix}_snapshot_reads", "Pods that were given it", registry=registry)
        self.analyses = Counter(f"{prefix}_analyses", "Reports made", ["outcome"], registry=registry)
        self.exports = Counter(f"{prefix}_exports", "Reports brought to the backend", ["outcome"], registry=registry)
        self.followed = Counter(f"{prefix}_follow_failures", "Looks that failed", ["source"], registry=registry)
        self.log_bytes = Counter(f"{prefix}_log_bytes", "Bytes of log read", registry=registry)
        self.log_dropped = Counter(
            f"{prefix}_log_dropped_bytes", "Bytes of log that were overwritten by newer ones", registry=registry
        )
        for reason in Reason:
            self.refused.labels(reason.value)
        for kind in Kind:
            self.uploads.labels(kind.value)
        for source in Source:
            self.followed.labels(source.value)
        for outcome in Outcome:
            for counter in (self.snapshots, self.analyses, self.exports):
                counter.labels(outcome.value)
