"""Every metric of the operator, in one table; each process has a registry and fills what it knows.

Labels come from enums (`labels`, and `injection.Skip` and the like), from the table of watched kinds, and from names
of reconcilers: sets that the source code bounds. The supervisor adds the label `process` when it puts both
processes' pages together.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

PREFIX = "speedscale_operator"
_DECISION_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0)
_RECONCILE_S = (0.001, 0.005, 0.02, 0.1, 0.5, 1.0, 5.0, 20.0, 60.0)
_SIZES = (1024, 4096, 16384, 65536, 262144, 1048576, 3145728)


@dataclass(frozen=True)
class Metrics:
    """The metrics of one process. Counters are `.labels(...).inc()`; gauges `.labels(...).set()`."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def __post_init__(self) -> None:
        for part in (_admission, _manager, _watching, _reconciling, _workloads, _replays, _components, _identity):
            for name, metric in part(self.registry).items():
                object.__setattr__(self, name, metric)

    # admission
    admission_seconds: Histogram = field(init=False)  # endpoint
    admission_reviews: Counter = field(init=False)  # endpoint, answer
    admission_verdicts: Counter = field(init=False)  # kind, verdict, reason
    admission_bytes: Histogram = field(init=False)
    admission_warnings: Counter = field(init=False)  # kind
    admission_in_flight: Gauge = field(init=False)
    certificate_expiry: Gauge = field(init=False)  # seconds since the epoch
    certificate_loads: Counter = field(init=False)  # result
    # manager
    leader: Gauge = field(init=False)
    leader_changes: Counter = field(init=False)  # event
    process_restarts: Counter = field(init=False)  # of, cause
    settings_refused: Gauge = field(init=False)  # reason
    settings_restart_needed: Gauge = field(init=False)
    settings_loads: Counter = field(init=False)  # result
    bundle_loads: Counter = field(init=False)  # result
    # watching
    watch_age: Gauge = field(init=False)  # watch
    watch_objects: Gauge = field(init=False)  # watch
    watch_left_out: Gauge = field(init=False)  # watch
    watch_lists: Counter = field(init=False)  # watch
    rights_missing: Gauge = field(init=False)  # watch
    # reconciling
    reconcile_seconds: Histogram = field(init=False)  # reconciler
    reconciles: Counter = field(init=False)  # reconciler, outcome
    queue_depth: Gauge = field(init=False)  # reconciler
    queue_refused: Counter = field(init=False)  # reconciler
    events: Counter = field(init=False)  # result
    # workloads
    workloads_injected: Gauge = field(init=False)  # kind
    workloads_skipped: Gauge = field(init=False)  # kind, reason
    workloads_healed: Counter = field(init=False)  # kind, verdict
    # replays
    replays: Gauge = field(init=False)  # state
    replays_ended: Counter = field(init=False)  # result, reason
    replay_seconds: Histogram = field(init=False)  # state
    # components
    components_drifted: Gauge = field(init=False)  # component
    components_repairs: Counter = field(init=False)  # component, result
    # identity
    certificates_issued: Counter = field(init=False)  # certificate, reason
    secrets_written: Counter = field(init=False)  # secret, result
    ca_bundles_written: Counter = field(init=False)  # result


def _admission(registry: CollectorRegistry) -> dict[str, object]:
    name = f"{PREFIX}_admission"
    return {
        "admission_seconds": Histogram(
            f"{name}_duration_seconds",
            "From the review's last byte to its answer.",
            ["endpoint"],
            buckets=_DECISION_S,
            registry=registry,
        ),
        "admission_reviews": Counter(
            f"{name}_reviews", "Reviews by what they were answered with.", ["endpoint", "answer"], registry=registry
        ),
        "admission_verdicts": Counter(
            f"{name}_verdicts", "Decisions about workloads.", ["kind", "verdict", "reason"], registry=registry
        ),
        "admission_bytes": Histogram(f"{name}_review_bytes", "Size of a review.", buckets=_SIZES, registry=registry),
        "admission_warnings": Counter(f"{name}_warnings", "Warnings told to users.", ["kind"], registry=registry),
        "admission_in_flight": Gauge(f"{name}_in_flight_reviews", "Reviews being answered.", registry=registry),
        "certificate_expiry": Gauge(
            f"{name}_certificate_expiry_timestamp_seconds",
            "When the certificate that is served ends, in seconds since 1970; 0 without one.",
            registry=registry,
        ),
        "certificate_loads": Counter(
            f"{name}_certificate_loads", "Certificates taken from the Secret.", ["result"], registry=registry
        ),
    }


def _manager(registry: CollectorRegistry) -> dict[str, object]:
    return {
        "leader": Gauge(f"{PREFIX}_leader_state", "1 while this process may write.", registry=registry),
        "leader_changes": Counter(
            f"{PREFIX}_leader_changes", "Leadership gained and lost.", ["event"], registry=registry
        ),
        "process_restarts": Counter(
            f"{PREFIX}_process_restarts", "Starts anew of a process that ended.", ["of", "cause"], registry=registry
        ),
        "settings_refused": Gauge(
            f"{PREFIX}_settings_refused_problems", "What of the ConfigMaps is refused.", ["reason"], registry=registry
        ),
        "settings_restart_needed": Gauge(
            f"{PREFIX}_settings_pending_keys", "Changed settings that wait for a restart.", registry=registry
        ),
        "settings_loads": Counter(f"{PREFIX}_settings_loads", "Readings of settings.", ["result"], registry=registry),
        "bundle_loads": Counter(f"{PREFIX}_bundle_loads", "Readings of the bundle.", ["result"], registry=registry),
    }


def _watching(registry: CollectorRegistry) -> dict[str, object]:
    name = f"{PREFIX}_watch"
    return {
        "watch_age": Gauge(
            f"{name}_age_seconds", "Since the API server was last heard of.", ["watch"], registry=registry
        ),
        "watch_objects": Gauge(f"{name}_objects", "Objects kept in memory.", ["watch"], registry=registry),
        "watch_left_out": Gauge(f"{name}_left_out_objects", "Objects beyond the bound.", ["watch"], registry=registry),
        "watch_lists": Counter(f"{name}_lists", "Whole lists that were read.", ["watch"], registry=registry),
        "rights_missing": Gauge(
            f"{name}_forbidden_state", "1 while the API server does not let us watch.", ["watch"], registry=registry
        ),
    }


def _reconciling(registry: CollectorRegistry) -> dict[str, object]:
    return {
        "reconcile_seconds": Histogram(
            f"{PREFIX}_reconcile_duration_seconds",
            "One look at one key.",
            ["reconciler"],
            buckets=_RECONCILE_S,
            registry=registry,
        ),
        "reconciles": Counter(
            f"{PREFIX}_reconcile_results", "How looks ended.", ["reconciler", "outcome"], registry=registry
        ),
        "queue_depth": Gauge(f"{PREFIX}_queue_keys", "Keys that wait.", ["reconciler"], registry=registry),
        "queue_refused": Counter(
            f"{PREFIX}_queue_refused_keys", "Keys that a full queue refused.", ["reconciler"], registry=registry
        ),
        "events": Counter(f"{PREFIX}_events", "Events by what became of them.", ["result"], registry=registry),
    }


def _workloads(registry: CollectorRegistry) -> dict[str, object]:
    name = f"{PREFIX}_workloads"
    return {
        "workloads_injected": Gauge(
            f"{name}_injected_objects", "Workloads with a sidecar.", ["kind"], registry=registry
        ),
        "workloads_skipped": Gauge(
            f"{name}_skipped_objects",
            "Workloads that ask for a sidecar in vain.",
            ["kind", "reason"],
            registry=registry,
        ),
        "workloads_healed": Counter(
            f"{name}_healed_objects", "Workloads mended that admission missed.", ["kind", "verdict"], registry=registry
        ),
    }


def _replays(registry: CollectorRegistry) -> dict[str, object]:
    return {
        "replays": Gauge(f"{PREFIX}_replays_objects", "TrafficReplays by state.", ["state"], registry=registry),
        "replays_ended": Counter(
            f"{PREFIX}_replays_ended", "TrafficReplays that ended.", ["result", "reason"], registry=registry
        ),
        "replay_seconds": Histogram(
            f"{PREFIX}_replay_state_duration_seconds",
            "How long replays stay in a state.",
            ["state"],
            buckets=(1, 5, 15, 60, 300, 900, 3600),
            registry=registry,
        ),
    }


def _components(registry: CollectorRegistry) -> dict[str, object]:
    return {
        "components_drifted": Gauge(
            f"{PREFIX}_components_drifted_objects",
            "Objects that differ from the bundle.",
            ["component"],
            registry=registry,
        ),
        "components_repairs": Counter(
            f"{PREFIX}_components_repairs", "Repairs of components.", ["component", "result"], registry=registry
        ),
    }


def _identity(registry: CollectorRegistry) -> dict[str, object]:
    name = f"{PREFIX}_identity"
    return {
        "certificates_issued": Counter(
            f"{name}_certificates_issued", "Certificates made.", ["certificate", "reason"], registry=registry
        ),
        "secrets_written": Counter(
            f"{name}_secrets_written", "Secrets written.", ["secret", "result"], registry=registry
        ),
        "ca_bundles_written": Counter(
            f"{name}_ca_bundles_written", "CA bundles written into webhooks.", ["result"], registry=registry
        ),
    }
