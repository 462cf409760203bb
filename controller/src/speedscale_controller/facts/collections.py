"""The collections that facts are made of, and what is kept of each object. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from speedscale_controller.certificates.names import ADOPTED, INSTANCE_ID, STATE
from speedscale_controller.injection import Limits, Quota
from speedscale_controller.reconciling import Scope, Watched
from speedscale_controller.replay import ALLOW_FROM, Hold, hold
from speedscale_controller.settings import Settings
from speedscale_kube import Object
from speedscale_schemas import trafficreplay

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Labelled:
    """A Namespace as far as it decides."""

    labels: Pairs
    annotations: Pairs
    deleting: bool


def _labelled(obj: Object) -> Labelled:
    metadata = obj["metadata"]
    labels, annotations = (tuple(sorted((metadata.get(key) or {}).items())) for key in ("labels", "annotations"))
    return Labelled(labels, annotations, "deletionTimestamp" in metadata)


@dataclass(frozen=True, slots=True)
class InNamespace:
    """Quotas or limits of one object, with where it is."""

    namespace: str
    found: tuple[Any, ...]


def _quota(obj: Object) -> InNamespace:
    return InNamespace(obj["metadata"].get("namespace", ""), (Quota.of(obj),))


def _limits(obj: Object) -> InNamespace:
    return InNamespace(obj["metadata"].get("namespace", ""), Limits.all_of(obj))


def _by_namespace(kept: InNamespace) -> Sequence[Hashable]:
    return (kept.namespace,)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who we are: our id, and those of installations that were taken over."""

    id: str = ""
    adopted: frozenset[str] = frozenset()

    @classmethod
    def of(cls, state: Object | None) -> Identity:
        """Return what ConfigMap `speedscale-operator-state` says; nobody where it is not there."""
        data = (state or {}).get("data") or {}
        return cls(str(data.get(INSTANCE_ID, "")).strip(), frozenset(str(data.get(ADOPTED, "")).split()))

    def taken_over(self, settings: Settings) -> frozenset[str]:
        """Return the ids of others whose workloads are ours: adopted by command, or named by value `instanceId`."""
        return (self.adopted | {settings.instance_id}) - {self.id, ""}


_INDEX = (("namespace", _by_namespace),)
IDENTITY: Watched[Identity] = Watched("identity", "v1", "ConfigMap", Identity.of, scope=Scope.OWN, names=(STATE,))
QUOTAS: Watched[InNamespace] = Watched("quotas", "v1", "ResourceQuota", _quota, indexes=_INDEX)
LIMITS: Watched[InNamespace] = Watched("limits", "v1", "LimitRange", _limits, indexes=_INDEX)
REPLAYS: Watched[Hold] = Watched("holds", trafficreplay.API_VERSION, trafficreplay.KIND, hold)


def namespaces(settings: Settings) -> Watched[Labelled]:
    """Return the collection of namespaces: each by name where only some may be read."""
    return Watched("namespaces", "v1", "Namespace", _labelled, scope=Scope.CLUSTER, names=settings.namespaces)


def word_changed(old: Labelled | None, new: Labelled | None) -> bool:
    """Say whether a namespace's word on TrafficReplays of other namespaces may be another."""
    before, after = (dict(one.annotations).get(ALLOW_FROM) if one else None for one in (old, new))
    return before != after


def watched(settings: Settings) -> tuple[Watched[Any], ...]:
    """Return all collections that `Memory` reads."""
    return (namespaces(settings), QUOTAS, LIMITS, IDENTITY, REPLAYS)
