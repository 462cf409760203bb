"""Rules judge whatever Kubernetes' schemas accept: nothing that may be missing is taken for granted."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from speedscale_manifests.policy import check
from speedscale_manifests.validate import kubernetes
from speedscale_schemas.errors import ConfigError

NEWEST = kubernetes.versions()[-1]
BARE: list[dict[str, Any]] = [
    {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}},
    {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": [{"name": "a"}]}},
    {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}},
    {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"type": "ExternalName"}},
    {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "binaryData": {"x": "aGk="}},
    {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "a"}},
    {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "a"}},
    {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "a"}},
    {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "a"}},
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "a"},
        "rules": [{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}],
    },
    {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "a"},
    },
    {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "a"}},
]


@pytest.mark.parametrize("manifest", BARE, ids=lambda manifest: manifest["kind"])
def test_bare_objects(manifest: dict[str, Any], world: Callable[..., Any]) -> None:
    assert check([manifest])
    check([*world().objects, manifest])


def places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every (mapping or list, key or index) of a manifest."""
    entries = list(node.items()) if isinstance(node, dict) else list(enumerate(node)) if isinstance(node, list) else []
    for key, value in entries:
        yield node, key
        yield from places(value)


@pytest.mark.parametrize("seed", range(40))
def test_objects_with_something_taken_out(seed: int, world: Callable[..., Any]) -> None:
    """Ten things go from the installation; objects that Kubernetes would still take are judged without a crash."""
    rng = random.Random(seed)
    changed = world()
    for _ in range(10):
        manifest = rng.choice(changed.objects)
        if manifest["kind"] == "CustomResourceDefinition":
            continue
        container, key = rng.choice([place for place in places(manifest) if place[1] not in ("kind", "name")])
        del container[key]
    sound = [item for item in changed.objects if item.get("metadata") and not kubernetes.check(item, NEWEST)]
    assert len(sound) > 30
    with suppress(ConfigError):  # a bundle that nobody could read, told with its place
        check(sound)
