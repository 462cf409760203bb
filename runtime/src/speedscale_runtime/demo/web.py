"""The small HTTP server that the demo's programs share: JSON in, JSON out, one thread a connection."""

from __future__ import annotations

import json
import re
import socket
import ssl
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Request(NamedTuple):
    """What a handler gets: the path's named groups, the query as text, the headers and the parsed body."""

    groups: dict[str, str]
    query: str
    headers: Any
    body: Any


class Answer(NamedTuple):
    """What a handler gives; `body` is sent as JSON unless it is bytes, None is no body."""

    status: int
    body: Any = None
    headers: tuple[tuple[str, str], ...] = ()


Handler = Callable[[Request], Answer]
Routes = Sequence[tuple[str, str, Handler]]


class Server(ThreadingHTTPServer):
    """Serves routes (method, path pattern, handler); with a TLS context it serves HTTPS.

    The listening socket may share its port (SO_REUSEPORT), so that whoever reserved a port can hand it over.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, routes: Routes, port: int, name: str, tls: ssl.SSLContext | None = None) -> None:
        self.tls = tls
        super().__init__(("127.0.0.1", port), _handler(routes, name), bind_and_activate=False)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self.server_bind()
        self.server_activate()

    def server_bind(self) -> None:
        """Bind without asking the resolver for our name."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "localhost", self.server_address[1]

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake hands in the connection's own thread, so that a slow client holds nobody up."""
        if self.tls is not None:
            request = self.tls.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


def _handler(routes: Routes, name: str) -> type[BaseHTTPRequestHandler]:
    compiled = [(method, re.compile(pattern + r"\Z"), handler) for method, pattern, handler in routes]

    class Web(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        server_version = name
        sys_version = ""

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            raw = self.rfile.read(length) if length else b""
            path, _, query = self.path.partition("?")
            answer = Answer(404, {"error": f"no such page: {path}"})
            for method, pattern, handler in compiled:
                match = pattern.match(path)
                if match and method == self.command:
                    answer = handler(Request(match.groupdict(), query, self.headers, _parsed(raw)))
                    break
            self._send(answer)

        do_GET = do_POST = do_PUT = do_DELETE = _serve

        def _send(self, answer: Answer) -> None:
            body = b"" if answer.body is None else json.dumps(answer.body).encode()
            self.send_response(answer.status)
            if answer.body is not None:
                self.send_header("Content-Type", "application/json")
            if answer.status != 204:
                self.send_header("Content-Length", str(len(body)))
            for key, value in answer.headers:
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """The demo tells its own story."""

    return Web


def _parsed(raw: bytes) -> Any:
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return raw
