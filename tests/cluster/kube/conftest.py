"""A control plane of these tests' own: its history can be forgotten, its API server restarted, its connections cut."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness.cluster import Cluster
from harness.components import CONTROL_PLANE, HOST

from speedscale_kube import Client, load

_ETCD, _SERVER, _ = CONTROL_PLANE


class Forgetful:
    """etcd and an API server in a folder, by default without the cache of events: what etcd forgot is forgotten."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.process = cluster._processes[_SERVER.name]
        self.cached = True

    def forget(self) -> None:
        """Have etcd forget all versions but the newest (a compaction, through etcd's own JSON gateway)."""
        assert not self.cached, "a cache would go on knowing them"
        revision = self._etcd("range", {"key": "AA=="})["header"]["revision"]
        self._etcd("compaction", {"revision": revision, "physical": True})

    def restart(self, *, cached: bool = False) -> None:
        """End the API server and start it anew, on the same port with the same data."""
        layout = self.cluster.layout
        self.process.stop(deadline_s=2)
        command = [str(self.cluster._programs[_SERVER.name]), *_SERVER.arguments(layout)]
        self.process.start([*command, f"--watch-cache={str(cached).lower()}"])
        self.process.wait(lambda: _SERVER.ready(layout), _SERVER.deadline_s)
        self.cached = cached

    def _etcd(self, what: str, body: dict[str, Any]) -> dict[str, Any]:
        layout = self.cluster.layout
        context = ssl.create_default_context(cafile=str(layout.etcd_ca.certificate))
        pair = layout.issued["etcd-client"]
        context.load_cert_chain(pair.certificate, pair.key)
        url = f"https://{HOST}:{layout.ports['etcd']}/v3/kv/{what}"
        request = urllib.request.Request(url, json.dumps(body).encode())
        with urllib.request.urlopen(request, context=context, timeout=30) as answer:
            return dict(json.load(answer))


class Line:
    """A forwarder of bytes on the way to an API server, which can be cut; TLS passes through untouched.

    While it is cut new connections are taken and wait: who retries is held up, however slow the machine is, and does
    not run out of attempts.
    """

    def __init__(self, port: int) -> None:
        self._port, self._whole = port, True
        self._open: set[socket.socket] = set()
        self._held: list[socket.socket] = []
        self._lock = threading.Lock()
        self._listener = socket.create_server((HOST, 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Break all connections; new ones wait for `mend`."""
        with self._lock:
            self._whole = False
            broken, self._open = self._open, set()
        for one in broken:
            _end(one)

    def mend(self) -> None:
        """Let connections through, those that wait first."""
        with self._lock:
            self._whole = True
            held, self._held = self._held, []
        for one in held:
            self._connect(one)

    def close(self) -> None:
        self.cut()
        _end(self._listener)
        with self._lock:
            held, self._held = self._held, []
        for one in held:
            _end(one)

    def _accept(self) -> None:
        while True:
            try:
                here, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                whole = self._whole
                if not whole:
                    self._held.append(here)
            if whole:
                self._connect(here)

    def _connect(self, here: socket.socket) -> None:
        there = socket.create_connection((HOST, self._port))
        with self._lock:
            whole = self._whole
            if whole:
                self._open |= {here, there}
        if not whole:  # cut meanwhile
            _end(here)
            _end(there)
            return
        for pair in ((here, there), (there, here)):
            threading.Thread(target=self._pass, args=pair, daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        with self._lock:
            self._open -= {source, sink}
        _end(source)
        _end(sink)


def _end(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()


@pytest.fixture(scope="module")
def forgetful(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forgetful]:
    """A control plane beside the session's (which shows that the programs are there)."""
    with Cluster(tmp_path_factory.mktemp("forgetful") / "it", components=(_ETCD, _SERVER)) as running:
        yield Forgetful(running)


@pytest.fixture
def uncached(forgetful: Forgetful) -> Forgetful:
    """The same, without the cache."""
    if forgetful.cached:
        forgetful.restart()
    return forgetful


@pytest.fixture
def admin(forgetful: Forgetful) -> Iterator[Client]:
    """A client on the direct way."""
    with forgetful.cluster.client() as client:
        yield client


@pytest.fixture
def line(forgetful: Forgetful) -> Iterator[Line]:
    """The way that can be cut."""
    made = Line(forgetful.cluster.layout.ports["apiserver"])
    yield made
    made.close()


@pytest.fixture
def distant(forgetful: Forgetful, line: Line, tmp_path: Path) -> Iterator[Client]:
    """A client on the way that can be cut."""
    document = yaml.safe_load(forgetful.cluster.kubeconfig.read_text(encoding="utf-8"))
    document["clusters"][0]["cluster"]["server"] = f"https://{HOST}:{line.port}"
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(document), encoding="utf-8")
    with Client(load(path, environ={})) as client:
        yield client
