"""What the tests of the ingest play: a service of ours as a process, and the capture at the other end of its line."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from speedscale_runtime.nettap import wire

_OURS = ("NETTAP_", "FORWARDER_", "SPEEDSCALE_", "SPOOL_", "KUBE", "SPEC_")


def until(condition: Callable[[], object], seconds: float = 60, log: Callable[[], str] = lambda: "") -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s; {log()[-4000:]}")
        time.sleep(0.01)


class Program:
    """A service of ours as a process, with its settings."""

    def __init__(self, module: str, root: Path, environ: dict[str, str]) -> None:
        root.mkdir(exist_ok=True)
        self.root, self.status_file, self.log = root, root / "status.json", root / "log"
        env = {k: v for k, v in os.environ.items() if not k.startswith(_OURS)}
        env |= {"STATUS_FILE": str(self.status_file), **environ}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([sys.executable, "-m", module], env=env, stderr=log, stdout=log)
        until(lambda: self.status_file.exists() or self.process.poll() is not None, log=self.read)
        assert self.status_file.exists(), self.read()
        self.ports: dict[str, int] = json.loads(self.status_file.read_text())

    def read(self) -> str:
        return self.log.read_text()

    def get(self, path: str, port: str = "apiPort") -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[port]}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def stats(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.get("/stats")[1])
        return document

    def end(self, how: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(30)


class Capture:
    """The other side of the line."""

    def __init__(self, path: Path) -> None:
        self._sock = socket.socket(socket.AF_UNIX)
        self._sock.settimeout(30)
        until(lambda: self._connected(path))
        self._got = b""

    def _connected(self, path: Path) -> bool:
        try:
            self._sock.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        return True

    def hello(self) -> Capture:
        self.send(
            wire.Type.HELLO, json.dumps({"version": 1, "kernel": "6.1", "boot_offset_ns": time.time_ns()}).encode()
        )
        return self

    def send(self, kind: int, body: bytes) -> None:
        self._sock.sendall(wire.FRAME.pack(kind, wire.VERSION, len(body)) + body)

    def tell(self, frames: list[tuple[int, bytes]]) -> None:
        self._sock.sendall(b"".join(wire.FRAME.pack(k, wire.VERSION, len(b)) + b for k, b in frames))

    def raw(self, data: bytes) -> None:
        self._sock.sendall(data)

    def cgroup(self, cgroup: int, target: int, path: str, event: int = 1) -> None:
        self.send(wire.Type.CGROUP, wire.CGROUP.pack(cgroup, target, event, b"") + path.encode())

    def targets(self) -> dict[int, tuple[str, str, tuple[int, ...]]]:
        """Return the next whole set: pod uid, cgroup's path and ignored ports by number."""
        found: dict[int, tuple[str, str, tuple[int, ...]]] = {}
        while True:
            kind, body = self._frame()
            if kind == wire.Type.TARGETS_BEGIN:
                found = {}
            elif kind == wire.Type.TARGETS_END:
                return found
            else:
                number, count, _, *rest = wire.TARGET.unpack(body)
                uid, path = (raw.rstrip(b"\0").decode() for raw in rest[16:])
                found[number] = uid, path, tuple(rest[:count])

    def _frame(self) -> tuple[int, bytes]:
        head = self._exactly(8)
        kind, _, length = wire.FRAME.unpack(head)
        return kind, self._exactly(length)

    def _exactly(self, size: int) -> bytes:
        while len(self._got) < size:
            piece = self._sock.recv(65536)
            if not piece:
                raise ConnectionError("the ingest ended the line")
            self._got += piece
        data, self._got = self._got[:size], self._got[size:]
        return data

    def ended(self) -> bool:
        """Wait for the ingest to end the line."""
        try:
            while self._sock.recv(65536):
                pass
        except ConnectionError:
            pass
        return True

    def close(self) -> None:
        self._sock.close()
