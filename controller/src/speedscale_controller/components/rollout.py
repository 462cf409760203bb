"""Is a workload up, and if not, why: from its status and its pods. Pure.

The rules are those of `kubectl rollout status` (Deployment, DaemonSet, StatefulSet). The cause is what a person would
look for: the pod's, in the words of the kubelet or the scheduler.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from speedscale_kube import Object


class Cause(StrEnum):
    """Why a workload is not up; a metric's label."""

    NONE = "none"
    NOT_SEEN = "not_seen"  # its controller has not looked at the newest version
    ROLLING = "rolling"
    IMAGE = "image"
    CONFIG = "config"
    CRASH = "crash"
    UNSCHEDULABLE = "unschedulable"
    NOT_READY = "not_ready"
    REFUSED = "refused"  # quota, Pod Security, another webhook: pods are not even made


@dataclass(frozen=True, slots=True)
class Rollout:
    """How far one workload is. `message` is a sentence, empty when it is up."""

    cause: Cause
    message: str = ""

    @property
    def up(self) -> bool:
        """Whether all pods of the newest version are available."""
        return self.cause is Cause.NONE


def rollout(live: Object) -> Rollout:
    """Return how far a Deployment, DaemonSet or StatefulSet is by its own status; anything else is up."""
    kind, spec, status = live.get("kind"), live.get("spec") or {}, live.get("status") or {}
    if kind not in _COUNTS:
        return Rollout(Cause.NONE)
    name = f"{kind} {live['metadata']['name']}"
    if int(status.get("observedGeneration") or 0) < int(live["metadata"].get("generation") or 0):
        return Rollout(Cause.NOT_SEEN, f"{name}: its controller has not seen the newest version yet")
    refused = _refused(status)
    if refused:
        return Rollout(Cause.REFUSED, f"{name}: {refused}")
    wanted = int(status.get("desiredNumberScheduled") or 0) if kind == "DaemonSet" else int(spec.get("replicas", 1))
    updated, available = (int(status.get(field) or 0) for field in _COUNTS[kind])
    if updated < wanted or available < wanted:
        return Rollout(Cause.ROLLING, f"{name}: {updated} of {wanted} pods updated, {available} available")
    return Rollout(Cause.NONE)


WORKLOADS: Final = frozenset({"Deployment", "StatefulSet", "DaemonSet"})
_COUNTS: Final = {
    "Deployment": ("updatedReplicas", "availableReplicas"),
    "StatefulSet": ("updatedReplicas", "availableReplicas"),
    "DaemonSet": ("updatedNumberScheduled", "numberAvailable"),
}


def _refused(status: Mapping[str, Any]) -> str:
    for condition in status.get("conditions") or ():
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            return str(condition.get("message") or condition.get("reason") or "its pods are refused")
    return ""


_WAITING: Final = {
    "ErrImagePull": Cause.IMAGE,
    "ImagePullBackOff": Cause.IMAGE,
    "InvalidImageName": Cause.IMAGE,
    "ErrImageNeverPull": Cause.IMAGE,
    "CreateContainerConfigError": Cause.CONFIG,
    "CreateContainerError": Cause.CONFIG,
    "RunContainerError": Cause.CONFIG,
    "CrashLoopBackOff": Cause.CRASH,
}


def cause(pods: Iterable[Object]) -> Rollout | None:
    """Return why pods do not get ready, the first that says anything; None when none does."""
    found = sorted(
        (told for pod in pods for told in _pod(pod)), key=lambda one: (list(Cause).index(one.cause), one.message)
    )
    return found[0] if found else None


def _pod(pod: Object) -> Iterator[Rollout]:
    status = pod.get("status") or {}
    name = f"pod {pod['metadata']['name']}"
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            words = condition.get("message") or condition.get("reason")
            yield Rollout(Cause.UNSCHEDULABLE, f"{name} is not scheduled: {words}")
    for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        where = f"{name}, container {container.get('name')}"
        waiting = (container.get("state") or {}).get("waiting") or {}
        kind = _WAITING.get(str(waiting.get("reason")))
        if kind is not None:
            yield Rollout(kind, f"{where}: {waiting['reason']}: {waiting.get('message') or 'no more is said'}")
        elif "running" in (container.get("state") or {}) and not container.get("ready"):
            yield Rollout(Cause.NOT_READY, f"{where} runs and is not ready")
    if status.get("phase") == "Pending" and not status.get("conditions"):
        yield Rollout(Cause.UNSCHEDULABLE, f"{name} waits for a node: no scheduler has looked at it")
