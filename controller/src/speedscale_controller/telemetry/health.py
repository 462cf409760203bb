"""A small HTTP server for probes and metrics: GET of a handful of paths, answered in threads.

The supervisor serves /healthz, /readyz and /metrics on 8081 by it; its two children tell the supervisor how they are
over a Unix socket, which nobody else reaches. Answers come from memory; at most `THREADS` are given at a time, the
next ones wait in the kernel's queue.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import socketserver
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from typing import Any, NamedTuple

import structlog

THREADS = 8
TIMEOUT_S = 5.0
PLAIN = "text/plain; charset=utf-8"
JSON = "application/json"
_log = structlog.get_logger("speedscale_controller")


class Page(NamedTuple):
    """An answer: status, content type, body."""

    status: int
    content_type: str
    body: bytes


Routes = Mapping[str, Callable[[], Page]]


class Server:
    """Serves `routes` at a TCP address `(host, port)` or the path of a Unix socket. Listens from the start."""

    def __init__(self, address: tuple[str, int] | str, routes: Routes) -> None:
        """OSError when the address is taken."""
        self._path = address if isinstance(address, str) else ""
        self._server = _listen(address, _handler(routes))
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The TCP port, also where 0 was asked for; 0 for a Unix socket."""
        return 0 if self._path else int(self._server.server_address[1])

    def start(self) -> None:
        """Answer in threads until `stop`."""
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.2}, name="health", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End; answers in progress are given."""
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
        if self._path:
            with contextlib.suppress(OSError):
                os.unlink(self._path)


def ask(path: str, what: str, timeout_s: float = 2.0) -> Page:
    """GET `what` from the server at Unix socket `path`; OSError when it is not there, late, or no HTTP."""
    connection = _UnixConnection(path, timeout_s)
    try:
        connection.request("GET", what)
        answer = connection.getresponse()
        return Page(answer.status, answer.headers.get("Content-Type", PLAIN), answer.read())
    except http.client.HTTPException as error:
        raise OSError(f"{path}: {error}") from error
    finally:
        connection.close()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._unix = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._unix)


class _Bounded(socketserver.ThreadingMixIn):
    daemon_threads = True

    def __init__(self, *arguments: Any) -> None:
        self._slots = threading.BoundedSemaphore(THREADS)
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._slots.acquire()  # a connection lasts TIMEOUT_S at most
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        _log.debug("health_request_broke")


class _Tcp(_Bounded, socketserver.TCPServer):
    allow_reuse_address = True


class _Tcp6(_Tcp):
    address_family = socket.AF_INET6

    def server_bind(self) -> None:
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)  # IPv4 as well
        super().server_bind()


class _Unix(_Bounded, socketserver.UnixStreamServer):
    pass


def _listen(address: tuple[str, int] | str, handler: type[BaseHTTPRequestHandler]) -> Any:
    if isinstance(address, str):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(address)
        return _Unix(address, handler)
    host, port = address
    if host:
        return (_Tcp6 if ":" in host else _Tcp)((host, port), handler)
    try:
        return _Tcp6(("::", port), handler)
    except OSError:  # a machine without IPv6
        return _Tcp(("", port), handler)


def _handler(routes: Routes) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = TIMEOUT_S
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            route = routes.get(self.path.partition("?")[0])
            page = Page(404, PLAIN, b"not here\n") if route is None else self._page(route)
            self.close_connection = True
            self.send_response(page.status)
            self.send_header("Content-Type", page.content_type)
            self.send_header("Content-Length", str(len(page.body)))
            self.send_header("Connection", "close")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(page.body)

        do_HEAD = do_GET

        def _page(self, route: Callable[[], Page]) -> Page:
            try:
                return route()
            except Exception:
                _log.exception("health_page_failed", path=self.path[:64])
                return Page(500, PLAIN, b"failed; the log says why\n")

        def address_string(self) -> str:
            return "unix" if isinstance(self.client_address, str | bytes) else str(self.client_address[0])

        def log_message(self, format: str, *args: object) -> None:
            """Probes are not logged."""

    return Handler
