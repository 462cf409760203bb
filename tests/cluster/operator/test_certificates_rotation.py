"""The webhook CA is replaced by the real steps while an API server calls the webhook for concurrent creates."""

from __future__ import annotations

import ssl
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from harness.cluster import Cluster

sys.path.insert(0, str(Path(__file__).parent))

import json

from identity_bench import Bench

from speedscale_controller.certificates.model import CA_LIFE, SKEW
from speedscale_controller.certificates.names import WEBHOOK
from speedscale_kube import Client, Ref
from speedscale_kube.errors import ServerError
from speedscale_schemas import truststore

pytestmark = pytest.mark.integration
CONFIGURATION = Ref("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", "", "speedscale-operator")


class Handler(BaseHTTPRequestHandler):
    """Allows everything; HTTP/1.0, so that each review is a handshake of its own."""

    def do_POST(self) -> None:
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = {**review, "response": {"uid": review["request"]["uid"], "allowed": True}}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """Takes the context of the moment for each connection: a half-loaded pair is never shown."""

    context: ssl.SSLContext

    def get_request(self) -> tuple[Any, Any]:
        connection, address = super().get_request()
        return self.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

    def handle_error(self, request: object, client_address: object) -> None:
        """A refused handshake is counted by who made it."""


class Replica:
    """A webhook server whose certificate is replaced while it serves."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.shown = b""
        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def load(self, data: dict[str, bytes]) -> None:
        """Show what the Secret holds now."""
        pair = self._folder / "pair.pem"
        pair.write_bytes(data["tls.crt"] + data["tls.key"])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair)
        self._server.context = context
        self.shown = data["tls.crt"]

    def close(self) -> None:
        """End."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Creates:
    """Threads that create (dry) without a pause, and what came of it."""

    def __init__(self, kube: Client, namespace: str) -> None:
        self._kube, self._namespace = kube, namespace
        self._stop = threading.Event()
        self.done, self.failed = 0, list[str]()
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(3)]
        for thread in self._threads:
            thread.start()

    def more(self, cluster: Cluster) -> None:
        """Wait until so many more went through that every API server has seen what was written before."""
        goal = self.done + len(self.failed) + 40
        cluster.until(lambda: self.done + len(self.failed) >= goal, "creates go on")

    def close(self) -> None:
        """End."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, number: int) -> None:
        metadata = {"name": f"x{number}", "namespace": self._namespace}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
        while not self._stop.is_set():
            try:
                self._kube.create(body, "tests", dry_run=True)
            except ServerError as error:
                self.failed.append(str(error))
            else:
                self.done += 1


@pytest.fixture
def replica(kube: Client, namespace: str, tmp_path: Path) -> Iterator[Replica]:
    """A webhook server, and a webhook that must answer before a ConfigMap is made in `<namespace>-shop`."""
    server = Replica(tmp_path)
    shop = f"{namespace}-shop"
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": shop}}, "tests")
    webhook: dict[str, Any] = {
        "name": "sidecar.speedscale.com",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": "Fail",
        "clientConfig": {"url": f"https://127.0.0.1:{server.port}/mutate"},
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": shop}},
        "rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}],
    }
    which = CONFIGURATION
    body = {
        "apiVersion": which.api_version,
        "kind": which.kind,
        "metadata": {"name": which.name},
        "webhooks": [webhook],
    }
    kube.apply(body, "git", force=True)
    yield server
    kube.delete(which)
    kube.delete(Ref("v1", "Namespace", "", shop))
    server.close()


@pytest.mark.fault("the CA is replaced by the operator under creates", end="no create fails")
def test_no_create_fails_while_the_authority_is_replaced(
    kube: Client, cluster: Cluster, namespace: str, replica: Replica
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    made = now + timedelta(seconds=10) - (CA_LIFE + SKEW) * 2 / 3 + SKEW  # it is due in ten seconds
    bench = Bench(kube, namespace, now=made, ask=lambda: (replica.shown,), WEBHOOK_HOST="127.0.0.1")
    bench.settle()
    bench.time = now
    bench.later()  # a leaf of these days
    replica.load(bench.data(WEBHOOK))
    first = bench.data(WEBHOOK)["ca.crt"]
    cluster.until(lambda: goes_through(kube, f"{namespace}-shop"), "the API server trusts the webhook")
    creates = Creates(kube, f"{namespace}-shop")
    try:
        bench.later(seconds=11)
        assert len(truststore.split_pem(bench.data(WEBHOOK)["ca.crt"])) == 2
        creates.more(cluster)
        bench.later(seconds=31)
        assert bench.data(WEBHOOK)["tls.crt"] != replica.shown
        creates.more(cluster)
        replica.load(bench.data(WEBHOOK))
        creates.more(cluster)
        bench.later(seconds=31)
        last = bench.data(WEBHOOK)["ca.crt"]
        creates.more(cluster)
    finally:
        creates.close()
    assert creates.failed == []
    assert creates.done > 100
    assert len(truststore.split_pem(last)) == 1
    assert first not in last


def goes_through(kube: Client, namespace: str) -> bool:
    """Say whether a create passes the webhook."""
    metadata = {"name": "first", "namespace": namespace}
    try:
        kube.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}, "tests", dry_run=True)
    except ServerError:
        return False
    return True
