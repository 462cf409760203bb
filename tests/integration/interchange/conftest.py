"""Calls that are hard to write down, and a loopback server that keeps what it was sent."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from speedscale_runtime.interchange.call import Call


class Keeper:
    """Requests in the order they came: method, target, headers in order, body."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.requests: list[tuple[str, str, list[tuple[str, str]], bytes]] = []


@pytest.fixture
def keeper() -> Iterator[Keeper]:
    """Run the server on a free port for one test."""
    kept: Keeper

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            kept.requests.append((self.command, self.path, list(self.headers.items()), body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def __getattr__(self, name: str) -> Any:
            if name.startswith("do_"):
                return self.do
            raise AttributeError(name)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept = Keeper(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield kept
    server.shutdown()
    thread.join()
    server.server_close()


def awkward(base: str) -> list[Call]:
    """Return requests with what usually breaks: quotes, percent signs, brackets, several values, binary, no type."""
    json_type = ("Content-Type", "application/json")
    return [
        Call(
            "GET", f"{base}/plain", (("Accept", "*/*"), ("User-Agent", "recorded/1")), status=200, response_body=b"ok"
        ),
        Call("GET", f"{base}/none-of-curls-headers", (), status=204),
        Call(
            "GET",
            f"{base}/a%2Fb/..%2f/%E2%82%AC/[x]?q=a+b&q=%26&empty=&flag&u={{v}}",
            (("X-A", "1"), ("X-A", "2")),
            status=200,
            response_body=b"x",
        ),
        Call(
            "POST",
            f"{base}/json?v=1",
            (json_type, ("X-Quote", 'it\'s "quoted" $HOME `id` \\n')),
            b'{"a": "it\'s", "b": "@file", "n": "\\n"}',
            201,
            response_body=b"{}",
        ),
        Call("POST", f"{base}/at", (("Content-Type", "text/plain"),), b"@/etc/passwd", 200),
        Call("PUT", f"{base}/untyped", (), "zwölf\n\ttabs\n".encode(), 200),
        Call("PATCH", f"{base}/crlf", (("Content-Type", "text/plain"),), b"one\r\ntwo\r\n", 200),
        Call(
            "POST",
            f"{base}/binary",
            (("Content-Type", "application/octet-stream"),),
            bytes(range(256)),
            200,
            response_body=bytes(range(256)),
        ),
        Call(
            "POST",
            f"{base}/form",
            (("Content-Type", "application/x-www-form-urlencoded"),),
            b"a=1&b=x+y%26",
            302,
            response_headers=(("Location", "/next"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")),
        ),
        Call(
            "DELETE",
            f"{base}/gone",
            (("X-Empty", ""), ("Cookie", "a=1; b=2")),
            status=404,
            response_body=b'{"error": "none"}',
        ),
        Call("HEAD", f"{base}/head", (), status=200),
        Call("OPTIONS", f"{base}/dots/../up/./here", (("Authorization", "Bearer a.b.c"),), status=200),
        Call("POST", f"{base}/large", (json_type,), b'{"x": "' + b"y" * 150_000 + b'"}', 200),
        Call(
            "POST",
            f"{base}/xml",
            (("Content-Type", "application/xml"),),
            "<a>ü &amp; ä</a>".encode(),
            200,
            response_headers=(("Content-Type", "application/xml"),),
            response_body=b"<b/>",
        ),
    ]


@pytest.fixture
def awkward_calls() -> Any:
    """Return the function that gives awkward calls for a base URL."""
    return awkward
