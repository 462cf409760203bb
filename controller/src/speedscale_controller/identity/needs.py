"""Which namespaces need our Secrets, and what for.

Whoever has a sidecar says so by the label `sidecar.speedscale.com/injected`, on the workload from the moment of its
admission and on every pod; a TrafficReplay names its namespaces itself, of which those count that allow it. So a
namespace counts from before its first pod starts until its last one is gone. Projections only; nothing here reads or
writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from speedscale_controller.certificates.names import MANAGED_BY
from speedscale_controller.facts import consented, namespaces, word_changed
from speedscale_controller.reconciling import Context, Scope, Watched
from speedscale_kube import Object
from speedscale_kube.store import Store

_INJECTED = "sidecar.speedscale.com/injected=true"
_JAVA = (
    "sidecar.speedscale.com/tls-java-tool-options",
    "sidecar.speedscale.com/tls-java-tool-options-value",
    "sidecar.speedscale.com/mount-known-ca",
)
_KINDS = (
    ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "DaemonSet"),
    ("apps/v1", "ReplicaSet"),
    ("batch/v1", "Job"),
    ("batch/v1", "CronJob"),
    ("v1", "Pod"),
    ("argoproj.io/v1alpha1", "Rollout"),
)


@dataclass(frozen=True, slots=True)
class Need:
    """What a namespace needs. `java`: the trust store for Java as well; `replay`: what replays run with."""

    java: bool = False
    replay: bool = False


@dataclass(frozen=True, slots=True)
class Asking:
    """Why namespaces are needed: one object's word.

    `mark` is the INSTANCE_ID of who manages it, empty where nobody says so. `holds`: it keeps a namespace that has our
    Secrets, and is no reason to give them to another (pods bear no mark). `home`: the namespace of a TrafficReplay; its
    word counts for others only where they consent.
    """

    namespaces: tuple[str, ...]
    home: str = ""
    mark: str = ""
    java: bool = False
    replay: bool = False
    holds: bool = False


def of_workload(obj: Object) -> Asking | None:
    """Return what a workload or pod with a sidecar needs; old ReplicaSets, without pods, need nothing."""
    metadata = obj.get("metadata") or {}
    if obj.get("kind") == "ReplicaSet" and not (obj.get("spec") or {}).get("replicas"):
        return None
    annotations = metadata.get("annotations") or {}
    java = any(str(annotations.get(name, "")).strip() not in ("", "false") for name in _JAVA)
    mark = str(annotations.get(MANAGED_BY, ""))
    holds = not mark and obj.get("kind") in ("Pod", "ReplicaSet")
    return Asking((str(metadata.get("namespace", "")),), mark=mark, java=java, holds=holds)


def of_replay(obj: Object) -> Asking | None:
    """Return what a TrafficReplay needs: its own namespace and those of its workloads."""
    own = str((obj.get("metadata") or {}).get("namespace", ""))
    spec = obj.get("spec") or {}
    refs = [_mapping(_mapping(item).get("ref")) for item in _list(spec.get("workloads"))]
    refs.append(_mapping(spec.get("workloadRef")))
    found = [str(ref.get("namespace") or own) for ref in refs if ref]
    mark = str(_mapping((obj.get("metadata") or {}).get("annotations")).get(MANAGED_BY, ""))
    return Asking(tuple(dict.fromkeys((own, *found))), own, mark, java=True, replay=True)


def _namespaces(asking: Asking) -> Sequence[str]:
    return asking.namespaces


_INDEX = (("namespace", _namespaces),)
WORKLOADS: tuple[Watched[Asking], ...] = tuple(
    Watched(f"injected_{kind.lower()}s", version, kind, of_workload, labels=_INJECTED, indexes=_INDEX)
    for version, kind in _KINDS
)
REPLAYS: Watched[Asking] = Watched(
    "replay_namespaces", "speedscale.com/v1", "TrafficReplay", of_replay, scope=Scope.WATCHED, indexes=_INDEX
)
WATCHED = (*WORKLOADS, REPLAYS)


class Needs:
    """The stores, asked by namespace.

    `ours` says whether an INSTANCE_ID is one of this installation, `consents(home, namespace)` whether TrafficReplays
    of one namespace may use another.
    """

    def __init__(
        self, stores: Iterable[Store[Asking]], ours: Callable[[str], bool], consents: Callable[[str, str], bool]
    ) -> None:
        self._stores, self._ours, self._consents = tuple(stores), ours, consents

    @classmethod
    def start(cls, context: Context, ours: Callable[[str], bool], changed: Callable[[str], None]) -> Needs:
        """Take the stores; `changed(namespace)` is called when what a namespace needs may have changed."""
        stores = [context.store(watched) for watched in WATCHED]

        def on_change(key: object, old: Asking | None, new: Asking | None) -> None:
            told = {name for asking in (old, new) if asking is not None for name in asking.namespaces}
            for name in sorted(told):
                changed(name)

        for store in stores:
            store.add_handler(on_change)
        spaces = context.store(namespaces(context.settings))
        spaces.add_handler(lambda key, old, new: changed(key.name) if word_changed(old, new) else None)

        return cls(stores, ours, consented(spaces, lambda: context.settings.namespace))

    def of(self, namespace: str, *, held: bool = False) -> Need | None:
        """Return what a namespace needs, None when nothing. `held`: it has our Secrets, and pods may still use them."""
        askings = (asking for store in self._stores for asking in store.by("namespace", namespace))
        found = [asking for asking in askings if self._counts(asking, namespace, held)]
        if not found:
            return None
        return Need(java=any(asking.java for asking in found), replay=any(asking.replay for asking in found))

    def namespaces(self) -> frozenset[str]:
        """Return every namespace that needs something."""
        askings = (asking for store in self._stores for asking in store.values())
        return frozenset(name for one in askings for name in one.namespaces if self._counts(one, name, False))

    def _counts(self, asking: Asking, namespace: str, held: bool) -> bool:
        if asking.home and not self._consents(asking.home, namespace):
            return False
        return held if asking.holds else not asking.mark or self._ours(asking.mark)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
