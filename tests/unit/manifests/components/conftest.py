"""Objects by kind and name, for tests of components."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest

from speedscale_manifests.components.component import Component
from speedscale_manifests.validate import kubernetes
from speedscale_manifests.values import Values, from_mapping

Manifest = dict[str, Any]
OLDEST_AND_NEWEST = (kubernetes.versions()[0], kubernetes.versions()[-1])


class Objects:
    """What a component makes of some values, to be asked for by kind and name."""

    def __init__(self, component: Component, tree: Mapping[str, Any]) -> None:
        self.values: Values = from_mapping(tree)
        assert component.enabled(self.values)
        self.identity = list(component.identity(self.values))
        self.managed = list(component.managed(self.values))
        self.templates = list(component.templates(self.values))

    @property
    def all(self) -> list[Manifest]:
        return [*self.identity, *self.managed, *self.templates]

    def kinds(self) -> list[str]:
        return [f"{m['kind']}/{m['metadata']['name']}" for m in self.all]

    def one(self, kind: str, name: str = "", namespace: str = "") -> Manifest:
        found = [
            m
            for m in self.all
            if m["kind"] == kind
            and (not name or m["metadata"]["name"] == name)
            and (not namespace or m["metadata"].get("namespace") == namespace)
        ]
        assert len(found) == 1, (kind, name, self.kinds())
        return found[0]

    def none(self, kind: str) -> bool:
        return all(m["kind"] != kind for m in self.all)

    def pod(self, kind: str, name: str = "") -> Manifest:
        spec: Manifest = self.one(kind, name)["spec"]["template"]["spec"]
        return spec


def container_of(pod: Manifest, name: str = "") -> Manifest:
    """Return a container by name; the only one without."""
    found = [c for c in [*pod.get("initContainers", ()), *pod["containers"]] if not name or c["name"] == name]
    assert len(found) == 1
    return dict(found[0])


def environment(container: Manifest) -> dict[str, str]:
    """Return a container's variables; a field of the pod stands for itself."""
    found: dict[str, str] = {}
    for item in container.get("env", ()):
        assert item["name"] not in found
        found[item["name"]] = item["value"] if "value" in item else str(item["valueFrom"])
    return found


def rights(roles: Iterable[Manifest]) -> set[tuple[str, str, str]]:
    """Return (group, resource, verb) of every rule."""
    return {
        (group, resource, verb)
        for role in roles
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def problems(manifests: Iterable[Manifest], versions: Iterable[str] = OLDEST_AND_NEWEST) -> list[str]:
    """Return what the oldest and the newest Kubernetes would refuse."""
    found = []
    for manifest in manifests:
        for version in versions:
            wrong = kubernetes.check(manifest, version)
            if wrong is None:
                assert "." in str(manifest["apiVersion"]).partition("/")[0], manifest["kind"]
                continue
            found += [f"{version} {manifest['kind']}: {p}" for p in wrong]
    return found


@pytest.fixture
def build() -> Callable[..., Objects]:
    return lambda component, **tree: Objects(component, tree)


@pytest.fixture(name="container_of")
def _container_of() -> Callable[..., Manifest]:
    return container_of


@pytest.fixture(name="environment")
def _environment() -> Callable[[Manifest], dict[str, str]]:
    return environment


@pytest.fixture(name="rights")
def _rights() -> Callable[[Iterable[Manifest]], set[tuple[str, str, str]]]:
    return rights


@pytest.fixture(name="problems")
def _problems() -> Callable[..., list[str]]:
    return problems
