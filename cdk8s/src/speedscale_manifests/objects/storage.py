"""Volumes that survive their pod."""

from __future__ import annotations

from typing import Any, Protocol

from speedscale_manifests.values import Values

from .identity import metadata, selector
from .manifest import Manifest


class Persistence(Protocol):
    """What the values say about a volume."""

    @property
    def enabled(self) -> bool: ...
    @property
    def size(self) -> Any: ...
    @property
    def storage_class_name(self) -> str: ...
    @property
    def access_mode(self) -> str: ...


def _spec(persistence: Persistence) -> Manifest:
    spec: Manifest = {
        "accessModes": [persistence.access_mode],
        "resources": {"requests": {"storage": str(persistence.size)}},
    }
    if persistence.storage_class_name:
        spec["storageClassName"] = persistence.storage_class_name
    return spec


def claim(values: Values, component: str, persistence: Persistence, *, name: str = "") -> Manifest:
    """Return a PersistentVolumeClaim; without a class it gets the cluster's default."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata(values, component, name),
        "spec": _spec(persistence),
    }


def claim_template(component: str, persistence: Persistence, name: str) -> Manifest:
    """Return a StatefulSet's claim template.

    It bears the selector's labels only: the template cannot be changed later, and a version label would.
    """
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "labels": selector(component)},
        "spec": _spec(persistence),
    }


def volume(name: str, claim_name: str, persistence: Persistence) -> Manifest:
    """Return the pod's volume: the claim, or an emptyDir of the same size where there is no persistence."""
    if persistence.enabled:
        return {"name": name, "persistentVolumeClaim": {"claimName": claim_name}}
    return {"name": name, "emptyDir": {"sizeLimit": str(persistence.size)}}
