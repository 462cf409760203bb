"""Fields that an API server refuses to change, by kind, and how an object with such a change is brought through.

Called by `compare`. A table: a kind has patterns of paths that may not change, or of those that alone may. Pure.
Source: the update validations of Kubernetes (`pkg/apis/*/validation`) as its API reference documents them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .model import Change, Key, Manifest, Risk


@dataclass(frozen=True, slots=True)
class Rule:
    """What may not change of a kind: paths under `frozen`, or everything under `spec` but `free`.

    A path matches when it equals a pattern or lies below it. `remedy` has the gaps {namespace} and {name}.
    """

    frozen: tuple[str, ...] = ()
    free: tuple[str, ...] = ()
    remedy: str = ""

    def holds(self, path: str) -> bool:
        """Return whether the field at `path` cannot be changed in place."""
        if any(_under(path, prefix) for prefix in self.frozen):
            return True
        return bool(self.free) and _under(path, "spec") and not any(_under(path, prefix) for prefix in self.free)


_ORPHAN = (
    "delete it and leave its pods: kubectl -n {namespace} delete {kind} {name} --cascade=orphan; "
    "then apply, and delete the orphaned pods once the new ones are ready"
)
_AGAIN = "delete and apply again: kubectl -n {namespace} delete {kind} {name}; it is made anew by the next sync"
_CLUSTER = "delete and apply again: kubectl delete {kind} {name}; it is made anew by the next sync"
_BRIEF = "rights are missing for the moment between: "
_VOLUME = (
    "a claim cannot be changed: copy the data to a new claim under another name, or delete the claim (its volume "
    "goes with it unless the reclaim policy is Retain) and apply again"
)

RULES: dict[tuple[str, str], Rule] = {
    ("apps", "Deployment"): Rule(frozen=("spec.selector",), remedy=_ORPHAN),
    ("apps", "ReplicaSet"): Rule(frozen=("spec.selector",), remedy=_ORPHAN),
    ("apps", "DaemonSet"): Rule(frozen=("spec.selector",), remedy=_ORPHAN),
    ("apps", "StatefulSet"): Rule(
        free=(
            "spec.replicas",
            "spec.template",
            "spec.updateStrategy",
            "spec.persistentVolumeClaimRetentionPolicy",
            "spec.minReadySeconds",
            "spec.ordinals",
        ),
        remedy=_ORPHAN + "; claims of its pods stay",
    ),
    ("batch", "Job"): Rule(
        free=(
            "spec.parallelism",
            "spec.suspend",
            "spec.activeDeadlineSeconds",
            "spec.backoffLimit",
            "spec.ttlSecondsAfterFinished",
        ),
        remedy=_AGAIN + " (a hook with BeforeHookCreation does that by itself)",
    ),
    ("", "Service"): Rule(
        frozen=("spec.clusterIP", "spec.clusterIPs", "spec.ipFamilies[0]"),
        remedy=_AGAIN + "; it gets another address, so clients that hold the old one must look it up again",
    ),
    ("", "PersistentVolumeClaim"): Rule(
        free=("spec.resources.requests.storage", "spec.volumeAttributesClassName"), remedy=_VOLUME
    ),
    ("", "PersistentVolume"): Rule(frozen=("spec.claimRef", "spec.csi", "spec.hostPath", "spec.nfs"), remedy=_CLUSTER),
    ("", "Pod"): Rule(
        free=("spec.activeDeadlineSeconds", "spec.tolerations", "spec.terminationGracePeriodSeconds"), remedy=_AGAIN
    ),
    ("", "Secret"): Rule(frozen=("type",), remedy=_AGAIN),
    ("rbac.authorization.k8s.io", "RoleBinding"): Rule(frozen=("roleRef",), remedy=_BRIEF + _AGAIN),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): Rule(frozen=("roleRef",), remedy=_BRIEF + _CLUSTER),
    ("storage.k8s.io", "StorageClass"): Rule(
        frozen=("provisioner", "parameters", "reclaimPolicy", "volumeBindingMode"), remedy=_CLUSTER
    ),
    ("storage.k8s.io", "CSIDriver"): Rule(frozen=("spec.attachRequired", "spec.volumeLifecycleModes"), remedy=_CLUSTER),
    ("scheduling.k8s.io", "PriorityClass"): Rule(frozen=("value", "preemptionPolicy"), remedy=_CLUSTER),
    ("node.k8s.io", "RuntimeClass"): Rule(frozen=("handler",), remedy=_CLUSTER),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): Rule(
        frozen=("spec.scope", "spec.names.kind", "spec.names.plural", "spec.group"),
        remedy=(
            "the definition would have to be deleted, and every object of its kind with it: save them first "
            "(kubectl get {name} -A -o yaml), and restore them afterwards"
        ),
    ),
}
_SEALED = Rule(frozen=("data", "stringData", "binaryData", "immutable"), remedy=_AGAIN + ", or give it another name")
_IMAGE = re.compile(r"spec\.(initContainers|containers)\[[^\]]*\]\.image")


def judge(key: Key, change: Change, old: Manifest) -> tuple[Risk, str]:
    """Return the risk of a changed field and how to bring it through; (NONE, "") when it can be changed in place."""
    rule = RULES.get((key.group, key.kind))
    if (
        key.kind in ("Secret", "ConfigMap")
        and not key.group
        and old.get("immutable") is True
        and _SEALED.holds(change.path)
    ):
        return Risk.RECREATE, "immutable: " + _worded(_SEALED.remedy, key)
    if rule is not None and rule.holds(change.path) and not (key.kind == "Pod" and _IMAGE.fullmatch(change.path)):
        risk = Risk.LOSS if key.kind in ("PersistentVolumeClaim", "CustomResourceDefinition") else Risk.RECREATE
        return risk, "immutable: " + _worded(rule.remedy, key)
    if key.kind == "PersistentVolumeClaim" and change.path == "spec.resources.requests.storage":
        return _resized(change)
    return Risk.NONE, ""


def _under(path: str, prefix: str) -> bool:
    return path == prefix or (path.startswith(prefix) and path[len(prefix)] in ".[ ")


def _worded(remedy: str, key: Key) -> str:
    return remedy.format(namespace=key.namespace or "default", kind=key.kind.lower(), name=key.name)


def _resized(change: Change) -> tuple[Risk, str]:
    old, new = quantity(change.old), quantity(change.new)
    if old is not None and new is not None and new < old:
        return Risk.LOSS, "a claim cannot shrink: " + _VOLUME
    return Risk.NOTE, "grows only where the StorageClass has allowVolumeExpansion: true; else the change is refused"


_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15, "E": 10**18, "m": 10**-3}
_UNITS |= {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60}
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)([A-Za-z]*)")


def quantity(value: object) -> float | None:
    """Return a Kubernetes quantity as a number, None when it is none."""
    match = _QUANTITY.fullmatch(str(value))
    return float(match[1]) * _UNITS[match[2]] if match and match[2] in _UNITS else None
