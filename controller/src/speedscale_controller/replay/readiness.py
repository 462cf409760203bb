"""Whether a workload, or a component of a replay, is ready, and in what its pods are stuck if not.

Called by the reconciler on live objects; pure. `cause` turns what the API says about pods and Events into the one
sentence that a user needs: image, crash with its last lines, probe, quota, scheduling, policy, a webhook's refusal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from .status import elapsed_s

_LOG_LINES: Final = 5
ENDING_S: Final = 60.0
"""How long pods of before are waited for: nodes learn within seconds that a pod ends, which may take it hours."""
_SHOWN: Final = 400


class Why(StrEnum):
    """Kinds of causes; a metric's label."""

    IMAGE = "image"
    CRASH = "crash"
    CONFIG = "config"
    PROBE = "probe"
    QUOTA = "quota"
    POD_SECURITY = "pod_security"
    WEBHOOK = "webhook"
    SCHEDULING = "scheduling"
    VOLUME = "volume"
    REFUSED = "refused"
    STARTING = "starting"
    ENDING = "ending"
    NO_PODS = "no_pods"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Readiness:
    """`ready`, or what is waited for. `warnings` hold either way."""

    ready: bool
    message: str = ""
    why: Why = Why.UNKNOWN
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pods:
    """What is known of a workload's pods: the pods themselves, Events about them and their owners, last log lines.

    `logs` are by pod name, of the container that failed.
    """

    pods: tuple[Mapping[str, Any], ...] = ()
    events: tuple[Mapping[str, Any], ...] = ()
    logs: Mapping[str, str] | None = None


def rolled_out(obj: Mapping[str, Any]) -> tuple[bool, str]:
    """Return whether every pod of a workload is of its newest template and available, and how far it is.

    Follows `kubectl rollout status`. Kinds: Deployment, StatefulSet, DaemonSet, Rollout.
    """
    spec, status, meta = obj.get("spec") or {}, obj.get("status") or {}, obj["metadata"]
    observed = int(status.get("observedGeneration") or 0)
    if observed < int(meta.get("generation") or 0):
        return False, "its controller has not seen the change yet"
    if obj["kind"] == "DaemonSet":
        want = int(status.get("desiredNumberScheduled") or 0)
        new, there = int(status.get("updatedNumberScheduled") or 0), int(status.get("numberAvailable") or 0)
    else:
        want = int(spec.get("replicas", 1))
        new = int(status.get("updatedReplicas") or 0)
        there = int(status.get("availableReplicas") or 0)
    if want == 0:
        return False, "it has no replicas: scale it up"
    if new < want:
        return False, f"{new} of {want} pods have the new template"
    if obj["kind"] == "Deployment" and int(status.get("replicas") or 0) > want:
        return False, f"{int(status.get('replicas') or 0) - want} pods of before are still there"
    if there < want:
        return False, f"{there} of {want} pods are available"
    return True, ""


def ending(pods: Iterable[Mapping[str, Any]], now: datetime) -> list[str]:
    """Return the names of the pods that were told to end less than `ENDING_S` ago and are still there.

    Until a node has learned of it, calls of a Service go to such a pod as well, and it serves on for them (Kubernetes,
    "Termination of Pods"). deletionTimestamp is when the grace period ends, not when it began.
    """
    found = []
    for pod in pods:
        meta = pod["metadata"]
        told_s = elapsed_s(str(meta.get("deletionTimestamp") or ""), now) + float(
            meta.get("deletionGracePeriodSeconds") or 0
        )
        if meta.get("deletionTimestamp") and told_s < ENDING_S:
            found.append(str(meta["name"]))
    return sorted(found)


def readiness(obj: Mapping[str, Any], pods: Pods = Pods(), still: Sequence[str] = ()) -> Readiness:
    """Return whether a workload is ready, with the cause if it is not; `still` are its pods that are `ending`."""
    done, progress = rolled_out(obj)
    warnings = tuple(_probeless(obj))
    if done and still:
        said = f"{len(still)} pods of before are ending: {', '.join(still[:3])}"
        return Readiness(False, said, Why.ENDING, warnings)
    if done:
        return Readiness(True, "", warnings=warnings)
    why, cause = cause_of(obj, pods)
    return Readiness(False, f"{progress}; {cause}" if cause else progress, why, warnings)


def cause_of(obj: Mapping[str, Any], pods: Pods) -> tuple[Why, str]:
    """Return why pods do not come up; the newest pod's own cause first, then what kept pods from being made."""
    for condition in (obj.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            return _refusal(str(condition.get("message", "")))
    newest = sorted(pods.pods, key=lambda p: str(p["metadata"].get("creationTimestamp", "")), reverse=True)
    weak: tuple[Why, str] = (Why.UNKNOWN, "")
    for pod in newest:
        why, text = _pod(pod, pods)
        if why not in (Why.STARTING, Why.UNKNOWN):
            return why, text
        weak = weak if weak[1] else (why, text)
    for event in _newest(pods.events, "Warning"):
        if str(event.get("reason", "")) == "FailedCreate":
            return _refusal(str(event.get("message", "")))
    if not newest:
        return Why.NO_PODS, "no pod of it exists yet"
    return weak


def _pod(pod: Mapping[str, Any], known: Pods) -> tuple[Why, str]:
    name, status = pod["metadata"]["name"], pod.get("status") or {}
    for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        found = _container(name, container, known)
        if found is not None:
            return found
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return Why.SCHEDULING, f"pod {name} cannot be scheduled: {_cut(condition.get('message'))}"
    if status.get("phase") == "Failed":
        reason = f"{status.get('reason', 'Failed')}: {status.get('message', '')}".rstrip(": ")
        return Why.CRASH, f"pod {name} failed: {_cut(reason)}{_log(name, known)}"
    for event in _newest(known.events, "Warning", name):
        reason, text = str(event.get("reason", "")), _cut(event.get("message"))
        if reason in ("FailedMount", "FailedAttachVolume"):
            return Why.VOLUME, f"pod {name} waits for a volume: {text}"
        if reason == "Unhealthy":
            return Why.PROBE, f"pod {name}: {text}"
        if reason == "FailedScheduling":
            return Why.SCHEDULING, f"pod {name} cannot be scheduled: {text}"
    if status.get("phase") == "Pending":
        return Why.STARTING, f"pod {name} is being started"
    ready = any(c.get("type") == "Ready" and c.get("status") == "True" for c in status.get("conditions") or ())
    return (Why.UNKNOWN, "") if ready else (Why.STARTING, f"pod {name} is not ready yet")


_IMAGE = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError")
_CONFIG = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError", "PreStartHookError")


def _container(pod: str, container: Mapping[str, Any], known: Pods) -> tuple[Why, str] | None:
    name = container.get("name", "")
    waiting = (container.get("state") or {}).get("waiting") or {}
    reason, text = str(waiting.get("reason", "")), _cut(waiting.get("message"))
    if reason in _IMAGE:
        return Why.IMAGE, f"pod {pod}, container {name}: image {container.get('image', '')}: {reason}: {text}"
    if reason in _CONFIG:
        return Why.CONFIG, f"pod {pod}, container {name}: {reason}: {text}"
    ended = (
        (container.get("state") or {}).get("terminated") or (container.get("lastState") or {}).get("terminated") or {}
    )
    crashed = reason == "CrashLoopBackOff" or int(ended.get("exitCode") or 0) != 0
    if crashed and not container.get("ready"):
        code, said = ended.get("exitCode", "unknown"), str(ended.get("reason", ""))
        arch = " (built for another architecture?)" if "exec format error" in str(ended.get("message", "")) else ""
        oom = "; it needs more memory than its limit" if said == "OOMKilled" else ""
        return Why.CRASH, (
            f"pod {pod}, container {name}: ended with code {code}{f' ({said})' if said else ''}{arch}{oom},"
            f" {int(container.get('restartCount') or 0)} restarts{_log(pod, known)}"
        )
    return None


def _refusal(message: str) -> tuple[Why, str]:
    low = message.lower()
    for words, why, text in (
        (("exceeded quota", "must specify limits", "must specify requests"), Why.QUOTA, "a quota refuses its pods"),
        (("violates podsecurity", "securitycontextconstraints"), Why.POD_SECURITY, "Pod Security refuses its pods"),
        (("admission webhook", "failed calling webhook"), Why.WEBHOOK, "a webhook refuses its pods"),
        (("maximum", "minimum", "limitrange"), Why.QUOTA, "a limit refuses its pods"),
    ):
        if any(word in low for word in words):
            return why, f"{text}: {_cut(message)}"
    return Why.REFUSED, f"its pods are refused: {_cut(message)}"


def _probeless(obj: Mapping[str, Any]) -> Iterable[str]:
    template = (obj.get("spec") or {}).get("template") or {}
    for container in (template.get("spec") or {}).get("containers") or ():
        if "readinessProbe" not in container and not str(container.get("name", "")).startswith("speedscale-"):
            yield (
                f"container {container.get('name', '')} of {obj['kind']} {obj['metadata']['name']} has no readiness"
                " probe: tests may begin before it listens"
            )


def _newest(events: Iterable[Mapping[str, Any]], type_: str, about: str = "") -> list[Mapping[str, Any]]:
    wanted = [
        e
        for e in events
        if e.get("type") == type_ and (not about or (e.get("involvedObject") or {}).get("name") == about)
    ]
    return sorted(wanted, key=lambda e: str(e.get("lastTimestamp") or e.get("eventTime") or ""), reverse=True)


def _log(pod: str, known: Pods) -> str:
    text = (known.logs or {}).get(pod, "").strip()
    lines = text.splitlines()[-_LOG_LINES:]
    return "; its last lines: " + _cut(" | ".join(lines), 800) if lines else ""


def _cut(text: object, limit: int = _SHOWN) -> str:
    plain = " ".join(str(text or "").split())
    return plain if len(plain) <= limit else plain[: limit - 1] + "…"
