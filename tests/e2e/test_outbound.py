"""Outbound only: nothing of ours waits for anybody outside, and everything works with the cluster's borders shut.

With the backend in the cluster nothing has to go out at all: rules drop whatever enters or leaves by the node's only
link to the world. With an exporter to the world, its address alone is let through. The controls are calls in both
directions that go through before and do not afterwards.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import go_tools
import pytest
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
OTLP = 4318


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
    with shut(shop, outside, web, OTLP):
        assert not goes_out(shop, outside), "the block bites: nothing else goes out"
        assert not comes_in(shop, outside), "the block bites: nothing comes in"
        assert shop.ask(visit(shop.url, "listed")).split() == VISIT
        shop.settled()
        shop.whole.until(
            lambda: collector.exists() and b"/api/customers/listed" in collector.read_bytes(), "it is outside", 120.0
        )
    outside_now = collector.read_bytes()
    assert find_leaks(outside_now, ["listed@mail.example.net", "4111111111111111"]) == []
    assert b"REDACTED-EMAIL" in outside_now


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
