"""Is a workload up, and why not."""

from __future__ import annotations

from typing import Any

import pytest

from speedscale_controller.components.rollout import Cause, cause, rollout
from speedscale_controller.components.watched import held
from speedscale_controller.drift import STAMP
from speedscale_controller.drift.compare import MANAGER


def workload(kind: str = "Deployment", generation: int = 2, replicas: int = 2, **status: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": "it", "namespace": "ours", "generation": generation},
        "spec": {"replicas": replicas},
        "status": {"observedGeneration": 2, **status},
    }


@pytest.mark.parametrize(
    ("live", "expected"),
    [
        (workload(updatedReplicas=2, availableReplicas=2), Cause.NONE),
        (workload(updatedReplicas=1, availableReplicas=2), Cause.ROLLING),
        (workload(updatedReplicas=2, availableReplicas=1), Cause.ROLLING),
        (workload(), Cause.ROLLING),
        (workload(replicas=0), Cause.NONE),
        (workload(generation=3, updatedReplicas=2, availableReplicas=2), Cause.NOT_SEEN),
        (workload("StatefulSet", updatedReplicas=2, availableReplicas=2), Cause.NONE),
        (workload("DaemonSet", desiredNumberScheduled=3, updatedNumberScheduled=3, numberAvailable=2), Cause.ROLLING),
        (workload("DaemonSet", desiredNumberScheduled=3, updatedNumberScheduled=3, numberAvailable=3), Cause.NONE),
        (workload("DaemonSet"), Cause.NONE),
        (workload("Service", generation=9), Cause.NONE),
        (
            workload(conditions=[{"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}]),
            Cause.REFUSED,
        ),
    ],
)
def test_rollout(live: dict[str, Any], expected: Cause) -> None:
    found = rollout(live)
    assert found.cause is expected
    assert found.up == (expected is Cause.NONE)
    assert bool(found.message) != found.up


def pod(**status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "p"}, "status": status}


def waiting(reason: str) -> dict[str, Any]:
    return {"name": "app", "state": {"waiting": {"reason": reason, "message": "words"}}}


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (pod(containerStatuses=[waiting("ImagePullBackOff")]), Cause.IMAGE),
        (pod(initContainerStatuses=[waiting("CrashLoopBackOff")]), Cause.CRASH),
        (pod(containerStatuses=[waiting("CreateContainerConfigError")]), Cause.CONFIG),
        (pod(containerStatuses=[{"name": "app", "ready": False, "state": {"running": {}}}]), Cause.NOT_READY),
        (pod(conditions=[{"type": "PodScheduled", "status": "False", "message": "0/3 nodes"}]), Cause.UNSCHEDULABLE),
        (pod(phase="Pending"), Cause.UNSCHEDULABLE),
    ],
)
def test_cause(one: dict[str, Any], expected: Cause) -> None:
    found = cause([one])
    assert found is not None
    assert found.cause is expected
    assert found.message.startswith("pod p")


def test_the_first_cause_counts_and_none_is_none() -> None:
    fine = pod(containerStatuses=[{"name": "app", "ready": True, "state": {"running": {}}}])
    assert cause([fine]) is None
    found = cause([fine, pod(phase="Pending"), pod(containerStatuses=[waiting("ErrImagePull")])])
    assert found is not None
    assert found.cause is Cause.IMAGE


def test_what_is_kept_of_an_object() -> None:
    obj = workload(updatedReplicas=1)
    kept = held(obj)
    assert kept is not None
    assert kept.made == ""
    obj["metadata"]["annotations"] = {STAMP: "demo/abc"}
    forged = held(obj)
    assert forged is not None
    assert forged.made == "", "an annotation alone does not make it ours"
    obj["metadata"]["managedFields"] = [{"manager": MANAGER, "operation": "Apply", "fieldsV1": {}}]
    ours = held(obj)
    assert ours is not None
    assert ours.made == "demo"
    obj["status"]["observedGeneration"] = 2
    obj["metadata"] |= {"resourceVersion": "99", "generation": 2}
    assert held(obj) == ours, "what the server counts up is no change"
    obj["spec"]["replicas"] = 3
    assert held(obj) != ours
    bundle = {**obj, "metadata": {**obj["metadata"], "labels": {"controlplane.speedscale.com/bundle": "x"}}}
    assert held(bundle) is None
