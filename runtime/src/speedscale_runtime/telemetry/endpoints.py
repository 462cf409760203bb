"""/metrics, /healthz and /readyz on a small thread of their own, and routes that a service adds.

Every service serves them; the data path never waits for them. Metrics are named
`speedscale_<service>_<noun>_<unit>` and live in a registry that the service creates and passes in; one that keeps its
numbers elsewhere passes what writes them as text instead, and does not pay for `prometheus_client`.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"  # Prometheus text exposition format
Write = Callable[[], bytes]


class Endpoints:
    """A server for one address; `ready` returns an empty string, or why the service is not ready.

    `metrics` is a registry, or a function that returns Prometheus text. `json_routes` are further paths and what
    returns their JSON. `port` 0 asks for any free port; `start` returns the port taken. OSError when the address
    is in use.
    """

    def __init__(
        self,
        metrics: CollectorRegistry | Write,
        ready: Callable[[], str],
        *,
        host: str,
        port: int,
        json_routes: Mapping[str, Write] | None = None,
    ) -> None:
        write = metrics if callable(metrics) else _writer(metrics)
        server = _BothFamilies if ":" in host else ThreadingHTTPServer
        self._server = server((host, port), _handler(write, ready, json_routes or {}))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True, name="endpoints")

    def start(self) -> int:
        """Begin to serve and return the port."""
        self._thread.start()
        return int(self._server.server_address[1])

    def stop(self) -> None:
        """Stop serving and close the socket."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _BothFamilies(ThreadingHTTPServer):
    """For an IPv6 address; `::` takes IPv4 as well, whatever the machine's default is."""

    address_family = socket.AF_INET6

    def server_bind(self) -> None:
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(self.server_address[0] != "::"))
        super().server_bind()


def _writer(registry: CollectorRegistry) -> Write:
    from prometheus_client import generate_latest

    return lambda: generate_latest(registry)


def _handler(metrics: Write, ready: Callable[[], str], routes: Mapping[str, Write]) -> type[BaseHTTPRequestHandler]:
    paths = ", ".join(["/metrics", "/healthz", "/readyz", *routes])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/metrics":
                self._answer(200, metrics(), CONTENT_TYPE)
            elif path == "/healthz":
                self._answer(200, b"ok\n")
            elif path == "/readyz":
                reason = ready()
                self._answer(503 if reason else 200, (reason or "ok").encode() + b"\n")
            elif path in routes:
                self._answer(200, routes[path](), "application/json")
            else:
                self._answer(404, f"not found; try {paths}\n".encode())

        def _answer(self, status: int, body: bytes, kind: str = "text/plain; charset=utf-8") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Scrapes and probes are not worth a line."""

    return Handler
