"""Workloads and replays as users write them, created in a way that shows warnings."""

from __future__ import annotations

from typing import Any

from speedscale_kube import Object

from .asking import Told, ask
from .cluster import Cluster

SIDECAR = "speedscale-goproxy"
INJECT = {"sidecar.speedscale.com/inject": "true"}


def deployment(name: str, namespace: str, **annotations: str) -> Object:
    pod = {"containers": [{"name": "app", "image": "registry.example.com/app:1", "ports": [{"containerPort": 8080}]}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "annotations": annotations},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": pod},
        },
    }


def replay(name: str, namespace: str, **spec: Any) -> Object:
    given = {"snapshotID": "none-such", "testConfigID": "standard", **spec}
    return {
        "apiVersion": "speedscale.com/v1",
        "kind": "TrafficReplay",
        "metadata": {"name": name, "namespace": namespace},
        "spec": given,
    }


def create(cluster: Cluster, obj: Object, *, dry_run: bool = False) -> Told:
    group = f"/apis/{obj['apiVersion']}" if "/" in obj["apiVersion"] else f"/api/{obj['apiVersion']}"
    plural = obj["kind"].lower() + "s"
    path = f"{group}/namespaces/{obj['metadata']['namespace']}/{plural}"
    return ask(cluster, "POST", path, obj, dry_run=dry_run)


def containers(workload: Object) -> list[str]:
    spec = workload["spec"]["template"]["spec"]
    return [one["name"] for one in (*spec.get("initContainers", ()), *spec["containers"])]
