"""Which workloads are kept in memory, and what of each: only those that have to do with us. Pure.

Of ten thousand Deployments in a cluster a few hundred bear our annotations or our containers; of the others nothing is
kept. What a controller makes (a ReplicaSet of a Deployment, a Job of a CronJob) is left out: its owner is what is
mended. Pods are not watched: one that exists cannot be changed, and what makes it is looked at instead.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from speedscale_controller.injection import names, our_containers, pod_template
from speedscale_controller.reconciling import Watched
from speedscale_kube import Object
from speedscale_schemas.annotations import is_ours
from speedscale_schemas.asking.workloads import TEMPLATED, owned


@dataclass(frozen=True, slots=True)
class Kept:
    """One workload. `asks` is a digest of its annotations of ours, `pods` one of its pod template."""

    namespace: str
    asks: str
    pods: str


def kept(obj: Object) -> Kept | None:
    """Return what is kept of a workload; None for one that has nothing to do with us."""
    metadata = obj["metadata"]
    if owned(obj):
        return None
    template = pod_template(obj)
    annotations = {name: text for name, text in (metadata.get("annotations") or {}).items() if is_ours(name)}
    inner = template.get("metadata") or {}
    marked = any(is_ours(name) for name in inner.get("annotations") or {})
    if not annotations and not marked and not any(our_containers(template)):
        return None
    return Kept(str(metadata.get("namespace", "")), _digest(asked(obj)), _digest([inner, template.get("spec")]))


def asked(obj: Object) -> dict[str, str]:
    """Return the annotations by which a workload asks, without those that we put there."""
    written = {names.MANAGED_BY, names.MANAGED_FROM, names.SUT, names.ENV_ID, names.REPORT_ID}
    annotations = obj["metadata"].get("annotations") or {}
    return {name: str(text) for name, text in annotations.items() if is_ours(name) and name not in written}


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _namespace(one: Kept) -> Sequence[Hashable]:
    return (one.namespace,)


WATCHED: Final[tuple[Watched[Kept], ...]] = tuple(
    Watched(f"workloads_{kind.lower()}", version, kind, kept, indexes=(("namespace", _namespace),))
    for kind, version in TEMPLATED.items()
)
"""In every namespace that we work in. Rollouts may be installed later."""
