"""Templates, filled, on a real API server: accepted, and applying them again changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from speedscale_kube import Client
from speedscale_manifests.components.inventory import COMPONENTS
from speedscale_manifests.objects import Manifest
from speedscale_manifests.values import from_mapping
from speedscale_schemas.templates import examples, fill

MANAGER = "speedscale-operator"
TREES: Mapping[str, dict[str, Any]] = {
    "default": {},
    "privileged": {"privilegedSidecars": True, "sidecar": {"observeDns": True}},
    "autopilot": {"preset": "gke-autopilot"},
    "bare": {"networkPolicies": {"enabled": False}, "dlp": {"enabled": False}},
}
APPLICATION = {"name": "application", "image": "registry.example.com/application:v1"}


def filled(namespace: str, tree: Mapping[str, Any], **known: Any) -> Iterator[Manifest]:
    """Yield all templates as one replay in `namespace` has them; our own namespace is the same."""
    values = from_mapping({**tree, "namespace": namespace})
    given = {**examples(), "namespace": namespace, "owner_references": None, "sidecar_restart_policy": None, **known}
    for component in COMPONENTS:
        for template in component.templates(values):
            yield fill(template, given)


def native(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return a pod's spec in which the proxy is a restartable init container."""
    inits = [*spec.get("initContainers", ()), *spec["containers"]]
    return {**spec, "initContainers": inits, "containers": [APPLICATION]}


def plain(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return a pod's spec in which the proxy stands beside the application."""
    return {**spec, "containers": [*spec["containers"], APPLICATION]}


def ours(obj: Mapping[str, Any]) -> tuple[object, ...]:
    """Return what a write of ours would change; controllers write a status meanwhile, so no resourceVersion."""
    meta = obj["metadata"]
    (fields,) = [f for f in meta["managedFields"] if f["manager"] == MANAGER]
    return meta["uid"], meta.get("generation"), fields


@pytest.mark.parametrize("tree", TREES.values(), ids=TREES)
def test_all_are_accepted_and_stay_as_they_are(kube: Client, namespace: str, tree: dict[str, Any]) -> None:
    objects = list(filled(namespace, tree))
    first = [ours(kube.apply(m, MANAGER, strict=True)) for m in objects]
    second = [ours(kube.apply(m, MANAGER, strict=True)) for m in objects]
    assert len(objects) >= 7
    assert first == second


@pytest.mark.parametrize("pods", [1, 3])
def test_a_job_of_one_pod_and_an_indexed_one(kube: Client, namespace: str, pods: int) -> None:
    mode = "Indexed" if pods > 1 else "NonIndexed"
    objects = filled(namespace, {}, generator_pods=pods, generator_completion_mode=mode)
    (job,) = [m for m in objects if m["kind"] == "Job"]
    assert kube.apply(job, MANAGER)["spec"]["completionMode"] == mode


def test_the_longest_names_are_accepted(kube: Client, namespace: str) -> None:
    name = "a" + "b" * 39
    for manifest in filled(namespace, {}, replay_name=name, service_suffix=f"-{name}"):
        kube.apply(manifest, MANAGER)


@pytest.mark.parametrize("tree", TREES.values(), ids=TREES)
@pytest.mark.parametrize("kind", ["native", "plain"])
def test_pods_with_the_sidecar_are_accepted(kube: Client, namespace: str, tree: dict[str, Any], kind: str) -> None:
    restart = "Always" if kind == "native" else None
    (template,) = [m for m in filled(namespace, tree, sidecar_restart_policy=restart) if m["kind"] == "PodTemplate"]
    spec = template["template"]["spec"]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "application",
            "namespace": namespace,
            "labels": template["template"]["metadata"]["labels"],
        },
        "spec": native(spec) if kind == "native" else plain(spec),
    }
    made = kube.create(pod, MANAGER)
    assert "speedscale-goproxy" in str(made["spec"])


@pytest.mark.parametrize(
    "tree",
    [
        {"backend": {"enabled": True}, "ebpf": {"enabled": True}},
        {"forwarder": {"replicas": 3}, "ebpf": {"enabled": True}, "cloudProvider": "gcp"},
        {"preset": "eks-fargate", "backend": {"enabled": True}},
        {"preset": "bottlerocket", "ebpf": {"enabled": True}, "namespaceSelector": ["shop"]},
    ],
    ids=["everything", "replicas", "fargate", "bottlerocket"],
)
def test_managed_objects_are_accepted_and_stay_as_they_are(kube: Client, namespace: str, tree: dict[str, Any]) -> None:
    values = from_mapping({**tree, "namespace": namespace})
    chosen = [c for c in COMPONENTS if c.enabled(values) and c.name not in ("base", "crd")]
    made = [m for c in chosen for m in (*c.identity(values), *c.managed(values))]
    objects = [m for m in made if m["metadata"].get("namespace") == namespace]
    first = [ours(kube.apply(m, MANAGER, strict=True)) for m in objects]
    second = [ours(kube.apply(m, MANAGER, strict=True)) for m in objects]
    assert first == second
    assert {"Deployment", "ConfigMap", "Service"} <= {m["kind"] for m in objects}
