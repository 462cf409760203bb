"""A small API server on loopback: answers as scripted, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from speedscale_kube import Access, Client, Stop, load


@dataclass(frozen=True)
class Request:
    """What the server was asked."""

    method: str
    path: str
    params: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass
class Answer:
    """What it answers; `raw` in the place of a JSON body; `chunks` go out as HTTP chunks, then it ends, or is `cut`."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    chunks: Iterable[bytes] | None = None
    cut: bool = False
    chunked: bool = True  # False: as a proxy of HTTP/1.0 passes it on, until the connection ends


Script = Callable[[Request], Answer]
DISCOVERY = {
    "/apis/coordination.k8s.io/v1": [("leases", "Lease", True)],
    "/api/v1": [
        ("events", "Event", True),
        ("configmaps", "ConfigMap", True),
        ("namespaces", "Namespace", False),
        ("pods/log", "Pod", True),
    ],
    "/apis/apps/v1": [("deployments", "Deployment", True), ("deployments/scale", "Scale", True)],
}


class Server:
    """Knows ConfigMap, Namespace and Deployment; everything else is asked of `script`."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.script: Script = lambda request: refusal(404, "NotFound", f"{request.path} not found")
        handler = type("Handler", (_Handler,), {"server_state": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=lambda: self._http.serve_forever(poll_interval=0.01), daemon=True)
        self._thread.start()

    def close(self) -> None:
        if self._thread.is_alive():
            self._http.shutdown()
            self._http.server_close()
            self._thread.join()

    def answer(self, request: Request) -> Answer:
        self.requests.append(request)
        if request.path in DISCOVERY and request.method == "GET":
            entries = [
                {"name": name, "kind": kind, "namespaced": namespaced, "verbs": ["get", "list"]}
                for name, kind, namespaced in DISCOVERY[request.path]
            ]
            return Answer({"kind": "APIResourceList", "resources": entries})
        return self.script(request)

    def always(
        self, body: Any = None, status: int = 200, headers: dict[str, str] | None = None, raw: Any = None
    ) -> None:
        """Answer everything in one way."""
        self.script = lambda request: Answer(body, status, headers or {}, raw)

    def refuse(self, code: int, reason: str, message: str = "no", **details: Any) -> None:
        """Refuse everything in one way."""
        answer = refusal(code, reason, message, **details)
        self.script = lambda request: answer

    def respond(self, *bodies: Any) -> None:
        """Answer with these bodies, one after the other; a (code, reason, headers) refuses."""
        left = list(bodies)

        def script(request: Request) -> Answer:
            body = left.pop(0)
            return refusal(body[0], body[1], "no", headers=body[2]) if isinstance(body, tuple) else Answer(body)

        self.script = script

    @staticmethod
    def streams(*parts: bytes, chunks: Iterable[bytes] | None = None, **how: Any) -> Answer:
        """Return an answer that comes in these HTTP chunks."""
        return Answer(chunks=parts if chunks is None else chunks, **how)

    @staticmethod
    def refusal(code: int, reason: str, message: str) -> Answer:
        """Return a refusal."""
        return refusal(code, reason, message)

    def asked(self) -> list[str]:
        """Return method and path of what was asked, without discovery."""
        return [f"{r.method} {r.path}" for r in self.requests if r.path not in DISCOVERY]


class _Handler(BaseHTTPRequestHandler):
    server_state: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are written apart: 40 ms each otherwise

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        data = self.rfile.read(length)
        url = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = json.loads(data) if data else None
        answer = self.server_state.answer(Request(self.command, url.path, dict(parse_qsl(url.query)), headers, body))
        if answer.chunks is not None:
            self._stream(answer)
            return
        raw = json.dumps(answer.body).encode() if answer.raw is None else answer.raw
        self.send_response(answer.status)
        for name, value in {"Content-Type": "application/json", **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _serve

    def _stream(self, answer: Answer) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json")
        self.send_header(
            "Transfer-Encoding" if answer.chunked else "Connection", "chunked" if answer.chunked else "close"
        )
        self.end_headers()
        self.close_connection = answer.cut or not answer.chunked
        try:
            for chunk in answer.chunks or ():
                self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk) if answer.chunked else chunk)
                self.wfile.flush()
            if answer.chunked and not answer.cut:
                self.wfile.write(b"0\r\n\r\n")
        except OSError:
            self.close_connection = True  # the reader left

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def refusal(code: int, reason: str, message: str, **details: Any) -> Answer:
    """Return a Status as an API server gives it."""
    headers = details.pop("headers", {})
    body = {"kind": "Status", "apiVersion": "v1", "code": code, "reason": reason, "message": message}
    return Answer({**body, "details": details}, code, headers)


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def pass_(self, seconds: float) -> None:
        self.now += seconds


class FakeStop(Stop):
    """Waits by moving the clock on; remembers how long; may do something at each wait, or end after so many."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock, self.waits = clock, list[float]()
        self.ends_after: int | None = None
        self.at_wait: Callable[[], None] = lambda: None

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.waits.append(timeout)
        self.clock.pass_(timeout)
        self.at_wait()
        if self.ends_after is not None and len(self.waits) >= self.ends_after:
            self.set()
        return self.is_set()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def stop(clock: Clock) -> FakeStop:
    return FakeStop(clock)


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@pytest.fixture
def access(server: Server, tmp_path: Path) -> Iterator[Access]:
    made = load(write_config(tmp_path / "config", server.url, token="secret-token"), environ={})
    yield made
    made.close()


@pytest.fixture
def client(access: Access) -> Iterator[Client]:
    with Client(access) as made:
        yield made


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Callable[..., Path]:
    """Write a kubeconfig: `kubeconfig(server, cluster={…}, token=…)`."""

    def write(server: str, cluster: dict[str, Any] | None = None, name: str = "config", **user: Any) -> Path:
        return write_config(tmp_path / name, server, cluster, **user)

    return write


def write_config(path: Path, server: str, cluster: dict[str, Any] | None = None, **user: Any) -> Path:
    """Write a kubeconfig with one context, `main`, in the namespace `shop`."""
    document = {
        "clusters": [{"name": "c", "cluster": {"server": server, **(cluster or {})}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "main", "context": {"cluster": "c", "user": "u", "namespace": "shop"}}],
        "current-context": "main",
    }
    path.write_text(json.dumps(document), encoding="utf-8")
    return path
