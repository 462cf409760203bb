"""Namespaces that go while we work in them: nothing is stuck, nothing is left."""

from __future__ import annotations

from typing import Any

import pytest
from harness.cluster import Cluster
from harness.operator import Installation, Replica
from harness.replaying import Shop
from harness.workloads import INJECT, SIDECAR, containers, create, deployment

from speedscale_kube import Client, Ref

pytestmark = pytest.mark.integration


def bugs(replica: Replica) -> list[dict[str, Any]]:
    return [e for e in replica.logs() if e.get("event") == "reconcile_bug" or "Traceback" in str(e.get("line", ""))]


@pytest.mark.fault("a namespace with sidecars and a running replay is deleted", end="it is gone, nothing is left")
@pytest.mark.parametrize("state", ["CollectorUp", "GeneratorRunning"])
def test_a_namespace_is_deleted(
    operator: Installation, cluster: Cluster, kube: Client, namespace: str, state: str
) -> None:
    (replica,) = operator.replicas
    going = f"{namespace}-going"
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": going}}, "tests")
    shop = Shop(kube, going, operator.namespace).furnish()
    assert SIDECAR in containers(create(cluster, deployment("other", going, **INJECT)).body)
    shop.replay()

    def there() -> bool:
        hold = {"CollectorUp": "responder"}.get(state, "")
        shop.play(None, hold=hold)
        return shop.condition("Running").get("reason") == state

    operator.until(there, f"the replay is in {state}", 60.0)
    kube.delete(Ref("v1", "Namespace", "", going))

    def gone() -> bool:
        for pod in kube.list("v1", "Pod", going):  # what a kubelet does with pods that are to end
            if "deletionTimestamp" in pod["metadata"]:
                cluster.kubectl("delete", "pod", pod["metadata"]["name"], "-n", going, "--force", "--ignore-not-found")
        return kube.find(Ref("v1", "Namespace", "", going)) is None

    operator.until(gone, "the namespace is gone", 90.0)
    operator.until(lambda: shop.inventory() == [], "nothing of the replay is left beside the operator")
    assert bugs(replica) == []
