"""Facts and workloads that the tests of injection begin with."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from speedscale_controller.injection import Cluster, Facts, Installation, Namespace
from speedscale_manifests.components.sidecar import COMPONENT
from speedscale_manifests.values import from_mapping

Object = dict[str, Any]
SIDECAR = "sidecar.speedscale.com"
KINDS = {
    "Deployment": ("apps/v1", ("spec", "template")),
    "StatefulSet": ("apps/v1", ("spec", "template")),
    "DaemonSet": ("apps/v1", ("spec", "template")),
    "ReplicaSet": ("apps/v1", ("spec", "template")),
    "Rollout": ("argoproj.io/v1alpha1", ("spec", "template")),
    "Job": ("batch/v1", ("spec", "template")),
    "CronJob": ("batch/v1", ("spec", "jobTemplate", "spec", "template")),
    "Pod": ("v1", ()),
}


@cache
def _template(tree: str) -> Object:
    (made,) = COMPONENT.templates(from_mapping({"preset": tree} if tree else {}))
    return made


@pytest.fixture(scope="session")
def facts() -> Facts:
    return Facts(
        template=_template(""),
        # every kind alike, so that one table holds for all; the default has its own test
        installation=Installation(
            namespace="speedscale", instance_id="instance-1", sidecar_config={"nativeSidecars": "auto"}
        ),
        namespace=Namespace(name="shop"),
        cluster=Cluster(version=(1, 31)),
    )


@pytest.fixture(scope="session")
def facts_of(facts: Facts) -> Callable[..., Facts]:
    """Return facts with changes: fields of Facts, and of its parts by their own names."""

    def made(preset: str = "", **changes: Any) -> Facts:
        found = facts if not preset else replace(facts, template=_template(preset))
        for name, value in changes.items():
            if name in ("template", "replay"):
                found = replace(found, **{name: value})
                continue
            part = next(p for p in ("installation", "namespace", "cluster") if hasattr(getattr(found, p), name))
            found = replace(found, **{part: replace(getattr(found, part), **{name: value})})
        return found

    return made


class Shop:
    """Workloads, and what a test asks of them."""

    @staticmethod
    def workload(kind: str = "Deployment", *, spec: Mapping[str, Any] | None = None, **annotations: str) -> Object:
        """Return a workload; keywords are annotations of the sidecar, `_` for `-`. `spec` is merged into the pod's."""
        version, path = KINDS[kind]
        pod: Object = {
            "metadata": {"labels": {"app": "checkout"}},
            "spec": {"containers": [{"name": "app", "image": "shop/checkout:v1"}], **(spec or {})},
        }
        if kind in ("Job", "CronJob"):
            pod["spec"].setdefault("restartPolicy", "Never")
        meta: Object = {"name": "checkout", "namespace": "shop"}
        if annotations:
            meta["annotations"] = {f"{SIDECAR}/{k.replace('_', '-')}": v for k, v in annotations.items()}
        if not path:
            return {"apiVersion": version, "kind": kind, **pod, "metadata": {**pod["metadata"], **meta}}
        inner: Any = copy.deepcopy(pod)
        for key in reversed(path):
            inner = {key: inner}
        if kind not in ("Job", "CronJob"):
            inner["spec"]["selector"] = {"matchLabels": {"app": "checkout"}}
        if kind == "CronJob":
            inner["spec"]["schedule"] = "0 * * * *"
        if kind == "StatefulSet":
            inner["spec"]["serviceName"] = "checkout"
        return {"apiVersion": version, "kind": kind, "metadata": meta, **inner}

    @staticmethod
    def template_of(obj: Mapping[str, Any]) -> Any:
        """Return what holds the pod's metadata and spec."""
        found: Any = obj
        for key in KINDS[str(obj["kind"])][1]:
            found = found[key]
        return found

    @staticmethod
    def without_inject(obj: Mapping[str, Any]) -> Object:
        """Return a copy that asks for nothing."""
        made = copy.deepcopy(dict(obj))
        annotations = made["metadata"]["annotations"]
        annotations.pop(f"{SIDECAR}/inject")
        return made

    @staticmethod
    def container_of(obj: Mapping[str, Any], name: str) -> Any:
        """Return a container of the pod by its name, wherever it stands."""
        spec = Shop.template_of(obj)["spec"]
        return next(c for c in [*(spec.get("initContainers") or ()), *spec["containers"]] if c["name"] == name)

    @staticmethod
    def env_of(container: Mapping[str, Any]) -> dict[str, Any]:
        """Return a container's variables: their values, else what they come from."""
        return {e["name"]: e.get("value", e.get("valueFrom", "")) for e in container.get("env") or ()}


@pytest.fixture(scope="session")
def shop() -> type[Shop]:
    return Shop
