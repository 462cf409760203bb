"""The inspector's metrics, by name; labels have values from enums only."""

from __future__ import annotations

from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from speedscale_schemas.inspector import COMMANDS, Reason

OK = "ok"


class Link(StrEnum):
    """How the inspector stands to its backend."""

    NO_BACKEND = "no_backend"  # no address: it waits
    MISCONFIGURED = "misconfigured"  # an address without a key, or one that cannot be called
    CONNECTING = "connecting"
    CONNECTED = "connected"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"  # the key is not accepted, or lacks the scope
    UNTRUSTED = "untrusted"  # certificate or protocol: what answers is no backend of ours


class Dropped(StrEnum):
    """Why a message of the backend was not acted upon."""

    MALFORMED = "malformed"
    DUPLICATE = "duplicate"  # the id of a command that runs
    UNKNOWN_ID = "unknown_id"  # `ack` or `cancel` of what has ended; usual at an end


class Metrics:
    """Counters and gauges in `registry`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.link = Gauge(
            "speedscale_inspector_backend_state", "1 for the state in force", ["state"], registry=registry
        )
        self.connections = Counter(
            "speedscale_inspector_connections_total",
            "Tries, by what came of them",
            ["state"],
            registry=registry,
        )
        self.commands = Counter(
            "speedscale_inspector_commands_total", "Commands by outcome", ["command", "outcome"], registry=registry
        )
        self.seconds = Histogram(
            "speedscale_inspector_command_seconds", "How long commands took", ["command"], registry=registry
        )
        self.running = Gauge("speedscale_inspector_running_commands", "Commands in progress", registry=registry)
        self.items = Counter("speedscale_inspector_items_total", "Items sent", ["command"], registry=registry)
        self.dropped = Counter(
            "speedscale_inspector_messages_dropped_total", "Messages not acted upon", ["cause"], registry=registry
        )
        self.events = Counter("speedscale_inspector_events_total", "Audit Events by fate", ["fate"], registry=registry)
        for state in Link:
            self.link.labels(state)
            self.connections.labels(state)
        for cause in Dropped:
            self.dropped.labels(cause)

    def linked(self, now: Link) -> None:
        """Set the state of the link."""
        for state in Link:
            self.link.labels(state).set(state is now)

    def ended(self, command: str, outcome: Reason | None, seconds: float, items: int) -> None:
        """Count a command's end; a name that is not known is counted as `unknown`."""
        name = command if command in COMMANDS else "unknown"
        self.commands.labels(name, outcome.value if outcome else OK).inc()
        self.seconds.labels(name).observe(seconds)
        if items:
            self.items.labels(name).inc(items)
