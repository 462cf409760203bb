"""An HTTPS server between a client and the API server: notes what is asked, and breaks what a test wants broken.

A client is sent here by a kubeconfig (`Interposer.kubeconfig`): same token, another address and CA. What comes is
passed on with its own credentials, so that rights, admission and audit are those of the real server. A rule looks at a
request before it is passed on and returns what is to be done with it (None: nothing):

    Refuse(429)             answered here, the API server never sees it
    Hang(seconds)           held back, then passed on
    Hold(event)             passed on, the answer held back until the event is set
    Cut()                   the connection ends without an answer; with `after=True` once the API server has done it
    Truncate(bytes)         the answer's body ends in its middle

`asks` is what was asked, in order, each with the status that the client saw. Bodies of requests are kept for writes
only, bounded by `KEPT`; Leases and Events are asked too often to be of interest and have `routine` set.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import http.server
import json
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from speedscale_schemas import x509

from .cluster import Cluster
from .components import HOST

KEPT = 20_000
_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "host"})
_PASS_S = 400.0
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


@dataclass(frozen=True)
class Refuse:
    """Answer with this status. `reason` is the Status object's; `retry_after_s` a header."""

    code: int
    reason: str = ""
    retry_after_s: int | None = None


@dataclass(frozen=True)
class Hang:
    """Hold the request back for so long; less when the interposer ends."""

    seconds: float


@dataclass(frozen=True)
class Hold:
    """Hold the answer back until the test sets the event."""

    until: threading.Event


@dataclass(frozen=True)
class Cut:
    """End the connection without an answer: before the API server sees the request, or after it did it."""

    after: bool = False


@dataclass(frozen=True)
class Truncate:
    """Let so many bytes of the answer's body through, then end the connection."""

    bytes: int


@dataclass
class Asked:
    """One request, in the words of RBAC, and the status that was answered; 0 before that, and when it was cut."""

    verb: str
    resource: str
    namespace: str
    name: str
    method: str
    path: str
    agent: str
    dry_run: bool
    manager: str
    body: bytes = b""
    at: float = 0.0
    """Monotonic seconds, comparable with those of other interposers of the process."""

    status: int = 0

    @property
    def writes(self) -> bool:
        """Whether it asks for a change of anything that is stored."""
        asking = self.resource.endswith(("reviews", "/token"))
        return self.method != "GET" and not self.dry_run and not asking

    @property
    def routine(self) -> bool:
        """Whether it is the heartbeat of a leader or an Event."""
        return self.resource in ("leases", "events")

    @property
    def about(self) -> str:
        """What it is about."""
        return "/".join(part for part in (self.resource, self.namespace, self.name) if part)


Fault = Refuse | Hang | Hold | Cut | Truncate
Rule = Callable[[Asked], Fault | None]


class Interposer:
    """The server, in threads of its own. `folder` takes its certificate."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        from .operator import Installation  # it makes certificates; and is run through us

        key, leaf_key = x509.new_key(), x509.new_key()
        self._ca = Installation.authority(key)
        leaf = x509.Issuer(self._ca, key).leaf((HOST,), leaf_key, Installation.validity(1), x509.serial_from(leaf_key))
        pair = folder / "interposer.pem"
        with open(os.open(pair, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(leaf + leaf_key)
        self.upstream = (HOST, cluster.layout.ports["apiserver"])
        self.trusting = ssl.create_default_context(cafile=str(cluster.layout.ca.certificate))
        self.asks: list[Asked] = []
        self.rule: Rule = lambda asked: None
        self.ended = threading.Event()
        self._lock = threading.Lock()
        self._open: dict[socket.socket, Asked | None] = {}
        self._server = _Server((HOST, 0), _Handler)
        self._server.owner = self
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair)
        self._server.tls = context
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def kubeconfig(self, source: Path, target: Path) -> Path:
        """Write a kubeconfig like `source` whose server we are."""
        document = yaml.safe_load(source.read_text("utf-8"))
        for entry in document["clusters"]:
            entry["cluster"] = {
                "server": f"https://{HOST}:{self._server.server_address[1]}",
                "certificate-authority-data": base64.b64encode(self._ca).decode(),
            }
        with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            yaml.safe_dump(document, file)
        return target

    def writes(self, since: int = 0) -> list[Asked]:
        """Return what was asked to be changed from the request number `since` on, heartbeats and Events left out."""
        return [asked for asked in self.asks[since:] if asked.writes and not asked.routine]

    def forget(self) -> None:
        """Forget what was asked."""
        with self._lock:
            self.asks = []

    @contextlib.contextmanager
    def breaking(self, rule: Rule) -> Iterator[None]:
        """Have this rule decide within the block."""
        self.rule = rule
        try:
            yield
        finally:
            self.rule = lambda asked: None

    def cut(self, which: Callable[[Asked], bool] = lambda asked: True) -> None:
        """End the connections whose latest request fits, by default all; new ones are taken."""
        with self._lock:
            broken = [one for one, asked in self._open.items() if asked is not None and which(asked)]
        for one in broken:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End everything."""
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()
        self.cut()
        self._thread.join()

    # What the handlers call

    def note(self, asked: Asked, on: socket.socket) -> Fault | None:
        with self._lock:
            self._open[on] = asked
            if len(self.asks) < KEPT:
                self.asks.append(asked)
        return self.rule(asked)

    def closed(self, one: socket.socket) -> None:
        with self._lock:
            self._open.pop(one, None)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    owner: Interposer
    tls: ssl.SSLContext

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake hands in the connection's own thread."""
        with contextlib.suppress(OSError):
            super().finish_request(self.tls.wrap_socket(request, server_side=True), client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Quiet: connections end in every way here."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""

    def setup(self) -> None:
        super().setup()
        self._upstream: http.client.HTTPSConnection | None = None

    def finish(self) -> None:
        self.server.owner.closed(self.connection)
        self._hang_up()
        with contextlib.suppress(OSError):
            super().finish()
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        self.connection.close()

    def do_GET(self) -> None:
        self._pass()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def _pass(self) -> None:
        owner = self.server.owner
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = read(self.command, self.path, self.headers.get("User-Agent", ""), body)
        fault = owner.note(asked, self.connection)
        if isinstance(fault, Hang):
            owner.ended.wait(fault.seconds)
        if isinstance(fault, Refuse):
            self._refuse(asked, fault)
            return
        if fault == Cut():
            self.close_connection = True
            return
        try:
            answer = self._ask(body)
        except (OSError, http.client.HTTPException):  # the API server is away: so are we
            self._hang_up()
            self.close_connection = True
            return
        if isinstance(fault, Cut):
            answer.read()
            self.close_connection = True
            return
        if isinstance(fault, Hold):
            fault.until.wait(_PASS_S)
        asked.status = answer.status
        with contextlib.suppress(OSError, http.client.HTTPException):
            if self._answer(answer, fault.bytes if isinstance(fault, Truncate) else None):
                return
        self._hang_up()
        self.close_connection = True

    def _ask(self, body: bytes) -> http.client.HTTPResponse:
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
        for fresh in (False, True):
            if self._upstream is None or fresh:
                self._hang_up()
                owner = self.server.owner
                self._upstream = http.client.HTTPSConnection(*owner.upstream, timeout=_PASS_S, context=owner.trusting)
            try:
                self._upstream.request(self.command, self.path, body or None, headers)
                return self._upstream.getresponse()
            except (OSError, http.client.HTTPException):
                if fresh or self.command != "GET":
                    raise
        raise AssertionError("unreachable")

    def _answer(self, answer: http.client.HTTPResponse, most: int | None) -> bool:
        """Pass an answer on; False when it was cut short."""
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP | {"content-length"}:
                self.send_header(name, value)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        sent = 0
        while data := answer.read1(65536):
            part = data if most is None else data[: most - sent]
            if part:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
                self.wfile.flush()
            sent += len(part)
            if most is not None and sent >= most:
                return False
        self.wfile.write(b"0\r\n\r\n")
        answer.close()  # or the connection takes no further request
        return True

    def _refuse(self, asked: Asked, fault: Refuse) -> None:
        asked.status = fault.code
        status = {
            "kind": "Status",
            "apiVersion": "v1",
            "status": "Failure",
            "code": fault.code,
            "reason": fault.reason,
            "message": f"refused by the test: {fault.reason or fault.code}",
        }
        body = json.dumps(status).encode()
        self.send_response_only(fault.code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if fault.retry_after_s is not None:
            self.send_header("Retry-After", str(fault.retry_after_s))
        self.end_headers()
        self.wfile.write(body)

    def _hang_up(self) -> None:
        if self._upstream is not None:
            self._upstream.close()
            self._upstream = None


def read(method: str, target: str, agent: str, body: bytes) -> Asked:
    """Return a request in the words of RBAC (Kubernetes, "Authorization: Determine the request verb")."""
    url = urlsplit(target)
    query = parse_qs(url.query)
    parts = [part for part in url.path.split("/") if part]
    parts = parts[2:] if parts[:1] == ["api"] else parts[3:] if parts[:1] == ["apis"] else []
    namespace = ""
    if parts[:1] == ["namespaces"] and len(parts) > 2:
        namespace, parts = parts[1], parts[2:]
    resource, name = (*parts[:2], "", "")[:2]
    if len(parts) > 2:
        resource = f"{resource}/{parts[2]}"
    verb = _VERBS.get(method, "watch" if "watch" in query else "get" if name else "list")
    if method == "POST" and not name and body:
        with contextlib.suppress(ValueError, KeyError, TypeError):
            name = str(json.loads(body)["metadata"].get("name", ""))
    return Asked(
        verb,
        resource,
        namespace,
        name,
        method,
        url.path,
        agent,
        "dryRun" in query,
        query.get("fieldManager", [""])[0],
        body if method != "GET" else b"",
        time.monotonic(),
    )
