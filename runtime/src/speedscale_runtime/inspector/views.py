"""What is shown of objects: pure, from what the API server gave to items of an answer. Never data of Secrets.

Shapes of workloads are those of `speedctl infra workloads -o json`, as far as they can be told without the operator's
own decision: `state` is what annotations and pods' description say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from speedscale_schemas.annotations import OPERATOR, REPLAY, is_ours, parse
from speedscale_schemas.asking import gitops, replays, sidecar

Json = dict[str, Any]
Clean = Callable[[str], str]
_TEMPLATES: Mapping[str, tuple[str, ...]] = {"CronJob": ("spec", "jobTemplate", "spec", "template"), "Pod": ()}


def workload(obj: Mapping[str, Any]) -> Json:
    """Return a workload: how many pods, what of ours is on it, what its containers are."""
    kind, meta = str(obj.get("kind", "")), _map(obj.get("metadata"))
    template = _template(obj, kind)
    containers = list(_containers(template))
    image = next((str(c.get("image", "")) or "unknown" for c in containers if c.get("name") == sidecar.CONTAINER), "")
    marks = _map(_map(template.get("metadata")).get("annotations")), _map(_map(template.get("metadata")).get("labels"))
    injected = bool(image) or sidecar.REVERT in marks[0] or sidecar.INJECTED in marks[1]
    annotations = _map(meta.get("annotations"))
    own = {k: str(v) for k, v in annotations.items() if is_ours(k) and k != sidecar.REVERT}
    parsed = parse(own, kind)
    wants = parsed.sidecar.inject or any(p.annotation.startswith("sidecar.") for p in parsed.errors)
    owner = gitops.owner(obj)
    env_id = f"{REPLAY}/env-id"
    return {
        "kind": kind,
        "namespace": str(meta.get("namespace", "")),
        "name": str(meta.get("name", "")),
        "state": _state(injected, wants, parsed.method == "nettap"),
        "annotated": wants,
        "injected": injected,
        "reason": "",
        "message": "",
        "warnings": [str(problem) for problem in parsed.problems],
        "managedBy": str(annotations.get(f"{OPERATOR}/managed-by", "")),
        "replay": str(annotations.get(env_id) or _map(meta.get("labels")).get(env_id) or ""),
        "sidecarImage": image,
        "gitops": str(owner) if owner else "",
        "pods": _pods(obj, kind),
        "annotations": own,
        "containers": [{"name": str(c.get("name", "")), "image": str(c.get("image", ""))} for c in containers],
    }


def _state(injected: bool, wants: bool, nettap: bool) -> str:
    if wants:
        return "injected" if injected else "pending"
    return "removing" if injected else "nettap" if nettap else "none"


def _pods(obj: Mapping[str, Any], kind: str) -> Json:
    spec, status = _map(obj.get("spec")), _map(obj.get("status"))
    if kind == "DaemonSet":
        return {"wanted": _int(status.get("desiredNumberScheduled")), "ready": _int(status.get("numberReady"))}
    if kind == "Job":
        done = {"active": _int(status.get("active")), "succeeded": _int(status.get("succeeded"))}
        return {**done, "failed": _int(status.get("failed"))}
    if kind == "CronJob":
        return {"active": len(status.get("active") or ()), "suspended": spec.get("suspend") is True}
    wanted = 1 if spec.get("replicas") is None else _int(spec["replicas"])
    return {"wanted": wanted, "ready": _int(status.get("readyReplicas"))}


def pod(obj: Mapping[str, Any], clean: Clean) -> Json:
    """Return a pod: phase, what is ready, restarts, and why a container does not run."""
    meta, spec, status = _map(obj.get("metadata")), _map(obj.get("spec")), _map(obj.get("status"))
    seen = [*_list(status, "initContainerStatuses"), *_list(status, "containerStatuses")]
    states = {str(s.get("name", "")): s for s in seen}
    containers = [
        {**_container(one, states.get(str(one.get("name", "")), {}), clean), "init": init}
        for key, init in (("initContainers", True), ("containers", False))
        for one in _list(spec, key)
    ]
    owners = [o for o in _list(meta, "ownerReferences") if o.get("controller")]
    return {
        "namespace": str(meta.get("namespace", "")),
        "name": str(meta.get("name", "")),
        "phase": str(status.get("phase", "")),
        "reason": str(status.get("reason", "")),
        "node": str(spec.get("nodeName", "")),
        "ip": str(status.get("podIP", "")),
        "started": str(status.get("startTime", "")),
        "deleting": "deletionTimestamp" in meta,
        "owner": f"{owners[0].get('kind', '')}/{owners[0].get('name', '')}" if owners else "",
        "labels": dict(_map(meta.get("labels"))),
        "containers": containers,
    }


def _container(one: Mapping[str, Any], seen: Mapping[str, Any], clean: Clean) -> Json:
    state = _map(seen.get("state"))
    word = next(iter(state), "waiting")
    why = _map(state.get(word))
    return {
        "name": str(one.get("name", "")),
        "image": str(one.get("image", "")),
        "ready": seen.get("ready") is True,
        "restarts": _int(seen.get("restartCount")),
        "state": word,
        "reason": str(why.get("reason", "")),
        "message": clean(str(why.get("message", ""))),
    }


def node(obj: Mapping[str, Any]) -> Json:
    """Return a node: what it is and whether it is ready."""
    meta, status = _map(obj.get("metadata")), _map(obj.get("status"))
    info = _map(status.get("nodeInfo"))
    ready = next((c for c in _list(status, "conditions") if c.get("type") == "Ready"), {})
    return {
        "name": str(meta.get("name", "")),
        "ready": ready.get("status") == "True",
        "reason": str(ready.get("reason", "")),
        "schedulable": _map(obj.get("spec")).get("unschedulable") is not True,
        "kubelet": str(info.get("kubeletVersion", "")),
        "system": str(info.get("operatingSystem", "")),
        "architecture": str(info.get("architecture", "")),
        "image": str(info.get("osImage", "")),
        "runtime": str(info.get("containerRuntimeVersion", "")),
        "capacity": _quantities(status, "capacity"),
        "allocatable": _quantities(status, "allocatable"),
    }


def _quantities(status: Mapping[str, Any], key: str) -> dict[str, str]:
    return {k: str(v) for k, v in _map(status.get(key)).items() if k in ("cpu", "memory", "pods")}


def namespace(obj: Mapping[str, Any]) -> Json:
    """Return a namespace with its labels."""
    meta = _map(obj.get("metadata"))
    return {
        "name": str(meta.get("name", "")),
        "phase": str(_map(obj.get("status")).get("phase", "")),
        "created": str(meta.get("creationTimestamp", "")),
        "labels": dict(_map(meta.get("labels"))),
    }


def service(obj: Mapping[str, Any]) -> Json:
    """Return a Service: how it is reached, and which pods it means."""
    meta, spec = _map(obj.get("metadata")), _map(obj.get("spec"))
    return {
        "namespace": str(meta.get("namespace", "")),
        "name": str(meta.get("name", "")),
        "type": str(spec.get("type", "ClusterIP")),
        "clusterIP": str(spec.get("clusterIP", "")),
        "externalName": str(spec.get("externalName", "")),
        "selector": dict(_map(spec.get("selector"))),
        "ports": [
            {key: port[key] for key in ("name", "port", "targetPort", "protocol", "nodePort") if key in port}
            for port in _list(spec, "ports")
        ],
    }


def event(obj: Mapping[str, Any], clean: Clean) -> Json:
    """Return an Event; its message is redacted, because programs write it."""
    meta, about = _map(obj.get("metadata")), _map(obj.get("involvedObject"))
    return {
        "namespace": str(meta.get("namespace", "")),
        "time": when(obj),
        "type": str(obj.get("type", "")),
        "reason": str(obj.get("reason", "")),
        "message": clean(str(obj.get("message", ""))),
        "count": _int(obj.get("count")) or 1,
        "about": f"{about.get('kind', '')}/{about.get('name', '')}",
        "source": str(obj.get("reportingComponent") or _map(obj.get("source")).get("component") or ""),
    }


def when(obj: Mapping[str, Any]) -> str:
    """Return when an Event happened last."""
    stamps = (obj.get("lastTimestamp"), obj.get("eventTime"), _map(obj.get("metadata")).get("creationTimestamp"))
    return str(next((stamp for stamp in stamps if stamp), ""))


def replay(obj: Mapping[str, Any], clean: Clean) -> Json:
    """Return a TrafficReplay: what was asked for, and how it stands."""
    meta, spec, status = _map(obj.get("metadata")), _map(obj.get("spec")), _map(obj.get("status"))
    told = [
        {
            "type": str(c.get("type", "")),
            "status": str(c.get("status", "")),
            "reason": str(c.get("reason", "")),
            "message": clean(str(c.get("message", ""))),
            "lastTransitionTime": str(c.get("lastTransitionTime", "")),
        }
        for c in replays.conditions(obj)
    ]
    return {
        "namespace": str(meta.get("namespace", "")),
        "name": str(meta.get("name", "")),
        "created": str(meta.get("creationTimestamp", "")),
        "mode": str(spec.get("mode") or "full-replay"),
        "snapshotId": str(spec.get("snapshotID", "")),
        "testConfigId": str(spec.get("testConfigID", "")),
        "deleting": "deletionTimestamp" in meta,
        "standing": clean(replays.standing(obj)),
        "status": {**{k: status[k] for k in _STATUS if k in status}, "conditions": told},
    }


_STATUS = ("active", "startedTime", "initializedTime", "finishedTime", "reportID", "reportURL", "observedGeneration")


def _template(obj: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = obj
    for key in _TEMPLATES.get(kind, ("spec", "template")):
        found = _map(found.get(key))
    return found


def _containers(template: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    spec = _map(template.get("spec"))
    for key in ("containers", "initContainers"):
        yield from _list(spec, key)


def _map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(node: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    return [item for item in node.get(key) or () if isinstance(item, Mapping)]


def _int(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
