"""The whole way: speedctl, the backend over TLS, the inspector as a process of its own, a real API server."""

from __future__ import annotations

import json
import sys
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from harness.cluster import Cluster
from harness.inspecting import Played, deployment
from harness.process import Process

from speedscale_kube import Client, Ref
from speedscale_runtime.cli.root import main
from speedscale_runtime.cloud import Target, run
from speedscale_schemas import trafficreplay, x509
from speedscale_schemas.annotations import SIDECAR

ADMIN = "sk-environment-0123456789"


def status(path: Path) -> dict[str, Any]:
    """Return what a process said once it listens."""
    Cluster.until(path.exists, f"{path.name} is there")
    return dict(json.loads(path.read_text("utf-8")))


class Way:
    """Backend and inspector as processes."""

    def __init__(self, played: Played, folder: Path) -> None:
        self.played, self.folder = played, folder
        self.ca = folder / "ca.crt"
        self.backend = Process("backend", folder)
        self.inspector = Process("inspector", folder)
        self.url = ""

    def certify(self) -> None:
        """Make a CA and a certificate for loopback."""
        now = datetime.now(UTC).replace(microsecond=0)
        validity = x509.Validity(now - timedelta(hours=1), now + timedelta(hours=2))
        root_key, key = x509.new_key(), x509.new_key()
        root = x509.root("backend", root_key, validity, 1)
        leaf = x509.Issuer(root, root_key).leaf(["127.0.0.1", "localhost"], key, validity, 2)
        self.ca.write_bytes(root)
        (self.folder / "tls.crt").write_bytes(leaf)
        (self.folder / "tls.key").write_bytes(key)

    def start_backend(self) -> None:
        """Start the backend."""
        file = self.folder / "backend.json"
        environment = {
            "CLOUD_PORT": "0",
            "METRICS_HTTP_PORT": "0",
            "DATA_DIR": str(self.folder / "data"),
            "SPEEDSCALE_API_KEY": ADMIN,
            "BOOTSTRAP_KEY_LABELS": '{"env":"test"}',
            "CLOUD_TLS_CERT_FILE": str(self.folder / "tls.crt"),
            "CLOUD_TLS_KEY_FILE": str(self.folder / "tls.key"),
            "STATUS_FILE": str(file),
        }
        self.backend.start([sys.executable, "-m", "speedscale_runtime.backend"], environment=environment)
        self.url = f"https://127.0.0.1:{status(file)['port']}"

    def start_inspector(self) -> None:
        """Start the inspector, whose Secret is not there yet."""
        self.played.client().close()  # leaves a kubeconfig with a token of the account
        file = self.folder / "inspector.json"
        environ = self.played.environ(
            BACKEND_SECRET_DIR=str(self.folder / "secret"),
            BACKEND_CA_FILE=str(self.ca),
            KUBECONFIG=str(self.played.folder / "kubeconfig"),
            STATUS_FILE=str(file),
        )
        del environ["SPEEDSCALE_APP_URL"], environ["SPEEDSCALE_API_KEY"]
        self.inspector.start([sys.executable, "-m", "speedscale_runtime.inspector"], environment=environ)
        self.metrics = f"http://127.0.0.1:{status(file)['metricsPort']}"

    def page(self, path: str) -> str:
        """Return a page of the inspector's health port."""
        with urllib.request.urlopen(self.metrics + path, timeout=10) as answer:
            return str(answer.read().decode())

    def secret(self) -> None:
        """The Secret comes."""
        (self.folder / "secret").mkdir()
        (self.folder / "secret" / "SPEEDSCALE_APP_URL").write_text(self.url)
        (self.folder / "secret" / "SPEEDSCALE_API_KEY").write_text(f"{ADMIN}\n")

    def key(self, name: str, scopes: list[str]) -> str:
        """Make a key without labels."""
        target = Target(self.url, ADMIN, self.ca)
        return str(run(target, lambda client: client.create_key(name, scopes))["key"])

    def audit(self) -> list[dict[str, Any]]:
        """Return the backend's audit."""
        return run(Target(self.url, ADMIN, self.ca), lambda client: client.audit()).items

    def stop(self) -> None:
        """End both."""
        self.inspector.stop()
        self.backend.stop()


@pytest.fixture(scope="module")
def way(installer: Callable[..., Played], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Way]:
    """Backend and inspector, connected; the inspector began without a Secret."""
    played = installer(inspector={"accessLabels": {"env": "test"}})
    made = Way(played, tmp_path_factory.mktemp("way"))
    made.certify()
    try:
        made.start_backend()
        made.start_inspector()
        assert made.page("/readyz") == "ok\n"
        assert json.loads(made.page("/status"))["backend"] == "no_backend"
        made.secret()
        Cluster.until(lambda: json.loads(made.page("/status"))["backend"] == "connected", "the inspector is connected")
        yield made
    finally:
        made.stop()
        played.stop()


Cli = Callable[..., tuple[int, Any, str]]


@pytest.fixture
def cli(way: Way, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run speedctl; return exit code, JSON (or text) of stdout, and stderr."""

    def ask(*words: str, key: str = ADMIN) -> tuple[int, Any, str]:
        monkeypatch.setenv("SPEEDSCALE_APP_URL", way.url)
        monkeypatch.setenv("SPEEDSCALE_API_KEY", key)
        monkeypatch.setenv("BACKEND_CA_FILE", str(way.ca))
        monkeypatch.setenv("KUBECONFIG", "/nowhere")
        code = main(list(words))
        out, err = capsys.readouterr()
        try:
            return code, json.loads(out), err
        except ValueError:
            return code, out, err

    return ask


def test_workloads_and_sidecars(cli: Cli, kube: Client, namespace: str, way: Way) -> None:
    kube.create(deployment(namespace), "team")
    code, found, _ = cli("infra", "workloads", "-n", namespace, "--via", "cloud", "-o", "json")
    assert (code, [one["state"] for one in found["workloads"]]) == (0, ["none"])
    words = ("deployment/cart", "-n", namespace, "--via", "cloud", "-o", "json")
    code, found, _ = cli("infra", "sidecar", "add", *words, "--tls-out")
    assert (code, found["state"]) == (0, "pending")
    annotations = kube.get(Ref("apps/v1", "Deployment", namespace, "cart"))["metadata"]["annotations"]
    assert annotations[f"{SIDECAR}/tls-out"] == "true"
    code, text, _ = cli("infra", "workloads", "-n", namespace, "--via", "cloud", "--cluster", "north")
    assert "deployment/cart" in text
    assert "pending" in text
    code, found, _ = cli("infra", "sidecar", "remove", *words, "--settings")
    assert set(found["change"]) == {f"{SIDECAR}/inject", f"{SIDECAR}/tls-out"}
    asked = [entry for entry in way.audit() if entry.get("target") == "north/sidecar-add"]
    assert asked
    assert "environment" in json.dumps(asked[0])


def test_a_replay(cli: Cli, kube: Client, namespace: str) -> None:
    kube.create(deployment(namespace), "team")
    rest = ("-n", namespace, "--via", "cloud", "-o", "json")
    code, made, _ = cli("infra", "replay", "start", "--snapshot-id", "latest", "--workload", "cart", *rest)
    assert code == 0
    which = Ref(trafficreplay.API_VERSION, trafficreplay.KIND, namespace, made["name"])
    stamp = {"lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1, "status": "True"}
    ready = {"type": "Ready", "reason": "TestFailed", "message": "Failed: Missed Goals: 25 %", **stamp}
    kube.patch(which, {"status": {"active": False, "conditions": [ready]}}, "operator", subresource="status")
    code, outcome, err = cli("infra", "replay", "wait", made["name"], *rest)
    assert (code, outcome["outcome"]) == (1, "failed")
    assert "TestFailed" in err
    code, listed, _ = cli("infra", "replay", "list", *rest)
    assert [one["name"] for one in listed["replays"]] == [made["name"]]
    code, described, _ = cli("infra", "replay", "describe", made["name"], *rest)
    assert described["status"]["conditions"][0]["reason"] == "TestFailed"
    assert cli("infra", "replay", "cancel", made["name"], *rest[:-2])[0] == 0
    Cluster.until(lambda: kube.find(which) is None, "it is gone")
    code, _, err = cli("infra", "replay", "wait", made["name"], *rest)
    assert code == 2
    assert "not_found" in err


def test_any_command(cli: Cli, namespace: str) -> None:
    code, out, err = cli("infra", "command", "list-events", f"namespace={namespace}", "warnings=true")
    assert (code, out) == (0, "")
    assert json.loads(err)["items"] == 0
    code, _, err = cli("infra", "command", "list-events", "namespaces=x")
    assert code == 2
    assert "the arguments of list-events are: namespace" in err


def test_keys_bound_what_may_be_done(cli: Cli, kube: Client, namespace: str, way: Way) -> None:
    kube.create(deployment(namespace), "team")
    words = ("infra", "sidecar", "add", "cart", "-n", namespace, "--via", "cloud", "--cluster", "north")
    code, _, err = cli(*words, key=way.key("reader", ["read"]))
    assert code == 2
    assert "scope" in err
    code, _, err = cli(*words, key=way.key("other-team", ["read", "control"]))
    assert code == 2
    assert "env=test" in err
    assert "labels" in err
    found = kube.get(Ref("apps/v1", "Deployment", namespace, "cart"))
    assert f"{SIDECAR}/inject" not in found["metadata"].get("annotations", {})
    assert {"scope", "access_labels"} <= {entry.get("reason") for entry in way.audit()}


def test_wrong_use(cli: Cli) -> None:
    code, _, err = cli("infra", "workloads", "--via", "cloud")
    assert (code, "give -n NAMESPACE" in err) == (2, True)
    code, _, err = cli("infra", "workloads", "-A", "--via", "cloud", "--kubeconfig", "x")
    assert (code, "--kubeconfig means nothing" in err) == (2, True)
    code, _, err = cli("infra", "workloads", "-A", "--via", "cloud", "--cluster", "south")
    assert (code, "south" in err) == (2, True)


def test_the_backend_goes_and_comes_back(cli: Cli, way: Way) -> None:
    """Last, because it ends the backend: the inspector stays ready, and does not end."""
    way.backend.stop()
    Cluster.until(lambda: json.loads(way.page("/status"))["backend"] != "connected", "it knows")
    assert way.page("/readyz") == "ok\n"
    assert 'speedscale_inspector_backend_state{state="connected"} 0.0' in way.page("/metrics")
    (way.folder / "backend.json").unlink()
    way.start_backend()
    (way.folder / "secret" / "SPEEDSCALE_APP_URL").write_text(way.url)  # another port
    Cluster.until(lambda: json.loads(way.page("/status"))["backend"] == "connected", "it is connected again")
    assert cli("infra", "command", "list-nodes")[0] == 0
