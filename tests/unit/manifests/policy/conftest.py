"""An installation whose objects can be spoilt."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import pytest
import yaml

from speedscale_manifests.bundle import bundle, content_hash
from speedscale_manifests.components.inventory import inventory
from speedscale_manifests.objects.emit import emit
from speedscale_manifests.policy import RULES, Finding, check, exempt
from speedscale_manifests.policy.staging import stage
from speedscale_manifests.values import from_mapping

Manifest = dict[str, Any]
EVERYTHING = '{"ebpf": {"enabled": true}, "backend": {"enabled": true}, "operator": {"replicas": 2}}'


@cache
def _objects(tree: str) -> bytes:
    """Return an installation's objects; unpickling copies faster than anything else."""
    values = from_mapping(yaml.safe_load(tree))
    return pickle.dumps([*(item.manifest for item in inventory(values)), *bundle(values)])


class World:
    """The objects of an installation; `spoilt` are those of the rules that are broken."""

    def __init__(self, tree: str = EVERYTHING) -> None:
        self.objects: list[Manifest] = pickle.loads(_objects(tree))
        self.preset = str(yaml.safe_load(tree).get("preset", ""))

    def one(self, kind: str, name: str = "speedscale-operator", namespace: str = "") -> Manifest:
        found = [
            item
            for item in self.objects
            if item["kind"] == kind
            and item["metadata"]["name"] == name
            and (not namespace or item["metadata"].get("namespace") == namespace)
        ]
        assert len(found) == 1, (kind, name)
        return found[0]

    def pod(self, kind: str = "Deployment", name: str = "speedscale-operator") -> Manifest:
        spec: Manifest = self.one(kind, name)["spec"]["template"]["spec"]
        return spec

    def box(self, kind: str = "Deployment", name: str = "speedscale-operator") -> Manifest:
        found: Manifest = self.pod(kind, name)["containers"][0]
        return found

    def security(self) -> Manifest:
        found: Manifest = self.box()["securityContext"]
        return found

    def grant(self, **rule: Any) -> None:
        whole = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"], **rule}
        self.one("ClusterRole")["rules"].append({key: value for key, value in whole.items() if value is not None})

    def drop(self, kind: str, name: str = "speedscale-operator") -> None:
        self.objects.remove(self.one(kind, name))

    def add(self, kind: str, name: str = "extra", **rest: Any) -> None:
        template = self.one("ConfigMap")["metadata"]
        metadata = {**copy.deepcopy(template), "name": name, **rest.pop("metadata", {})}
        self.objects.append({"apiVersion": rest.pop("apiVersion", "v1"), "kind": kind, "metadata": metadata, **rest})

    def rebundle(self, component: str, key: str, change: Callable[[Manifest], Any]) -> None:
        """Change an object inside the bundle as whoever synthesises would, with a hash that fits."""
        box = self.one("ConfigMap", f"speedscale-bundle-{component}")
        manifest = yaml.safe_load(box["data"][key])
        change(manifest)
        box["data"][key] = emit(manifest)
        box["metadata"]["annotations"]["controlplane.speedscale.com/content-hash"] = content_hash(box["data"])

    def findings(self, rule: str) -> list[Finding]:
        """What one rule says, exemptions taken off."""
        (chosen,) = (each for each in RULES if each.id == rule)
        return [finding for finding in chosen.findings(stage(self.objects, self.preset)) if not exempt(finding)]

    def check(self) -> list[Finding]:
        return check(self.objects, self.preset)


@pytest.fixture
def world() -> Callable[..., World]:
    def make(tree: Mapping[str, Any] | None = None) -> World:
        return World(EVERYTHING if tree is None else yaml.safe_dump(dict(tree), default_flow_style=True))

    return make
