"""Kinds of workloads: what users call them, which versions they are asked for in, where their pods are described."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from speedscale_schemas.errors import ConfigError

KINDS: Final[Mapping[str, str]] = {
    "Deployment": "apps/v1",
    "StatefulSet": "apps/v1",
    "DaemonSet": "apps/v1",
    "Rollout": "argoproj.io/v1alpha1",
    "CronJob": "batch/v1",
    "Job": "batch/v1",
    "ReplicaSet": "apps/v1",
    "Pod": "v1",
}
"""Kinds that a sidecar can be put into, in the order in which a name without a kind is looked for."""
TEMPLATED: Final[Mapping[str, str]] = {kind: version for kind, version in KINDS.items() if kind != "Pod"}
"""Kinds that make pods of a template: what is said to them holds for pods to come."""
TARGETS: Final[Mapping[str, str]] = {
    kind: version for kind, version in KINDS.items() if kind in ("Deployment", "StatefulSet", "DaemonSet", "Rollout")
}
"""Kinds that can be under test, with the version they are asked for in. Others cannot be changed, or run once only."""
_SHORT: Final = {
    "deploy": "Deployment",
    "sts": "StatefulSet",
    "ds": "DaemonSet",
    "ro": "Rollout",
    "cj": "CronJob",
    "rs": "ReplicaSet",
    "po": "Pod",
}


def kind_named(word: str) -> str:
    """Return the kind that a user means by `deploy`, `deployments`, `Deployment`; ConfigError for none of them."""
    folded = word.lower()
    by_name = {kind.lower(): kind for kind in KINDS} | {f"{kind.lower()}s": kind for kind in KINDS} | _SHORT
    if folded not in by_name:
        raise ConfigError([f"{word!r} is no kind of workload; there are {', '.join(k.lower() for k in KINDS)}"])
    return by_name[folded]


def split(text: str) -> tuple[str, str]:
    """Return kind (empty where none is given) and name of `deployment/cart` or `cart`; ConfigError otherwise."""
    kind, slash, name = text.rpartition("/")
    if slash and not (kind and name):
        raise ConfigError([f"{text!r}: expected KIND/NAME or NAME, such as deployment/cart"])
    return (kind_named(kind) if slash else ""), name


def owned(obj: Mapping[str, Any]) -> bool:
    """Say whether another object makes this one, and would undo what is changed in it."""
    owners = (obj.get("metadata") or {}).get("ownerReferences") or ()
    return any(isinstance(owner, Mapping) and bool(owner.get("controller")) for owner in owners)
