"""The ledger as Prometheus text and as JSON. Read when scraped; nothing here is touched by traffic.

A test reads the text with `prometheus_client`'s parser.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum

import orjson

from speedscale_runtime.recording import metrics
from speedscale_runtime.recording.causes import Opaque, Refuse, Side
from speedscale_runtime.recording.ledger import Ledger
from speedscale_runtime.telemetry.endpoints import Endpoints

_PREFIX = "speedscale_goproxy_"
_COUNTERS = {
    **metrics.COUNTERS,
    "worker_starts": ("worker_starts", "Times the worker was started"),
    "certificates_rejected": (
        "certificate_rejected",
        "Intercepted connections whose client refused our certificate",
    ),
}
_LABELLED: Mapping[str, tuple[str, str, type[StrEnum], str]] = {
    **metrics.LABELLED,
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
}


def exposition(ledger: Ledger) -> bytes:
    """Return all metrics in Prometheus' text format 0.0.4."""
    return "".join(_families(ledger)).encode()


def _families(ledger: Ledger) -> Iterator[str]:
    yield from metrics.families(ledger, _PREFIX, counters=_COUNTERS, labelled=_LABELLED)
    get = ledger.get
    opened = [(f'{{side="{side.value}"}}', get(f"opened.{side.value}") - get(f"closed.{side.value}")) for side in Side]
    yield metrics.family(f"{_PREFIX}connections_open", "gauge", "Connections open now", opened)


def endpoints(ledger: Ledger, ready: Callable[[], str], *, host: str, port: int) -> Endpoints:
    """Return the common endpoints and `/stats`, the ledger as JSON; OSError when the address is in use."""
    routes = {"/stats": lambda: orjson.dumps(ledger.snapshot())}
    return Endpoints(lambda: exposition(ledger), ready, host=host, port=port, json_routes=routes)
