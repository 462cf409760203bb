"""A recording around nothing of ours: two origins (HTTP, HTTPS), `speedctl record`, clients that exist."""

from __future__ import annotations

import datetime
import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from speedscale_schemas import x509

SPEEDCTL = (sys.executable, "-m", "speedscale_runtime.cli.root")


class Origin(BaseHTTPRequestHandler):
    """Answers every request with what it got."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.dumps(
            {"method": self.command, "path": self.path, "got": self.rfile.read(length).decode("utf-8", "replace")}
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PUT = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass


class Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that refuses our certificate is no news here."""


class Origins:
    """Ports of the two origins, and the file of the CA that the HTTPS one chains to."""

    def __init__(self, folder: Path) -> None:
        now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
        validity = x509.Validity(now - datetime.timedelta(hours=1), now + datetime.timedelta(days=1))
        root_key, leaf_key = x509.new_key(), x509.new_key()
        root = x509.root("Origin CA", root_key, validity, serial=1)
        leaf = x509.Issuer(root, root_key).leaf(["localhost"], leaf_key, validity, serial=2)
        self.ca = folder / "origin-ca.pem"
        self.ca.write_bytes(root)
        chain = folder / "origin.pem"
        chain.write_bytes(leaf + leaf_key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain)
        self.servers = [Quiet(("127.0.0.1", 0), Origin), Quiet(("127.0.0.1", 0), Origin)]
        self.servers[1].socket = context.wrap_socket(self.servers[1].socket, server_side=True)
        self.http, self.https = (
            f"{s}://localhost:{o.server_address[1]}" for s, o in zip(("http", "https"), self.servers, strict=False)
        )
        for server in self.servers:
            threading.Thread(target=server.serve_forever, daemon=True).start()

    def close(self) -> None:
        for server in self.servers:
            server.shutdown()
            server.server_close()


@pytest.fixture
def origins(tmp_path: Path) -> Iterator[Origins]:
    made = Origins(tmp_path)
    yield made
    made.close()


class Session:
    """A running `speedctl` verb: its ports, its end, its summary."""

    def __init__(self, folder: Path, arguments: Sequence[str], environment: dict[str, str]) -> None:
        self.status_file = folder / "status.json"
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")},
            "SPEEDSCALE_HOME": str(folder / "home"),
            **environment,
        }
        verb, *rest = arguments
        own = ["--status-file", str(self.status_file), "--output", "json"]
        self.process = subprocess.Popen(
            [*SPEEDCTL, verb, *own, *rest],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ready(self) -> dict[str, Any]:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            if self.status_file.exists():
                found: dict[str, Any] = json.loads(self.status_file.read_text())
                return found
            time.sleep(0.02)
        raise AssertionError(f"not ready: {self.process.stderr.read() if self.process.stderr else ''}")

    def end(self, *, interrupt: bool = True) -> tuple[int, dict[str, Any], str]:
        """Return exit code, the JSON summary, and stderr."""
        if interrupt:
            self.process.send_signal(signal.SIGINT)
        out, err = self.process.communicate(timeout=120)
        start = out.find("{\n")
        return self.process.returncode, json.loads(out[start:]) if start >= 0 else {}, err


@pytest.fixture
def speedctl(tmp_path: Path) -> Iterator[Callable[..., Session]]:
    started: list[Session] = []

    def start(*arguments: str, **environment: str) -> Session:
        session = Session(tmp_path, arguments, environment)
        started.append(session)
        return session

    yield start
    for session in started:
        if session.process.poll() is None:
            session.process.kill()
        session.process.communicate()
