"""Outbound only: nothing of ours waits for anybody outside, and everything works with the cluster's borders shut.

With the backend in the cluster nothing has to go out at all: rules drop whatever enters or leaves by the node's only
link to the world. The controls are calls in both directions that go through before and do not afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.node import places
from harness.node.cluster import Outside
from shop import Shop, condition, opened, told
from whole import NAMESPACE, Whole

from speedscale_kube import Ref

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


@pytest.fixture
def shut(shop: Shop, outside: Outside, tmp_path: Path) -> Iterator[None]:
    """Borders that let nothing in or out; before that, both ways are seen to be open."""
    node = shop.whole.node
    web = outside.start("web", "python3", "-m", "http.server", str(PORT), "--directory", str(tmp_path))
    outside.run("ip", "route", "replace", places.POD_RANGE, "via", places.NODE_IP)
    node.until(lambda: goes_out(shop, outside), "a pod reaches the world")
    node.until(lambda: comes_in(shop, outside), "the world reaches the pod")
    for chain, *match in RULES:
        node.run_in("iptables", "-w", "-I", chain, "1", *match, "-j", "DROP")
    try:
        yield
    finally:
        for chain, *match in RULES:
            node.run_in("iptables", "-w", "-D", chain, *match, "-j", "DROP")
        outside.run("ip", "route", "del", places.POD_RANGE)
        web.stop()


def test_it_records_and_replays_with_the_borders_shut(shop: Shop, outside: Outside, shut: None) -> None:
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
