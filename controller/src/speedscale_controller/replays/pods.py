"""Why pods do not come up: pods, Events and last log lines, read only where something is not ready.

Called by `seeing`; what it means is decided in `replay.readiness`. Bounded: ten pods, fifty Events, three logs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from speedscale_controller.replay.readiness import Pods
from speedscale_kube import Client, Object, Ref
from speedscale_schemas import selectors
from speedscale_schemas.errors import PeerError, PermanentError, TransientError

_PODS, _EVENTS, _LOGS = 10, 50, 3


def of(client: Client, obj: Mapping[str, Any]) -> Pods:
    """Return what is known of a workload's or Job's pods; what cannot be read is left out."""
    namespace = obj["metadata"]["namespace"]
    pods = listed(client, obj)
    if not pods:
        return Pods()
    pods.sort(key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")), reverse=True)
    pods = pods[:_PODS]
    names = [obj["metadata"]["name"], *(p["metadata"]["name"] for p in pods[:2] if not _is_ready(p))]
    events = [event for name in names for event in _events(client, namespace, name)]
    logs = {p["metadata"]["name"]: _log(client, p) for p in [p for p in pods if _failing(p)][:_LOGS]}
    return Pods(tuple(pods), tuple(events[:_EVENTS]), logs)


def listed(client: Client, obj: Mapping[str, Any]) -> list[Object]:
    """Return a workload's or Job's pods; none where they cannot be read."""
    selector = _selector(obj)
    if not selector:
        return []
    try:
        return client.list("v1", "Pod", obj["metadata"]["namespace"], labels=selector)
    except PermanentError:
        return []


def _selector(obj: Mapping[str, Any]) -> str:
    if obj["kind"] == "Job":
        return f"batch.kubernetes.io/job-name={obj['metadata']['name']}"
    return selectors.text((obj.get("spec") or {}).get("selector"))


def _events(client: Client, namespace: str, name: str) -> list[Object]:
    try:
        return client.list("v1", "Event", namespace, fields=f"involvedObject.name={name}")
    except PermanentError:
        return []


def _is_ready(pod: Mapping[str, Any]) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)


def _statuses(pod: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    status = pod.get("status") or {}
    return (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ()))


def _failing(pod: Mapping[str, Any]) -> str:
    """Return the container that ended badly, empty when none did."""
    for container in _statuses(pod):
        ended = [(container.get(key) or {}).get("terminated") or {} for key in ("state", "lastState")]
        if any(int(one.get("exitCode") or 0) for one in ended):
            return str(container.get("name", ""))
    return ""


def _log(client: Client, pod: Mapping[str, Any]) -> str:
    meta, name = pod["metadata"], _failing(pod)
    ref = Ref("v1", "Pod", meta["namespace"], meta["name"])
    again = any(c.get("name") == name and int(c.get("restartCount") or 0) for c in _statuses(pod))
    try:
        return client.log(ref, container=name, previous=again, lines=5)
    except (PermanentError, TransientError, PeerError):
        return ""
