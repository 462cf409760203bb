"""Objects that the tests of upgrades begin from; each call returns new ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Manifest = dict[str, Any]
Make = Callable[..., Manifest]


@pytest.fixture
def deployment() -> Make:
    def make(name: str = "forwarder", namespace: str = "speedscale", image: str = "forwarder:1") -> Manifest:
        labels = {"app": name}
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": dict(labels)},
                "template": {
                    "metadata": {"labels": dict(labels)},
                    "spec": {
                        "serviceAccountName": name,
                        "containers": [
                            {
                                "name": "main",
                                "image": image,
                                "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                                "volumeMounts": [{"name": "spool", "mountPath": "/spool"}],
                            }
                        ],
                        "volumes": [{"name": "spool", "emptyDir": {}}],
                    },
                },
            },
        }

    return make


@pytest.fixture
def claim() -> Make:
    def make(name: str = "spool", size: str = "2Gi", **spec: Any) -> Manifest:
        return {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": name, "namespace": "speedscale"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}, **spec},
        }

    return make


@pytest.fixture
def definition() -> Make:
    def make(properties: Manifest, required: list[str] | None = None, **version: Any) -> Manifest:
        schema = {
            "type": "object",
            "properties": {"spec": {"type": "object", "properties": properties, "required": required or []}},
        }
        return {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": "trafficreplays.speedscale.com"},
            "spec": {
                "group": "speedscale.com",
                "scope": "Namespaced",
                "names": {"kind": "TrafficReplay", "plural": "trafficreplays"},
                "versions": [
                    {
                        "name": "v1",
                        "served": True,
                        "storage": True,
                        "schema": {"openAPIV3Schema": schema},
                        **version,
                    }
                ],
            },
        }

    return make


@pytest.fixture
def rights() -> Callable[..., list[Manifest]]:
    """A role of given rules, bound to one service account; cluster-wide without a namespace."""

    def make(rules: list[Manifest], namespace: str = "speedscale", role: str = "operator") -> list[Manifest]:
        prefix = "" if namespace else "Cluster"
        space = {"namespace": namespace} if namespace else {}
        group = "rbac.authorization.k8s.io"
        return [
            {
                "apiVersion": f"{group}/v1",
                "kind": f"{prefix}Role",
                "metadata": {"name": role, **space},
                "rules": rules,
            },
            {
                "apiVersion": f"{group}/v1",
                "kind": f"{prefix}RoleBinding",
                "metadata": {"name": role, **space},
                "roleRef": {"apiGroup": group, "kind": f"{prefix}Role", "name": role},
                "subjects": [{"kind": "ServiceAccount", "name": "operator", "namespace": "speedscale"}],
            },
        ]

    return make
