"""What injection makes, on a real API server: accepted for all kinds, stable against defaults, given back exactly."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from speedscale_controller.injection import (
    Cluster,
    Facts,
    Inject,
    Installation,
    Leave,
    Namespace,
    Remove,
    ReplayPatch,
    decide,
    patch,
)
from speedscale_kube import Client, Ref
from speedscale_manifests.components.sidecar import COMPONENT
from speedscale_manifests.values import from_mapping

pytestmark = pytest.mark.integration
SIDECAR = "sidecar.speedscale.com"
MANAGER = "tests"
APP = {
    "name": "app",
    "image": "registry.example.com/app:v1",
    "env": [
        {"name": "JAVA_TOOL_OPTIONS", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}},
        {"name": "NO_PROXY", "value": "internal"},
    ],
    "ports": [{"containerPort": 8080}],
    "volumeMounts": [{"name": "data", "mountPath": "/data"}],
}
INIT = {"name": "migrate", "image": "registry.example.com/app:v1"}
WISHES: dict[str, dict[str, str]] = {
    "transparent": {"insert-init-first": "true", "tls-out": "true", "tls-java-tool-options": "true"},
    "dual": {
        "proxy-type": "dual",
        "proxy-protocol": "tcp:http",
        "tls-in-secret": "app-tls",
        "tls-mutual-secret": "app-client",
        "mount-known-ca": "true",
        "diagnostics": "true",
        "extra-container-env-vars": "A=1\nEMPTY=",
        "cpu-limit": "0.5",
        "memory-limit": "1024Mi",
        "prometheus-enable-scrape-annotations": "true",
        "ignore-dst-hosts": "example.com",
    },
}
KINDS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "Pod")
REPLAY = ReplayPatch(
    name="abstract-yucca",
    report_id="r1",
    host_aliases={"pay": "10.0.0.9"},
    routes={"db:5432": "10.0.0.9:5432"},
    trust=True,
)


def facts(namespace: str, **changes: Any) -> Facts:
    (template,) = COMPONENT.templates(from_mapping({}))
    return Facts(
        template=template,
        installation=Installation(namespace="speedscale", instance_id="instance-1", pull_secrets=("registry",)),
        namespace=Namespace(name=namespace),
        **changes,
    )


def workload(kind: str, namespace: str, wish: str) -> dict[str, Any]:
    labels = {"app": "checkout"}
    spec: dict[str, Any] = {
        "initContainers": [INIT],
        "containers": [APP],
        "volumes": [{"name": "data", "emptyDir": {}}],
    }
    annotations = {f"{SIDECAR}/{name}": value for name, value in {"inject": "true", **WISHES[wish]}.items()}
    meta = {"name": f"checkout-{wish}", "namespace": namespace, "annotations": annotations}
    template = {"metadata": {"labels": labels}, "spec": spec}
    if kind == "Pod":
        return {"apiVersion": "v1", "kind": kind, "metadata": {**meta, "labels": labels}, "spec": spec}
    if kind in ("Job", "CronJob"):
        job = {"template": {**template, "spec": {**spec, "restartPolicy": "Never"}}}
        inner = job if kind == "Job" else {"schedule": "0 0 1 1 *", "suspend": True, "jobTemplate": {"spec": job}}
        return {"apiVersion": "batch/v1", "kind": kind, "metadata": meta, "spec": inner}
    inner = {"selector": {"matchLabels": labels}, "template": template}
    if kind == "StatefulSet":
        inner["serviceName"] = "checkout"
    if kind != "DaemonSet":
        inner["replicas"] = 0
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": meta, "spec": inner}


def stored(obj: dict[str, Any]) -> dict[str, Any]:
    """Return what a user would see as the object: without what the server counts and controllers report."""
    made = copy.deepcopy(obj)
    for key in ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"):
        made["metadata"].pop(key, None)
    # the Deployment's controller writes its own annotation
    made["metadata"].get("annotations", {}).pop("deployment.kubernetes.io/revision", None)
    made.pop("status", None)
    return made


@pytest.mark.fault("injected twice, each kind", end="the second time changes nothing")
@pytest.mark.parametrize("wish", WISHES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("version", [(1, 31), (1, 28)], ids=["native", "beside"])
def test_the_api_server_takes_it_and_nothing_is_left_to_do(
    kind: str, wish: str, version: tuple[int, int], kube: Client, namespace: str
) -> None:
    known = facts(namespace, cluster=Cluster(version=version))
    obj = workload(kind, namespace, wish)
    if version < (1, 29) and kind in ("Job", "CronJob"):
        pytest.skip("needs restartable init containers")
    verdict = decide(obj, known)
    assert isinstance(verdict, Inject), verdict
    live = kube.create(verdict.object, MANAGER)
    wanted = decide(live, known)
    assert isinstance(wanted, Leave), patch(live, wanted.object) if isinstance(wanted, Inject) else wanted
    again = decide(live, known, operation="UPDATE")
    assert isinstance(again, Leave)
    assert again.injected


@pytest.mark.fault("injected and taken out, each kind", end="the object is as it was")
@pytest.mark.parametrize("wish", WISHES)
@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "CronJob"])
def test_taken_out_the_object_is_what_it_would_be_without_us(
    kind: str, wish: str, kube: Client, namespace: str
) -> None:
    known = facts(namespace, replay=REPLAY)
    obj = workload(kind, namespace, wish)
    verdict = decide(obj, known)
    assert isinstance(verdict, Inject)
    live = kube.create(verdict.object, MANAGER)
    del live["metadata"]["annotations"][f"{SIDECAR}/inject"]
    taken_out = decide(live, facts(namespace), operation="UPDATE")
    assert isinstance(taken_out, Remove)
    del obj["metadata"]["annotations"][f"{SIDECAR}/inject"]
    other = {**obj, "metadata": {**obj["metadata"], "name": "untouched"}}
    expected = kube.create(other, MANAGER)
    expected["metadata"]["name"] = obj["metadata"]["name"]
    assert stored(taken_out.object) == stored(expected)


def test_a_live_object_is_patched_there_and_back(kube: Client, namespace: str) -> None:
    obj = workload("Deployment", namespace, "transparent")
    ref = Ref("apps/v1", "Deployment", namespace, obj["metadata"]["name"])
    before = kube.create(obj, MANAGER)
    verdict = decide(before, facts(namespace), operation="UPDATE")
    assert isinstance(verdict, Inject)
    after = kube.patch(ref, patch(before, verdict.object), MANAGER, kind="json")
    assert stored(after)["metadata"] == stored(verdict.object)["metadata"]
    after["metadata"]["annotations"][f"{SIDECAR}/inject"] = "false"
    removed = decide(after, facts(namespace), operation="UPDATE")
    assert isinstance(removed, Remove)
    back = kube.patch(ref, patch(after, removed.object), MANAGER, kind="json")
    back["metadata"]["annotations"][f"{SIDECAR}/inject"] = "true"
    assert stored(back)["spec"] == stored(before)["spec"]
    assert json.dumps(stored(back)["spec"], sort_keys=True) == json.dumps(stored(before)["spec"], sort_keys=True)
