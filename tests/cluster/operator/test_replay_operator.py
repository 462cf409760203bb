"""Replays by the running operator: its processes, its admission, its Secrets. Pods are played, nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from harness.cluster import Cluster
from harness.operator import Installation
from harness.replaying import MISSED, NAME, PASSED, SNAPSHOT, Shop, spec_of

from speedscale_kube import Client, Ref

pytestmark = pytest.mark.integration


def play_until(shop: Shop, done: Callable[[], bool], what: str, results: object = PASSED) -> None:
    """Play pods until the operator has got there."""

    def round_() -> bool:
        if done():
            return True
        shop.play(results)  # type: ignore[arg-type]
        return False

    Cluster.until(round_, what, 90.0)


def running(shop: Shop, reason: str, name: str = NAME) -> Callable[[], bool]:
    """Return what asks whether a replay is in a state."""
    return lambda: shop.condition("Running", name).get("reason") == reason


@pytest.mark.fault("a GitOps tool applies the workload under test again and again", end="the replay ends as ever")
def test_a_replay_with_a_gitops_tool_beside_it(
    operator: Installation, kube: Client, namespace: str, cluster: Cluster
) -> None:
    shop = Shop(kube, namespace, operator.namespace).furnish(secrets=False)
    before = spec_of(shop)
    shop.replay()
    play_until(shop, running(shop, "GeneratorRunning"), "tests run", None)
    for _ in range(3):  # the workload as git has it, without the patch
        live = shop.workload("checkout")
        assert live["spec"]["template"]["spec"]["hostAliases"], "admission keeps the patch"
    assert running(shop, "GeneratorRunning")()
    play_until(shop, running(shop, "CleanedUp"), "it is over", MISSED)
    cluster.kubectl("wait", "--for=condition=Ready", f"replay/{NAME}", "-n", namespace, "--timeout=5s")
    path = "jsonpath={.status.conditions[-1:].message}"
    assert cluster.kubectl("get", "replay", NAME, "-n", namespace, "-o", path) == "Failed: Missed Goals"
    assert "Failed: Missed Goals" in cluster.kubectl("get", "replay", "-n", namespace)
    assert "TestFailed" in cluster.kubectl("describe", "replay", NAME, "-n", namespace)
    assert spec_of(shop) == before
    assert shop.inventory() == []
    made = shop.get("ConfigMap", f"speedscale-report-{shop.status()['reportID']}")
    assert made is not None
    assert json.loads(made["data"]["report.json"])["state"] == "Missed Goals"


def test_annotations_start_a_replay_once(operator: Installation, kube: Client, namespace: str) -> None:
    shop = Shop(kube, namespace, operator.namespace).furnish(secrets=False)
    ref = Ref("apps/v1", "Deployment", namespace, "checkout")
    marks = {"replay.speedscale.com/snapshot-id": SNAPSHOT, "replay.speedscale.com/build-tag": "v1"}
    kube.patch(ref, {"metadata": {"annotations": marks}}, "user")

    def replays() -> list[str]:
        found = kube.list("speedscale.com/v1", "TrafficReplay", namespace)
        return sorted(o["metadata"]["name"] for o in found)

    Cluster.until(lambda: len(replays()) == 1, "a replay begins")
    (name,) = replays()
    assert name.startswith("checkout-")
    play_until(shop, running(shop, "CleanedUp", name), "it is over")
    assert shop.condition("Ready", name)["reason"] == "TestSucceeded"
    kube.delete(Ref("speedscale.com/v1", "TrafficReplay", namespace, name))
    Cluster.until(lambda: replays() == [], "it is gone")
    kube.patch(ref, {"spec": {"replicas": 2}}, "user")  # nothing that a replay is begun for
    kube.patch(ref, {"metadata": {"annotations": {"replay.speedscale.com/build-tag": "v2"}}}, "user")
    Cluster.until(lambda: len(replays()) == 1, "another version is another replay")
    assert replays() != [name]
