"""/metrics, /healthz and /readyz on a small thread of their own.

Every service serves them; the data path never waits for them. Metrics are named
`speedscale_<service>_<noun>_<unit>` and live in a registry that the service creates and passes in.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest


class Endpoints:
    """A server for one address; `ready` returns an empty string, or why the service is not ready.

    `port` 0 asks for any free port; `start` returns the port taken. OSError when the address is in use.
    """

    def __init__(self, registry: CollectorRegistry, ready: Callable[[], str], *, host: str, port: int) -> None:
        handler = _handler(registry, ready)
        self._server = ThreadingHTTPServer((host, port), handler)
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


def _handler(registry: CollectorRegistry, ready: Callable[[], str]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/metrics":
                self._answer(200, generate_latest(registry), CONTENT_TYPE_LATEST)
            elif path == "/healthz":
                self._answer(200, b"ok\n")
            elif path == "/readyz":
                reason = ready()
                self._answer(503 if reason else 200, (reason or "ok").encode() + b"\n")
            else:
                self._answer(404, b"not found; try /metrics, /healthz, /readyz\n")

        def _answer(self, status: int, body: bytes, kind: str = "text/plain; charset=utf-8") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Scrapes and probes are not worth a line."""

    return Handler
