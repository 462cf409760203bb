"""Outbound only: nothing of ours waits for anybody outside, and everything works with the cluster's borders shut.

With the backend in the cluster nothing has to go out at all: rules drop whatever enters or leaves by the node's only
link to the world. With an exporter to the world, or with the backend there, its address alone is let through. The
controls are calls in both directions that go through before and do not afterwards.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import go_tools
import pytest
import story
from harness.certificates import Authority
from harness.node import places
from harness.node.cluster import Outside
from shop import VISIT, Shop, condition, opened, told, visit
from whole import NAMESPACE, Whole

from speedscale_kube import Ref
from speedscale_runtime.demo.leaks import find_leaks

RULES = (
    ("INPUT", "-i", "eth0"),
    ("FORWARD", "-i", "eth0"),
    ("FORWARD", "-o", "eth0"),
    ("OUTPUT", "-o", "eth0", "!", "-d", "10.0.0.0/8"),  # a call to a Service is for eth0 until it is led to its pod
)
THEIRS = frozenset(
    ("containerd", "coredns", "etcd", "kube-apiserver", "kube-controller", "kube-proxy", "kube-scheduler", "kubelet")
)
"""Who listens in the node's own network: the cluster (names as the kernel cuts them)."""
PORT = 8099
OTLP, TLS = 4318, 443
ROOTS = "backend-roots"
CLOUD = "cloud.example.com"


@pytest.fixture(scope="module")
def shop(installed: Whole, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A captured application with callers, in a namespace of its own."""
    folder = tmp_path_factory.mktemp("load")
    with opened(installed, folder, "inland", "inland", lambda shop: shop.pays("charges")) as made:
        yield made


def goes_out(shop: Shop, outside: Outside) -> bool:
    """Whether a pod reaches the world."""
    asked = f"curl -s -o /dev/null --connect-timeout 3 -m 5 http://{outside.address}:{PORT}/ && echo yes || echo no"
    return shop.ask(asked).strip() == "yes"


def comes_in(shop: Shop, outside: Outside) -> bool:
    """Whether the world reaches the application's pod."""
    url = f"http://{shop.pod()['status']['podIP']}:8080/api/products"
    asked = ("curl", "-s", "--connect-timeout", "3", "-m", "5", "-w", "%{http_code}", "-o", "/dev/null", url)
    return outside.run(*asked, check=False).strip() == "200"


@contextlib.contextmanager
def shut(shop: Shop, outside: Outside, folder: Path, *listed: int) -> Iterator[None]:
    """Borders that let nothing in or out, but to `listed` ports of the world; both ways are seen to be open."""
    node = shop.whole.node
    web = outside.start("web", "python3", "-m", "http.server", str(PORT), "--directory", str(folder))
    outside.run("ip", "route", "replace", places.POD_RANGE, "via", places.NODE_IP)
    node.until(lambda: goes_out(shop, outside), "a pod reaches the world")
    node.until(lambda: comes_in(shop, outside), "the world reaches the pod")
    rules = [(chain, *match, "-j", "DROP") for chain, *match in RULES]
    for port in listed:
        there = ("-p", "tcp", "-d", outside.address, "--dport", str(port))
        back = ("-p", "tcp", "-s", outside.address, "--sport", str(port), "!", "--syn")
        rules += [("FORWARD", "-o", "eth0", *there, "-j", "ACCEPT"), ("FORWARD", "-i", "eth0", *back, "-j", "ACCEPT")]
    for chain, *rule in rules:
        node.run_in("iptables", "-w", "-I", chain, "1", *rule)
    try:
        yield
    finally:
        for chain, *rule in rules:
            node.run_in("iptables", "-w", "-D", chain, *rule)
        outside.run("ip", "route", "del", places.POD_RANGE)
        web.stop()


@pytest.fixture
def collector(shop: Shop, outside: Outside, tmp_path: Path) -> Iterator[Path]:
    """An OpenTelemetry Collector in the world, which the forwarder is told to export to; the file that it writes."""
    out = tmp_path / "logs.json"
    config = {
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"{outside.address}:{OTLP}"}}}},
        "exporters": {"file": {"path": str(out), "append": True, "flush_interval": "100ms"}},
        "service": {
            "telemetry": {"metrics": {"level": "none"}},
            "pipelines": {"logs": {"receivers": ["otlp"], "exporters": ["file"]}},
        },
    }
    config_file = tmp_path / "config.yaml"
    config_file.write_text(json.dumps(config), encoding="utf-8")
    (program,) = go_tools.ensure("otelcol")
    environment = {**os.environ, "HOST_PROC": str(shop.whole.node.proc)}
    running = outside.start("otelcol", str(program), "--config", f"file:{config_file}", environment=environment)
    values = f"forwarder: {{exporters: {{world: {{otel_endpoint: 'http://{outside.address}:{OTLP}'}}}}}}\n"
    shop.whole.upgrade("Traffic goes to a collector outside, too", values)
    yield out
    shop.whole.upgrade("Traffic stays inside", "")
    running.stop()


def test_it_records_and_replays_with_the_borders_shut(shop: Shop, outside: Outside, tmp_path: Path) -> None:
    with shut(shop, outside, tmp_path):
        recorded_and_replayed(shop, outside)


def recorded_and_replayed(shop: Shop, outside: Outside) -> None:
    assert not goes_out(shop, outside), "the block bites: nothing goes out"
    assert not comes_in(shop, outside), "the block bites: nothing comes in"
    which = shop.replay("inland", shop.recorded(8))
    try:
        shop.whole.until(lambda: condition_true(shop, which, "MocksReady"), "mocks are ready", 180.0)
        assert open_to_the_world(shop.whole) == []
        ended = shop.ended(which)
        assert condition(ended, "Ready")["reason"] == "TestSucceeded", told(ended)
        assert shop.whole.cloud(f"/v1/reports/{ended['status']['reportID']}?format=json")
    finally:
        shop.whole.kube.delete(which)
        shop.whole.until(lambda: shop.whole.kube.find(which) is None, "the replay is gone", 120.0)


def test_what_is_listed_goes_out_and_nothing_else(
    shop: Shop, outside: Outside, collector: Path, tmp_path: Path
) -> None:
    web = tmp_path / "web"
    web.mkdir()
    shop.whole.until(lambda: lag(shop.whole, "world") == 0, "what was in the spool before is outside", 120.0)
    before = collector.stat().st_size
    with shut(shop, outside, web, OTLP):
        assert not goes_out(shop, outside), "the block bites: nothing else goes out"
        assert not comes_in(shop, outside), "the block bites: nothing comes in"
        assert shop.ask(visit(shop.url, "listed")).split() == VISIT
        shop.settled()
        shop.whole.until(lambda: b"/api/customers/listed" in collector.read_bytes()[before:], "it is outside", 120.0)
    outside_now = collector.read_bytes()[before:]
    assert find_leaks(outside_now, ["listed@mail.example.net", "4111111111111111"]) == []
    assert b"REDACTED-EMAIL" in outside_now


@dataclass
class Away(Whole):
    """The installation, with its backend in the world: on port 443 of `CLOUD`, with a certificate of a private CA."""

    def backend(self) -> tuple[str, str, Path]:
        """Where it is; only the root of its certificate is known."""
        return CLOUD, places.OUTSIDE_IP, self.folder / "world.crt"

    def cloud_text(self, path: str, *, body: object = None, method: str = "") -> str:
        """Ask it, from the world."""
        command, stdin = self.asking(*self.backend(), path, body, method)
        return self.node.outside().run(*command, stdin=stdin)

    def speedctl(self, *words: str) -> str:
        """Run speedctl in the world: it knows the backend, and no cluster."""
        told = {
            "SPEEDSCALE_APP_URL": f"https://{places.OUTSIDE_IP}",
            "SPEEDSCALE_API_KEY": self.key,
            "BACKEND_CA_FILE": str(self.backend()[2]),
            "HOME": str(self.folder),
            "KUBECONFIG": "/nonexistent",
        }
        program = str(Path(sys.executable).parent / "speedctl")
        return self.node.outside().run("env", *(f"{name}={value}" for name, value in told.items()), program, *words)


@pytest.fixture
def away(shop: Shop, outside: Outside, tmp_path: Path) -> Iterator[Shop]:
    """The shop, after a commit that names a backend in the world; its process and certificate, and a way back."""
    whole = shop.whole
    authority = Authority(tmp_path, "world")
    pair = authority.issue("cloud", "cloud", hosts=[CLOUD, outside.address])
    made = Away(**{field.name: getattr(whole, field.name) for field in dataclasses.fields(whole)})
    made.folder = tmp_path
    environment = {
        **os.environ,
        "CLOUD_HOST": outside.address,
        "CLOUD_PORT": str(TLS),
        "CLOUD_TLS_CERT_FILE": str(pair.certificate),
        "CLOUD_TLS_KEY_FILE": str(pair.key),
        "DATA_DIR": str(tmp_path / "data"),
        "METRICS_HTTP_PORT": "0",
        "SPEEDSCALE_API_KEY": whole.key,
    }
    running = outside.start("cloud", sys.executable, "-m", "speedscale_runtime.backend", environment=environment)
    whole.node.resolve(CLOUD, outside.address)
    roots = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": ROOTS, "namespace": NAMESPACE}}
    whole.kube.apply({**roots, "data": {"ca.crt": authority.pair.certificate.read_text()}}, "tests")
    whole.upgrade("The backend is in the world", f"appUrl: {CLOUD}\nappRoots: {ROOTS}\n")
    yield dataclasses.replace(shop, whole=made, since=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    whole.upgrade("The backend is in the cluster", "")
    whole.kube.delete(whole.kube.ref(roots))
    running.stop()


def test_the_backend_may_be_what_is_listed(shop: Shop, away: Shop, outside: Outside, tmp_path: Path) -> None:
    """Forwarder, inspector, operator and collector reach it; who replays knows the backend alone."""
    web = tmp_path / "web"
    web.mkdir()
    made, there = away.whole, ("--via", "cloud", "-n", shop.namespace)
    assert isinstance(made, Away)
    with shut(shop, outside, web, TLS):
        assert not goes_out(shop, outside), "the block bites: nothing else goes out"
        assert not comes_in(shop, outside), "the block bites: nothing comes in"
        made.until(lambda: connected(made), "the inspector has called the backend", 120.0)
        snapshot = away.recorded(8)
        what = ("--snapshot-id", snapshot, "--workload", f"deployment/{shop.name}", "--name", "from-afar")
        made.speedctl("infra", "replay", "start", *there, *what)
        which = Ref("speedscale.com/v1", "TrafficReplay", shop.namespace, "from-afar")
        try:
            ended = shop.ended(which)
            assert condition(ended, "Ready")["reason"] == "TestSucceeded", told(ended)
            assert "from-afar" in made.speedctl("infra", "replay", "list", *there)
            report = made.cloud(f"/v1/reports/{ended['status']['reportID']}?format=json")
            assert (report["status"], report["mocks"]["byTests"]["missed"]) == ("Passed", 0)
            assert report["mocks"]["byTests"]["matched"] == 8
        finally:
            shop.whole.kube.delete(which)
            shop.whole.until(lambda: shop.whole.kube.find(which) is None, "the replay is gone", 120.0)
    stored = json.dumps([story.pair(made, one) for one in away.stored()[:8]])
    assert "REDACTED-" in stored
    assert find_leaks(stored.encode(), ["c-0@mail.example.net", "4111111111111111"]) == []


def connected(whole: Whole) -> bool:
    """Whether the inspector of the cluster has a channel to the backend."""
    return any(one["name"] == "e2e" and one.get("connected", True) for one in whole.cloud("/v1/clusters")["items"])


def lag(whole: Whole, exporter: str) -> float:
    """How many pairs of the forwarder's spool an exporter has not sent yet."""
    (pod,) = whole.pods(labels="app=speedscale-forwarder")
    counts = whole.metrics(pod["metadata"]["name"])
    return counts[f'speedscale_forwarder_exporter_lag_pairs{{exporter="{exporter}"}}']


def test_nothing_of_ours_listens_for_the_outside(shop: Shop) -> None:
    assert open_to_the_world(shop.whole) == []
    listening = shop.whole.node.run_in("ss", "--listening", "--tcp", "--udp", "--numeric", "--processes", "--no-header")
    names = set(re.findall(r'\("([^"]+)",pid=', listening))
    assert names, "the control: the cluster itself listens"
    assert {one for one in names if not one.startswith(tuple(one[:12] for one in THEIRS))} == set()


def condition_true(shop: Shop, which: Ref, kind: str) -> bool:
    """Whether a condition of a replay is True."""
    return shop.condition(which, kind).get("status") == "True"


def open_to_the_world(whole: Whole) -> list[str]:
    """Return what of ours could be reached from outside of the cluster's network, by the API server's word."""
    found = []
    for service in whole.kube.list("v1", "Service"):
        labels = service["metadata"].get("labels") or {}
        spec = service["spec"]
        ours = service["metadata"]["namespace"] == NAMESPACE or labels.get("app.kubernetes.io/part-of") == "speedscale"
        if ours and (spec.get("type") in ("NodePort", "LoadBalancer") or spec.get("externalIPs")):
            found.append(f"Service {service['metadata']['name']}: {spec.get('type')}")
    for pod in whole.kube.list("v1", "Pod"):
        images = [one["image"] for one in pod["spec"]["containers"]]
        if not any("/speedscale/" in image for image in images):
            continue
        ports = [port for one in pod["spec"]["containers"] for port in one.get("ports") or () if port.get("hostPort")]
        if pod["spec"].get("hostNetwork") or ports:
            found.append(f"Pod {pod['metadata']['name']}: the node's network or ports {ports}")
    return found
