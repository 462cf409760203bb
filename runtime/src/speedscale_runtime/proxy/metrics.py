"""The ledger as Prometheus metrics and as JSON. Read when scraped; nothing here is touched by traffic."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler

import orjson
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from speedscale_runtime.telemetry.endpoints import Endpoints

from .causes import Drop, Opaque, Refuse, Send, Side
from .ledger import Ledger

_PREFIX = "speedscale_goproxy_"
_COUNTERS = {
    "pairs_seen": ("seen", "Exchanges and opaque connections that ended; captured + dropped + in flight"),
    "pairs_captured": ("captured", "Pairs that the forwarder acknowledged"),
    "pairs_truncated": ("truncated", "Pairs recorded with a cut body"),
    "batch_retries": ("batch_retries", "Attempts to send a batch beyond its first"),
    "worker_starts": ("worker_starts", "Times the worker was started"),
    "certificates_rejected": (
        "certificate_rejected",
        "Intercepted connections whose client refused our certificate",
    ),
}
_LABELLED = {
    "pairs_dropped": ("dropped", "cause", Drop, "Pairs that were seen and not captured"),
    "connections_opened": ("opened", "side", Side, "Connections accepted by the worker"),
    "connections_cut": ("cut", "side", Side, "Connections cut because the worker died"),
    "connections_supervised": ("supervised", "side", Side, "Connections passed on while no worker was there"),
    "connections_opaque": (
        "opaque",
        "cause",
        Opaque,
        "Connections passed on without their contents being recorded",
    ),
    "connections_refused": ("refused", "cause", Refuse, "Clients that got no connection to their destination"),
    "traffic_bytes": ("bytes", "side", Side, "Bytes passed on, both directions, of connections that ended"),
    "batches": ("sent", "outcome", Send, "Attempts to send a batch"),
}
_GAUGES = {
    "queue_bytes": ("queue_bytes", "Bytes of captured pairs held in memory"),
    "spill_bytes": ("spill_bytes", "Bytes of captured pairs in the spill"),
}


class LedgerCollector(Collector):
    """Yields the ledger's counters under their metric names."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def collect(self) -> Iterator[Metric]:
        """Return all families."""
        get = self._ledger.get
        for name, (slot, text) in _COUNTERS.items():
            yield CounterMetricFamily(_PREFIX + name, text, value=get(slot))
        for name, (group, label, values, text) in _LABELLED.items():
            family = CounterMetricFamily(_PREFIX + name, text, labels=[label])
            for value in values:
                family.add_metric([str(value)], get(f"{group}.{value}"))
            yield family
        for name, (slot, text) in _GAUGES.items():
            yield GaugeMetricFamily(_PREFIX + name, text, value=get(slot))
        in_flight = self._ledger.in_flight()
        yield GaugeMetricFamily(
            _PREFIX + "pairs_in_flight", "Pairs seen, neither captured nor dropped", value=in_flight
        )
        family_open = GaugeMetricFamily(_PREFIX + "connections_open", "Connections open now", labels=["side"])
        for side in Side:
            family_open.add_metric([side.value], get(f"opened.{side}") - get(f"closed.{side}"))
        yield family_open


def registry(ledger: Ledger) -> CollectorRegistry:
    """Return a registry with the ledger in it."""
    made = CollectorRegistry()
    made.register(LedgerCollector(ledger))
    return made


class StatsEndpoints(Endpoints):
    """The common endpoints and `/stats`: the ledger as JSON."""

    def __init__(self, ledger: Ledger, ready: Callable[[], str], *, host: str, port: int) -> None:
        super().__init__(registry(ledger), ready, host=host, port=port)
        base: type[BaseHTTPRequestHandler] = self._server.RequestHandlerClass  # type: ignore[assignment]

        class Handler(base):  # type: ignore[misc,valid-type]
            def do_GET(self) -> None:
                if self.path.partition("?")[0] == "/stats":
                    self._answer(200, orjson.dumps(ledger.snapshot()), "application/json")
                else:
                    super().do_GET()

        self._server.RequestHandlerClass = Handler
