"""Admission as an API server sees it: workloads are changed or let through, replays are completed or refused."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from harness.asking import ask
from harness.cluster import Cluster
from harness.operator import Installation
from harness.workloads import INJECT, SIDECAR, containers, create, deployment, replay

from speedscale_controller.replay.names import STATE as MEMORY
from speedscale_kube import Client, Object, Ref

pytestmark = pytest.mark.integration


def test_an_annotated_workload_gets_its_sidecar(operator: Installation, namespace: str, cluster: Cluster) -> None:
    told = create(cluster, deployment("shop", namespace, **INJECT))
    assert told.status == 201, told.message
    assert SIDECAR in containers(told.body), told.warnings
    (replica,) = operator.replicas
    counted = replica.metric("speedscale_operator_admission_verdicts_total", kind="Deployment", verdict="inject")
    assert counted >= 1


def test_a_workload_that_asks_for_nothing_stays_as_it_is(
    operator: Installation, namespace: str, cluster: Cluster
) -> None:
    told = create(cluster, deployment("plain", namespace))
    assert (told.status, told.warnings) == (201, ())
    assert containers(told.body) == ["app"]
    assert "annotations" not in told.body["metadata"] or not told.body["metadata"]["annotations"]


@pytest.mark.fault("a namespace younger than our memory of it", end="waited for; the sidecar is there")
def test_a_namespace_made_just_now_is_waited_for(operator: Installation, kube: Client, cluster: Cluster) -> None:
    for number in range(5):
        name = f"{operator.namespace}-fresh-{number}"
        kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, "tests")
        told = create(cluster, deployment("shop", name, **INJECT))
        kube.delete(Ref("v1", "Namespace", "", name))
        assert SIDECAR in containers(told.body), told.warnings


def test_a_skip_is_told_to_who_asked(operator: Installation, namespace: str, cluster: Cluster) -> None:
    workload = deployment("on-the-node", namespace, **INJECT)
    workload["spec"]["template"]["spec"]["hostNetwork"] = True
    told = create(cluster, workload)
    assert told.status == 201
    assert containers(told.body) == ["app"]
    assert any("hostNetwork" in text for text in told.warnings), told.warnings
    assert all(len(text) <= 256 for text in told.warnings)
    counted = operator.replicas[0].metric("speedscale_operator_admission_verdicts_total", reason="host_network")
    assert counted >= 1


@pytest.mark.fault("dryRun=All", end="answered alike, nothing is written")
def test_a_dry_run_is_answered_alike_and_leaves_no_trace(
    operator: Installation, namespace: str, kube: Client, cluster: Cluster
) -> None:
    told = create(cluster, deployment("rehearsed", namespace, **INJECT), dry_run=True)
    assert told.status == 201
    assert SIDECAR in containers(told.body)
    assert kube.list("apps/v1", "Deployment", namespace) == []
    assert kube.list("v1", "Event", namespace) == []
    assert [secret["metadata"]["name"] for secret in kube.list("v1", "Secret", namespace)] == []


def test_deleting_is_never_in_the_way(operator: Installation, namespace: str, kube: Client, cluster: Cluster) -> None:
    create(cluster, deployment("short-lived", namespace, **INJECT))
    assert kube.delete(Ref("apps/v1", "Deployment", namespace, "short-lived"))


def test_a_replay_is_completed(operator: Installation, namespace: str, kube: Client, cluster: Cluster) -> None:
    told = create(cluster, replay("mode", namespace, workloads=[{"ref": {"name": "shop"}}]), dry_run=True)
    assert told.status == 201, told.message
    assert told.body["spec"]["mode"] == "full-replay"
    assert told.body["spec"]["workloads"] == [{"ref": {"name": "shop"}}]  # git's lists stay git's


def test_completing_is_no_drift(operator: Installation, namespace: str, kube: Client) -> None:
    wanted = replay("applied", namespace, mode="responder-only", snapshotID="a")
    del wanted["spec"]["mode"]
    first = kube.apply(wanted, "gitops")
    assert first["spec"]["mode"] == "full-replay"
    assert kube.apply(wanted, "gitops")["spec"] == first["spec"]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"mode": "full"}, "full-replay"),
        ({"workloads": [{}]}, "exactly one of them"),
        ({"mode": "generator-only"}, "needs somewhere to send the tests"),
        ({"timeout": "ten minutes"}, "spec.timeout"),
    ],
)
def test_a_replay_that_makes_no_sense_is_refused(
    spec: dict[str, Any], said: str, operator: Installation, namespace: str, cluster: Cluster
) -> None:
    told = create(cluster, replay("nonsense", namespace, **spec))
    assert told.status in (400, 422)
    assert said in told.message


def test_cleanup_all_is_warned_of(operator: Installation, namespace: str, cluster: Cluster) -> None:
    told = create(cluster, replay("thorough", namespace, cleanup="all"), dry_run=True)
    assert told.status == 201
    assert told.warnings == ("speedscale: cleanup: all deletes the workload under test when the replay ends",)


def _snapshot(namespace: str) -> Object:
    name = "5f3f1c1e-6a0e-5a42-9d55-0d3a3c3a6f10"
    key = "frontend:payments.shop.svc:8080"
    manifest = {
        "id": name,
        "meta": {"name": "payments"},
        "inTraffic": {key: {"name": "frontend", "hostname": "payments.shop.svc", "port": 8080, "numRequests": 3}},
        "outTraffic": {},
    }
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": f"speedscale-snapshot-{name}",
            "namespace": namespace,
            "labels": {"speedscale.com/snapshot": name},
        },
        "data": {"snapshot.json": json.dumps(manifest), "action.jsonl": "", "reaction.jsonl": ""},
    }


def test_unknown_keys_are_refused_with_the_candidates(operator: Installation, kube: Client, cluster: Cluster) -> None:
    """Where the snapshot lies beside the operator, whose ConfigMaps it may watch."""
    snapshot = _snapshot(operator.namespace)
    kube.apply(snapshot, "tests")
    (replica,) = operator.replicas
    watched = {"process": "admission", "watch": "snapshots"}
    operator.until(lambda: replica.metric("speedscale_operator_watch_objects", **watched) == 1, "the snapshot is known")
    named = {"snapshotID": snapshot["metadata"]["labels"]["speedscale.com/snapshot"]}
    workload = {"ref": {"name": "payments"}, "tests": ["paymets.shop.svc:8080"]}
    told = create(cluster, replay("typo", operator.namespace, workloads=[workload], **named), dry_run=True)
    assert told.status == 422
    assert "frontend:payments.shop.svc:8080" in told.message
    workload["tests"] = ["payments.shop.svc:8080"]
    told = create(cluster, replay("typo", operator.namespace, workloads=[workload], **named), dry_run=True)
    assert told.status == 201, told.message


def test_what_a_started_replay_may_not_change(
    operator: Installation, namespace: str, kube: Client, cluster: Cluster
) -> None:
    kube.create(replay("started", namespace), "tests")
    which = Ref("speedscale.com/v1", "TrafficReplay", namespace, "started")
    operator.until(
        lambda: _status(kube, which, {"startedTime": "2026-01-31T00:00:00Z"}), "its status says that it has started"
    )
    path = f"/apis/speedscale.com/v1/namespaces/{namespace}/trafficreplays/started"
    change = {"spec": {"snapshotID": "another"}}
    told = ask(cluster, "PATCH", path, change, patch="application/merge-patch+json")
    assert told.status == 422
    assert "cannot change once the replay has started" in told.message


def _status(kube: Client, which: Ref, status: dict[str, Any]) -> bool:
    kube.patch(which, {"status": status}, "tests", subresource="status")
    return "startedTime" in kube.get(which).get("status", {})


def test_a_workload_that_is_updated_keeps_what_its_user_changed(
    operator: Installation, namespace: str, kube: Client, cluster: Cluster
) -> None:
    create(cluster, deployment("edited", namespace, **INJECT))
    which = Ref("apps/v1", "Deployment", namespace, "edited")
    change = [{"op": "replace", "path": "/spec/replicas", "value": 3}]
    after = kube.patch(which, change, "user", kind="json")
    assert after["spec"]["replicas"] == 3
    assert SIDECAR in containers(after)
    before = copy.deepcopy(after)
    again = kube.patch(which, change, "user", kind="json")
    assert again["metadata"]["generation"] == before["metadata"]["generation"]  # its version, its controllers change


def test_taking_the_annotation_off_gives_back_the_original(
    operator: Installation, namespace: str, kube: Client, cluster: Cluster
) -> None:
    plain = create(cluster, deployment("twin", namespace)).body["spec"]["template"]
    create(cluster, deployment("fickle", namespace, **INJECT))
    which = Ref("apps/v1", "Deployment", namespace, "fickle")
    after = kube.patch(which, {"metadata": {"annotations": dict.fromkeys(INJECT)}}, "user")
    text = json.dumps(after["spec"]["template"], sort_keys=True).replace("fickle", "twin")
    assert text == json.dumps(plain, sort_keys=True)


def test_the_memory_of_a_replay_is_no_user_s_business(operator: Installation, namespace: str, kube: Client) -> None:
    """An annotation that is no memory of ours is taken as none: admission goes on."""
    broken = replay("scribbled", namespace)
    broken["metadata"]["annotations"] = {MEMORY: "{no json"}
    kube.create(broken, "tests")
    assert kube.apply(deployment("still-fine", namespace, **INJECT), "tests")["kind"] == "Deployment"
