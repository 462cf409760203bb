"""A forwarder process of the test's own, and a sender that speaks to it."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

sys.path.insert(0, str(Path(__file__).parents[3] / "scripts"))
sys.path.insert(0, str(Path(__file__).parent))
import export_servers as servers
from destinations import CLASSES

from speedscale_schemas import frames
from speedscale_schemas.frames import Frame


class Process:
    """One forwarder: its folders, its environment, and its process as long as it lives."""

    def __init__(self, root: Path, environ: dict[str, str]) -> None:
        self.root, self.environ = root, environ
        self.status_file = root / "status.json"
        self.log = root / "forwarder.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.port = self.metrics_port = 0

    def start(self) -> Process:
        self.status_file.unlink(missing_ok=True)
        env = {k: v for k, v in os.environ.items() if not k.startswith(("FORWARDER_", "SPEEDSCALE_", "SPOOL_"))}
        env |= {
            "FORWARDER_PORT": "0",
            "METRICS_HTTP_PORT": "0",
            "STATUS_FILE": str(self.status_file),
            "SPEEDSCALE_HOME": str(self.root / "home"),
            "SPOOL_DIR": str(self.root / "spool"),
            **self.environ,
        }
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "speedscale_runtime.forwarder"], env=env, stderr=log, stdout=log
            )
        self.until(lambda: self.status_file.exists() or self.process.poll() is not None)
        if not self.status_file.exists():
            raise AssertionError(self.log.read_text())
        document = json.loads(self.status_file.read_text())
        self.port, self.metrics_port = document["port"], document["metricsPort"]
        return self

    def until(self, condition: Callable[[], object], seconds: float = 90) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {seconds} s; log:\n{self.log.read_text()[-4000:]}")
            time.sleep(0.02)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def end(self, timeout: float = 20) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout)

    def status(self) -> dict[str, Any]:
        answer: dict[str, Any] = requests.get(f"http://127.0.0.1:{self.port}/v1/status", timeout=10).json()
        return answer

    def metrics(self) -> str:
        return requests.get(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=10).text

    def ready(self) -> requests.Response:
        return requests.get(f"http://127.0.0.1:{self.metrics_port}/readyz", timeout=10)

    def post(
        self, payload: bytes, sequence: int, *, sender: str = "sender-1", epoch: int = 1, **headers: str
    ) -> requests.Response:
        fixed = {
            "Content-Type": frames.BATCH_CONTENT_TYPE,
            frames.H_VERSION: frames.BATCH_VERSION,
            frames.H_SENDER: sender,
            frames.H_EPOCH: str(epoch),
            frames.H_SEQUENCE: str(sequence),
        }
        url = f"http://127.0.0.1:{self.port}{frames.BATCH_PATH}"
        return requests.post(url, data=payload, headers=fixed | headers, timeout=20)


@pytest.fixture
def forwarder(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Return a function that starts a forwarder with settings; each in a folder by `name`."""
    started: list[Process] = []

    def start(name: str = "a", **environ: str) -> Process:
        root = tmp_path / name
        root.mkdir(exist_ok=True)
        process = Process(root, environ)
        started.append(process)
        return process.start()

    yield start
    for process in started:
        if process.process is not None and process.process.poll() is None:
            process.process.kill()
            process.process.wait()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], servers.Server]]:
    """Return a function that starts a server of a kind; the test is skipped where it cannot run here."""
    running: list[servers.Server] = []

    def begin(kind: str, prepare: Callable[[Any], None] = lambda server: None) -> servers.Server:
        if why := CLASSES[kind].missing():
            pytest.skip(why)
        server = CLASSES[kind](tmp_path / f"server-{kind}-{len(running)}")
        prepare(server)
        running.append(server)
        return server.start()

    yield begin
    for server in running:
        server.stop()


@pytest.fixture
def make_pair() -> Callable[..., Frame]:
    """Return a function that makes a captured frame: `n` tells pairs apart."""

    def make(n: int, *, path: str = "", agent: str = "test/1", request: bytes = b"", response: bytes = b"{}") -> Frame:
        path = path or f"/orders/{n}"
        head = {
            "msgType": "rrpair",
            "uuid": base64.b64encode(uuid.UUID(int=n + 1).bytes).decode(),
            "ts": f"2026-01-02T03:04:{n // 1000 % 60:02d}.{n % 1000:03d}Z",
            "l7protocol": "http",
            "direction": "IN",
            "service": "shop",
            "namespace": "default",
            "command": "GET",
            "location": path,
            "status": "200",
            "network_address": "shop:80",
            "http": {
                "req": {
                    "url": path,
                    "uri": path,
                    "version": "1.1",
                    "method": "GET",
                    "host": "shop",
                    "headers": {"Host": ["shop"], "User-Agent": [agent]},
                },
                "res": {
                    "contentType": "application/json",
                    "statusCode": 200,
                    "statusMessage": "200 OK",
                    "headers": {"Content-Type": ["application/json"]},
                },
            },
        }
        return Frame(json.dumps(head).encode(), request, response)

    return make


@pytest.fixture
def batch(make_pair: Callable[..., Frame]) -> Callable[..., bytes]:
    """Return a function that encodes the frames of pairs `numbers`."""

    def encode(*numbers: int, **options: Any) -> bytes:
        return b"".join(frames.encode(make_pair(n, **options)) for n in numbers)

    return encode
