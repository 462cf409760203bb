"""The services run on what the manifests tell them: the same environment and files, only the paths are a test's own."""

from __future__ import annotations

import base64
import http.server
import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from speedscale_manifests.components import forwarder, replay_responder, sidecar
from speedscale_manifests.objects import Manifest
from speedscale_manifests.values import from_mapping
from speedscale_schemas import x509
from speedscale_schemas.templates import examples, fill

pytestmark = pytest.mark.integration

TOKEN = "a-token-of-the-namespace-shop"
EMAIL = "jane.doe@example.com"
VALIDITY = x509.Validity(datetime.now(UTC) - timedelta(hours=1), datetime.now(UTC) + timedelta(hours=1))


class Cluster:
    """Folders in the place of volumes: what the Secrets and ConfigMaps would hold."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home, self.state, self.secrets = root / "home", root / "state", root / "secrets"
        self.certs, self.tmp = root / "certs", root / "tmp"
        for folder in (self.home / "data" / "filters", self.home / "data" / "dlp", self.state, self.certs, self.tmp):
            folder.mkdir(parents=True)
        self._identities()
        self.read_only(self.home)

    def _identities(self) -> None:
        key = x509.new_key()
        ca = x509.root("Speedscale", key, VALIDITY, 1)
        self.issuer = issuer = x509.Issuer(ca, key)
        own_key = x509.new_key()
        self.renew(2)
        self.write("secrets/forwarder/tokens", f"{TOKEN}\nanother-token-of-somebody\n".encode())
        self.write("secrets/dlp-key/k1", base64.b64encode(b"k" * 32))
        self.write("certs/tls.crt", issuer.intermediate("shop", own_key, VALIDITY, 3))
        self.write("certs/tls.key", own_key)
        self.write("certs/ca.crt", ca)
        self.write("certs/token", TOKEN.encode())

    def renew(self, serial: int) -> None:
        """Give the forwarder another certificate, as the controller does while it runs."""
        key = x509.new_key()
        names = ["speedscale-forwarder.speedscale.svc", "127.0.0.1"]
        self.write("secrets/forwarder/tls.crt", self.issuer.leaf(names, key, VALIDITY, serial))
        self.write("secrets/forwarder/tls.key", key)

    def write(self, path: str, data: bytes) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)

    def read_only(self, folder: Path) -> None:
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)

    def environ(self, container: Manifest, *config_maps: Manifest, **more: str) -> dict[str, str]:
        """Return what the container would see, with paths below `root`."""
        found = {"PATH": os.environ["PATH"], "TMPDIR": str(self.tmp)}
        for config_map in config_maps:
            found |= config_map["data"]
        found |= {item["name"]: item.get("value", "of-the-pod") for item in container["env"]}
        places = {
            "/var/run/secrets/speedscale": self.secrets,
            "/var/lib/speedscale": self.state,
            "/etc/ssl/speedscale": self.certs,
            "/etc/speedscale": self.home,
        }
        for place, folder in places.items():
            found = {name: value.replace(place, str(folder)) for name, value in found.items()}
        return {**found, **more}


class Service:
    """A service of the runtime as a process, from its start to its end."""

    def __init__(self, module: str, environ: Mapping[str, str], status: Path) -> None:
        self.log = status.with_suffix(".log")
        with self.log.open("wb") as log:
            command = [sys.executable, "-m", f"speedscale_runtime.{module}"]
            self.process = subprocess.Popen(
                command, env={**environ, "STATUS_FILE": str(status)}, stderr=log, stdout=log
            )
        self.until(lambda: status.exists() or self.process.poll() is not None)
        assert status.exists(), self.log.read_text()
        self.status: dict[str, Any] = json.loads(status.read_text())

    def until(self, condition: Callable[[], object], seconds: float = 90) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.log.read_text()[-4000:]
            time.sleep(0.02)

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(90)


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Return a function that starts a service; all end with the test."""
    running: list[Service] = []

    def started(module: str, environ: Mapping[str, str]) -> Service:
        running.append(Service(module, environ, tmp_path / f"{module}.json"))
        return running[-1]

    yield started
    for service in reversed(running):
        service.end()


@pytest.fixture
def application() -> Iterator[int]:
    """An application under capture: it answers with an e-mail address; yields its port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"email": EMAIL}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def start_forwarder(cluster: Cluster, start: Callable[..., Service]) -> tuple[Service, dict[str, int]]:
    """Return the service, and what each of its container's probes gets."""
    found = forwarder.COMPONENT.managed(from_mapping({}))
    (settings,) = [m for m in found if m["kind"] == "ConfigMap" and m["metadata"]["name"] == "speedscale-forwarder"]
    (deployment,) = [m for m in found if m["kind"] == "Deployment"]
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    ports = {"FORWARDER_PORT": "0", "METRICS_HTTP_PORT": "0"}
    service = start("forwarder", cluster.environ(container, settings, **ports))
    base = f"http://127.0.0.1:{service.status['metricsPort']}"
    probes = {
        name: requests.get(base + container[name]["httpGet"]["path"], timeout=10).status_code
        for name in ("startupProbe", "livenessProbe", "readinessProbe")
    }
    return service, probes


def start_proxy(cluster: Cluster, start: Callable[..., Service], application: int, forwarder_port: int) -> Service:
    (template,) = sidecar.COMPONENT.templates(from_mapping({}))
    values = {**examples(), "proxy_host": "127.0.0.1", "proxy_port": application, "proxy_in_port": 0}
    values |= {"proxy_out_port": 0, "metrics_port": 0, "tls_out": True}
    container = fill(template, values)["template"]["spec"]["containers"][0]
    address = {"FORWARDER_ADDR": f"https://127.0.0.1:{forwarder_port}", "HEALTH_PORT": "0"}
    return start("proxy", cluster.environ(container, **address))


def test_from_the_sidecar_to_the_forwarder_by_tls_and_token_and_redacted(
    cluster: Cluster, start: Callable[..., Service], application: int
) -> None:
    receiver, probes = start_forwarder(cluster, start)
    assert set(probes.values()) == {200}
    proxy = start_proxy(cluster, start, application, receiver.status["port"])
    answer = requests.get(f"http://127.0.0.1:{proxy.status['inPort']}/me", timeout=10)
    assert answer.json() == {"email": EMAIL}
    recordings = cluster.state / "recordings"
    receiver.until(lambda: any(recordings.rglob("*.jsonl")))
    (line,) = [text for file in recordings.rglob("*.jsonl") for text in file.read_text("utf-8").splitlines()]
    assert "REDACTED-EMAIL-" in line
    kept = b"".join(file.read_bytes() for file in cluster.state.rglob("*") if file.is_file())
    assert EMAIL.encode() not in kept


def test_a_sender_without_the_token_is_refused(cluster: Cluster, start: Callable[..., Service]) -> None:
    receiver, _ = start_forwarder(cluster, start)
    url = f"https://127.0.0.1:{receiver.status['port']}/v1/batches"
    ca = str(cluster.certs / "ca.crt")
    assert requests.post(url, data=b"", verify=ca, timeout=10).status_code == 401
    wrong = {"Authorization": "Bearer a-token-that-nobody-gave"}
    assert requests.post(url, data=b"", headers=wrong, verify=ca, timeout=10).status_code == 403


def test_a_renewed_certificate_is_shown_without_a_restart(cluster: Cluster, start: Callable[..., Service]) -> None:
    receiver, _ = start_forwarder(cluster, start)
    address = ("127.0.0.1", receiver.status["port"])
    before = ssl.get_server_certificate(address)
    cluster.renew(9)
    receiver.until(lambda: ssl.get_server_certificate(address) != before)
    shown = x509.summary(ssl.get_server_certificate(address).encode())
    assert shown.issuer == "CN=Speedscale"


def test_without_the_redaction_key_the_forwarder_takes_nothing(cluster: Cluster, start: Callable[..., Service]) -> None:
    (cluster.secrets / "dlp-key" / "k1").unlink()
    receiver, probes = start_forwarder(cluster, start)
    # Not ready, so without an endpoint; alive, so not restarted for ever.
    assert probes == {"startupProbe": 200, "livenessProbe": 200, "readinessProbe": 503}
    assert "dlp" in receiver.status["problem"]


def test_the_responder_answers_with_the_namespaces_ca(cluster: Cluster, start: Callable[..., Service]) -> None:
    (deployment,) = [m for m in replay_responder.COMPONENT.templates(from_mapping({})) if m["kind"] == "Deployment"]
    values = {**examples(), "snapshot_id": "one", "mocks": "", "faults": ""}
    pod = fill(deployment, values)["spec"]["template"]["spec"]
    container = pod["containers"][0]
    mounts = {m["name"]: m["mountPath"] for m in container["volumeMounts"]}
    pair = {
        "msgType": "rrpair",
        "ts": "2026-01-31T12:00:00Z",
        "l7protocol": "https",
        "direction": "OUT",
        "command": "GET",
        "location": "/v1",
        "status": "200",
        "service": "shop",
        "http": {
            "req": {"method": "GET", "uri": "/v1", "url": "/v1", "host": "api.example.com", "headers": {}},
            "res": {"statusCode": 200, "headers": {"Content-Type": ["text/plain"]}, "body": "mocked"},
        },
    }
    cluster.write("snapshots/one/raw.jsonl", json.dumps(pair).encode() + b"\n")
    (cluster.root / "results").mkdir()
    # The Secret is mounted read only where the responder looks for its CA.
    assert mounts["speedscale-certs"] == "/var/lib/speedscale/certs"
    (cluster.state / "certs").symlink_to(cluster.certs)
    cluster.read_only(cluster.certs)
    ports = {"SERVICE_HTTP_PORT": "0", "SERVICE_HTTPS_PORT": "0", "PROXY_OUT_PORT": "0", "METRICS_HTTP_PORT": "0"}
    environ = cluster.environ(container, **ports)
    for name in ("SNAPSHOT_ID", "OUT_DIR"):
        environ[name] = str(cluster.root) + environ[name]
    service = start("responder", environ)
    base = f"http://127.0.0.1:{service.status['metricsPort']}"
    assert requests.get(base + container["readinessProbe"]["httpGet"]["path"], timeout=10).status_code == 200
    proxies = {"https": f"http://127.0.0.1:{service.status['proxyPort']}"}
    answer = requests.get(
        "https://api.example.com/v1", proxies=proxies, verify=str(cluster.certs / "ca.crt"), timeout=10
    )
    assert answer.text == "mocked"
