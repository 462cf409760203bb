"""The ledger as Prometheus text and as JSON. Read when scraped; nothing here is touched by traffic.

The text is written here and not by `prometheus_client`, which takes 4 of the sidecar's 48 MB; all numbers are
counters and gauges of the ledger and all labels are enums, so nothing needs escaping. A test reads it with
`prometheus_client`'s parser.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import orjson

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


def exposition(ledger: Ledger) -> bytes:
    """Return all metrics in Prometheus' text format 0.0.4."""
    return "".join(_families(ledger)).encode()


def _families(ledger: Ledger) -> Iterator[str]:
    get = ledger.get
    for name, (slot, text) in _COUNTERS.items():
        yield _family(f"{name}_total", "counter", text, [("", get(slot))])
    for name, (group, label, values, text) in _LABELLED.items():
        samples = [(f'{{{label}="{value.value}"}}', get(f"{group}.{value.value}")) for value in values]
        yield _family(f"{name}_total", "counter", text, samples)
    for name, (slot, text) in _GAUGES.items():
        yield _family(name, "gauge", text, [("", get(slot))])
    yield _family("pairs_in_flight", "gauge", "Pairs seen, neither captured nor dropped", [("", ledger.in_flight())])
    opened = [(f'{{side="{side.value}"}}', get(f"opened.{side.value}") - get(f"closed.{side.value}")) for side in Side]
    yield _family("connections_open", "gauge", "Connections open now", opened)


def _family(name: str, kind: str, text: str, samples: Iterable[tuple[str, int]]) -> str:
    full = _PREFIX + name
    lines = [f"# HELP {full} {text}", f"# TYPE {full} {kind}", *(f"{full}{labels} {n}" for labels, n in samples)]
    return "\n".join(lines) + "\n"


def endpoints(ledger: Ledger, ready: Callable[[], str], *, host: str, port: int) -> Endpoints:
    """Return the common endpoints and `/stats`, the ledger as JSON; OSError when the address is in use."""
    routes = {"/stats": lambda: orjson.dumps(ledger.snapshot())}
    return Endpoints(lambda: exposition(ledger), ready, host=host, port=port, json_routes=routes)
