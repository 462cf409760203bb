"""nettap's targets on a real API server: the operator's own rights, its watches, the ConfigMap that nodes read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from harness.cluster import Cluster
from harness.leading import Leading, events
from harness.operator import Installation

from speedscale_controller.nettap import Nettap
from speedscale_controller.nettap.reconciler import MANAGER
from speedscale_kube import Client, Object, Ref
from speedscale_schemas.nettap import CONFIG_MAP, KEY, Refusal, Targets, parse, render

pytestmark = pytest.mark.integration
CAPTURE = "capture.speedscale.com/"
ASKS = {f"{CAPTURE}enabled": "true", f"{CAPTURE}ignore-ports": "9090"}
Install = Callable[..., Installation]


@pytest.fixture
def home(install: Install) -> Installation:
    """An installation with nettap, whose webhook nobody serves."""
    return install(ebpf={"enabled": True})


@pytest.fixture
def own(cluster: Cluster, home: Installation) -> Iterator[Client]:
    """A client with the operator's own rights."""
    with cluster.client(home.folder / "operator.kubeconfig") as client:
        yield client


def workload(namespace: str, name: str, kind: str = "Deployment", **annotations: str) -> Object:
    pod: dict[str, Any] = {"containers": [{"name": "app", "image": "shop:1"}]}
    spec: dict[str, Any] = {
        "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": {"app": name}}, "spec": pod},
    }
    metadata = {"name": name, "namespace": namespace, "annotations": annotations}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": spec}


def targets(kube: Client, home: Installation) -> Targets:
    live = kube.find(Ref("v1", "ConfigMap", home.namespace, CONFIG_MAP))
    return parse(live["data"][KEY]) if live else Targets()


def captured(kube: Client, home: Installation, namespace: str) -> list[tuple[str, str]]:
    return [(w.place.kind, w.place.name) for w in targets(kube, home).workloads if w.place.namespace == namespace]


def test_targets_follow_the_annotations_and_drift_is_taken_back(
    home: Installation, own: Client, kube: Client, namespace: str
) -> None:
    made = [kube.apply(workload(namespace, k.lower(), k, **ASKS), "user") for k in ("Deployment", "StatefulSet")]
    both = {**ASKS, "sidecar.speedscale.com/inject": "true"}
    kube.apply(workload(namespace, "both", **both), "user")
    kube.apply(workload(namespace, "java", **{f"{CAPTURE}java-agent": "true"}), "user")
    kube.apply(workload(namespace, "other"), "user")
    which = Ref("v1", "ConfigMap", home.namespace, CONFIG_MAP)
    wanted = [("Deployment", "deployment"), ("StatefulSet", "statefulset")]
    with Leading(own, home.environ(), Nettap()) as leading:
        home.until(lambda: captured(kube, home, namespace) == wanted, "both are targets")
        found = targets(kube, home)
        assert {w.ignore_ports for w in found.workloads if w.place.namespace == namespace} == {(9090,)}
        refused = {r.place.name: r.reason for r in found.refused if r.place.namespace == namespace}
        assert refused == {"both": Refusal.SIDECAR, "java": Refusal.JAVA_AGENT}
        home.until(lambda: len(events(kube, namespace, "CaptureBegun")) == 2, "who is captured is told")
        home.until(lambda: len(events(kube, namespace, "CaptureRefused")) == 2, "who is refused is told")
        assert {entry["manager"] for entry in kube.get(which)["metadata"]["managedFields"]} == {MANAGER}

        # a change by hand, and a deletion
        kube.patch(which, {"data": {KEY: render(Targets())}}, "somebody")
        home.until(lambda: captured(kube, home, namespace) == wanted, "the change is taken back")
        kube.delete(which)
        home.until(lambda: captured(kube, home, namespace) == wanted, "it is made anew")

        # live: not asked for any more, and gone
        kube.patch(kube.ref(made[0]), {"metadata": {"annotations": dict.fromkeys(ASKS)}}, "user")
        home.until(lambda: captured(kube, home, namespace) == wanted[1:], "one is left")
        kube.delete(kube.ref(made[1]))
        home.until(lambda: captured(kube, home, namespace) == [], "none is left")

        # at rest nothing is written, and no workload was touched
        leading.rest("nettap")
        version = kube.get(which)["metadata"]["resourceVersion"]
        kube.patch(kube.ref(made[0]), {"metadata": {"labels": {"a": "b"}}}, "user")
        leading.rest("nettap")
        assert kube.get(which)["metadata"]["resourceVersion"] == version
    assert "operator.speedscale.com/managed-by" not in kube.get(kube.ref(made[0]))["metadata"].get("annotations", {})


def test_without_nettap_who_asks_is_told_so(install: Install, cluster: Cluster, kube: Client, namespace: str) -> None:
    bare = install()
    kube.apply(workload(namespace, "shop", **ASKS), "user")
    with cluster.client(bare.folder / "operator.kubeconfig") as own, Leading(own, bare.environ(), Nettap()):
        bare.until(lambda: bool(events(kube, namespace, "CaptureRefused")), "it is told")
    (event,) = events(kube, namespace, "CaptureRefused")
    assert event["message"].startswith("not_installed: ")
    assert kube.find(Ref("v1", "ConfigMap", bare.namespace, CONFIG_MAP)) is None
