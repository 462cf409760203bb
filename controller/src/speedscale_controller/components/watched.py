"""What of managed components is kept in memory: enough to know that one is to be looked at again. Pure.

The objects themselves are read when a component is reconciled. What is kept is a digest of what can drift, how far a
workload's rollout is, and whether we made it. Server-side apply records that (`metadata.managedFields`), and our stamp
says for which component, so the inventory is on the objects and no list of ours can be lost.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Final

from speedscale_controller.drift import STAMP
from speedscale_controller.drift.compare import MANAGER
from speedscale_controller.reconciling import Scope, Watched
from speedscale_controller.reconciling.live import BUNDLE_LABEL
from speedscale_kube import Object, Ref
from speedscale_kube.compare import entries

from .rollout import rollout

PART_OF: Final = "app.kubernetes.io/part-of=speedscale"
_SERVER: Final = frozenset({"managedFields", "resourceVersion", "generation", "creationTimestamp", "selfLink"})


@dataclass(frozen=True, slots=True)
class Held:
    """One object of some component. `made`: of which component we applied it, if we did. `rollout`: status in words."""

    ref: Ref
    made: str
    digest: str
    rollout: str


def held(obj: Object) -> Held | None:
    """Return what is kept of an object; None for the bundle itself."""
    metadata = obj["metadata"]
    labels = metadata.get("labels") or {}
    if BUNDLE_LABEL in labels:
        return None
    which = Ref(obj["apiVersion"], obj["kind"], metadata.get("namespace", ""), metadata["name"])
    ours = any(entry.manager == MANAGER and entry.operation == "Apply" for entry in entries(obj))
    made = str((metadata.get("annotations") or {}).get(STAMP, "")).partition("/")[0] if ours else ""
    return Held(which, made, _digest(obj), rollout(obj).message)


def _digest(obj: Object) -> str:
    metadata = {key: value for key, value in obj["metadata"].items() if key not in _SERVER}
    content = {**{key: value for key, value in obj.items() if key != "status"}, "metadata": metadata}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()[:32]


KINDS: Final[tuple[Watched[Held], ...]] = tuple(
    Watched(f"components_{kind.lower()}", api_version, kind, held, scope=Scope.OWN, labels=PART_OF, limit=1000)
    for api_version, kind in (
        ("apps/v1", "Deployment"),
        ("apps/v1", "StatefulSet"),
        ("apps/v1", "DaemonSet"),
        ("v1", "Service"),
        ("v1", "ConfigMap"),
        ("v1", "PersistentVolumeClaim"),
        ("networking.k8s.io/v1", "NetworkPolicy"),
        ("policy/v1", "PodDisruptionBudget"),
    )
)
"""The kinds that managed components are made of, in the installation's namespace."""
