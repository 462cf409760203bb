"""Entry point of the worker process, started by the supervisor (`child`) and by nobody else.

Composition only: read the orders, open health and metrics, run `server` on uvloop, report ready, end when told or
when the supervisor is gone.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import socket
import sys
from typing import Any

# structlog loads what else is installed: `rich` for its console (8 MB), `greenlet` (1 MB). A sidecar writes JSON.
if not sys.stderr.isatty():
    for name in ("rich", "greenlet"):
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]

import uvloop

from speedscale_runtime.recording.causes import Side
from speedscale_runtime.recording.ledger import Ledger
from speedscale_runtime.telemetry import logs
from speedscale_runtime.telemetry.endpoints import Endpoints
from speedscale_schemas.errors import ConfigError

from .child import ORDERS
from .config import Settings
from .metrics import endpoints as stats_endpoints
from .server import Server

_GC_THRESHOLD = (20_000, 20, 50)  # connections break their cycles themselves; full passes would only cost time


def main() -> int:
    """Run a worker until it is told to stop; 0 then, 2 when settings or files do not do."""
    orders: dict[str, Any] = json.loads(os.environ.pop(ORDERS))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor decides
    settings = Settings.from_json(json.dumps(orders["settings"]))
    logs.configure("goproxy", settings.log_level)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(settings, orders))
    except ConfigError as error:
        for problem in error.problems:
            sys.stderr.write(f"speedscale-goproxy: {problem}\n")
        return 2
    return 0


async def _serve(settings: Settings, orders: dict[str, Any]) -> None:
    ledger = Ledger(orders["ledgerFd"])
    listeners = {Side(name): [socket.socket(fileno=fd) for fd in fds] for name, fds in orders["listeners"].items()}
    server = Server(settings, ledger, listeners)
    taken = orders["ports"]
    host = settings.health_host
    endpoints = [_endpoints(ledger, server, host, taken.get("healthPort") or settings.health_port)]
    if settings.metrics_port:
        endpoints.append(_endpoints(ledger, server, host, settings.metrics_port))
    ports = [e.start() for e in endpoints]
    server.other_ports = frozenset(ports)

    def ready() -> None:
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_GC_THRESHOLD)
        report = {"healthPort": ports[0], "metricsPort": ports[-1]}
        os.write(orders["readyFd"], json.dumps(report).encode() + b"\n")
        os.close(orders["readyFd"])

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, server.stop)
    loop.add_reader(orders["lifeFd"], server.stop)
    try:
        await server.run(ready)
    finally:
        loop.remove_reader(orders["lifeFd"])
        for endpoint in endpoints:
            endpoint.stop()


def _endpoints(ledger: Ledger, server: Server, host: str, port: int) -> Endpoints:
    try:
        return stats_endpoints(ledger, lambda: server.why_not_ready, host=host, port=port)
    except OSError as error:
        raise ConfigError(
            [f"cannot listen on {host} port {port}: {error.strerror}; set HEALTH_PORT or METRICS_HTTP_PORT"]
        ) from error
