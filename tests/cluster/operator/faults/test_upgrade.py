"""A bundle is replaced by the next one under a running operator: nothing is restarted that nobody asked for."""

from __future__ import annotations

from typing import Any

import pytest
from harness.cluster import Cluster
from harness.operator import Installation, Replica
from harness.workloads import INJECT, SIDECAR, create, deployment

from speedscale_kube import Client, Object, Ref
from speedscale_manifests.bundle import bundle
from speedscale_manifests.values import from_mapping

pytestmark = pytest.mark.integration


def bugs(replica: Replica) -> list[dict[str, Any]]:
    return [e for e in replica.logs() if e.get("event") == "reconcile_bug" or "Traceback" in str(e.get("line", ""))]


@pytest.mark.fault("an upgrade from the previous bundle", end="older sidecars told and left, new ones are new")
def test_an_upgrade_restarts_nothing(install: Any, cluster: Cluster, kube: Client, namespace: str) -> None:
    installation: Installation = install(imageTags={"goproxy": "v1"})
    replica: Replica = installation.start()
    create(cluster, deployment("older", namespace, **INJECT))
    which = Ref("apps/v1", "Deployment", namespace, "older")
    before = kube.get(which)
    assert image(before).endswith(":v1")

    values = from_mapping(
        {"namespace": installation.namespace, "createNamespace": False, "imageTags": {"goproxy": "v2"}}
    )
    for part in bundle(values):
        kube.apply(part, "installation", force=True)

    def newer() -> bool:
        return image(create(cluster, deployment("newer", namespace, **INJECT), dry_run=True).body).endswith(":v2")

    installation.until(newer, "admission uses the new bundle")
    stale = "speedscale_operator_workloads_stale_objects"
    installation.until(lambda: replica.metric(stale, kind="Deployment") == 1, "the older one is counted")
    installation.until(lambda: any("v2" in text for text in told(kube, namespace, "SidecarStale")), "and told")
    assert kube.get(which)["spec"] == before["spec"]
    assert kube.get(which)["metadata"]["generation"] == before["metadata"]["generation"]

    # an update that is not about the pods restarts none either; one that is brings the new sidecar
    kube.patch(which, {"spec": {"replicas": 3}}, "user")
    assert kube.get(which)["spec"]["template"] == before["spec"]["template"]
    app = [{"op": "replace", "path": f"/spec/template/spec/containers/{_app(before)}/image", "value": "shop:2"}]
    assert image(kube.patch(which, app, "user", kind="json")).endswith(":v2")
    installation.until(lambda: replica.metric(stale, kind="Deployment") == 0, "it is no longer stale")
    assert bugs(replica) == []


def image(workload: Object) -> str:
    """Return the sidecar's image."""
    spec = workload["spec"]["template"]["spec"]
    found = [one["image"] for one in (*spec.get("initContainers", ()), *spec["containers"]) if one["name"] == SIDECAR]
    return str(found[0]) if found else ""


def _app(workload: Object) -> int:
    return [one["name"] for one in workload["spec"]["template"]["spec"]["containers"]].index("app")


def told(kube: Client, namespace: str, reason: str) -> list[str]:
    return [str(one["message"]) for one in kube.list("v1", "Event", namespace) if one.get("reason") == reason]
