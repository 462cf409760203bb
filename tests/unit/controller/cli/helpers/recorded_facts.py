"""Recorded facts: a small installation that works, out of the synthesised manifests, to be broken one way at a time."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from speedscale_controller.cli import installed
from speedscale_controller.cli.diagnosis.model import Facts
from speedscale_manifests.bundle import bundle
from speedscale_manifests.components.inventory import inventory
from speedscale_manifests.values import from_mapping

Object = dict[str, Any]
NOW = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)
INSTANCE = "0d3c5a58-8c2a-4e5c-9d3e-111111111111"


@cache
def _manifests() -> tuple[Object, ...]:
    return tuple(item.manifest for item in inventory(from_mapping({})))


@cache
def _bundles() -> tuple[Object, ...]:
    return tuple(bundle(from_mapping({})))


def manifests(kind: str) -> list[Object]:
    """Return the synthesised objects of a kind, to be changed."""
    return [copy.deepcopy(m) for m in _manifests() if m["kind"] == kind]


def manifest(kind: str, name: str) -> Object:
    return next(m for m in manifests(kind) if m["metadata"]["name"] == name)


def bundles() -> list[Object]:
    return copy.deepcopy(list(_bundles()))


def operator(**status: int) -> Object:
    found = manifest("Deployment", "speedscale-operator")
    found["status"] = {"availableReplicas": 1, "readyReplicas": 1, **status}
    return found


def assembled(**maps: Mapping[str, str]) -> installed.Installed:
    """Return the installation; `maps` replace ConfigMaps (override) or their data."""
    found = {
        "speedscale-operator": manifest("ConfigMap", "speedscale-operator"),
        "speedscale-operator-state": {"metadata": {}, "data": {"INSTANCE_ID": INSTANCE}},
    }
    for name, data in maps.items():
        found[f"speedscale-operator{'' if name == 'base' else f'-{name}'}"] = {"metadata": {}, "data": dict(data)}
    return installed.assemble("speedscale", operator(), found, bundles())


@cache
def _good() -> installed.Installed:
    return assembled()


def named(kind: str, name: str, namespace: str = "", **rest: Any) -> Object:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    for key in ("labels", "annotations", "finalizers", "deletionTimestamp", "ownerReferences"):
        if key in rest:
            metadata[key] = rest.pop(key)
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **rest}


def webhooks(namespace: str = "speedscale") -> list[Object]:
    found = [*manifests("MutatingWebhookConfiguration"), *manifests("ValidatingWebhookConfiguration")]
    for obj in found:
        for hook in obj["webhooks"]:
            hook["clientConfig"]["service"]["namespace"] = namespace
    return found


Recorded = Callable[..., Facts]


def ago(**delta: float) -> str:
    """Return a timestamp of the API that long before NOW."""
    return (NOW - timedelta(**delta)).strftime("%Y-%m-%dT%H:%M:%SZ")


def record(sources: Mapping[str, Sequence[Object]] | None = None, **fields: Any) -> Facts:
    """Return facts: sources by name over those of a good installation, and the other fields of Facts."""
    objects: dict[str, Sequence[Object]] = {
        "namespaces": [named("Namespace", "speedscale"), named("Namespace", "shop")],
        "webhooks": webhooks(),
        "operators": [operator()],
        **(sources or {}),
    }
    fields.setdefault("installed", _good())
    return Facts(**{"now": NOW, "namespace": "speedscale", "version": "v1.34.4", **fields}, objects=objects)
