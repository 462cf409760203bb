"""Kinds of workloads: where the pod template stands, and how what is needed is read from any of them.

Called by everything in this package. `problem` says whether an object has the types that the API wants; only then may
the other modules touch it, and they need no checks of their own.
"""

from __future__ import annotations

import marshal
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeGuard

from .names import is_our_container

PATHS: Final[Mapping[str, tuple[str, ...]]] = {
    "Deployment": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "DaemonSet": ("spec", "template"),
    "ReplicaSet": ("spec", "template"),
    "Rollout": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
    "Pod": (),
}
_GROUPS: Final[Mapping[str, str]] = {"Rollout": "argoproj.io", "Job": "batch", "CronJob": "batch", "Pod": ""}
ENDS: Final = frozenset({"Job", "CronJob"})
"""Kinds whose pods end by themselves."""

_LISTS: Final[Mapping[str, tuple[str, ...]]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "volumes": ("name",),
    "imagePullSecrets": (),
    "hostAliases": ("ip",),
}
_INNER: Final[Mapping[str, tuple[str, ...]]] = {
    "env": ("name",),
    "envFrom": (),
    "volumeMounts": ("name", "mountPath"),
    "ports": (),
}
"""Lists of objects in a pod, and in its containers, with the texts that each element has to have."""

Object = dict[str, Any]


def kind_of(workload: Mapping[str, Any]) -> str:
    """Return the kind if it is one that a sidecar can be put into, else the empty string."""
    kind = workload.get("kind")
    if not isinstance(kind, str) or kind not in PATHS:
        return ""
    group = str(workload.get("apiVersion", "")).rpartition("/")[0]
    known = _GROUPS.get(kind, "apps")
    return kind if not workload.get("apiVersion") or group == known else ""


def metadata(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an object's metadata, empty where there is none."""
    return mapping(obj.get("metadata"))


def annotations_of(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an object's annotations, empty where there are none."""
    return mapping(metadata(obj).get("annotations"))


def labels_of(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an object's labels, empty where there are none."""
    return mapping(metadata(obj).get("labels"))


def app_label(obj: Mapping[str, Any]) -> str:
    """Return the name under which a workload's pairs are recorded: its label `app`, else its own."""
    return str(labels_of(obj).get("app") or name_of(obj))


def mapping(value: object) -> Mapping[str, Any]:
    """Return the value if it is a mapping, else an empty one."""
    return value if _is_map(value) else {}


def _is_map(value: object) -> TypeGuard[Mapping[str, Any]]:
    return type(value) is dict or isinstance(value, Mapping)  # the first is many times as fast


def template_of(workload: Mapping[str, Any], kind: str) -> Any:
    """Return what holds the pod's metadata and spec; None where it is missing."""
    found: Any = workload
    for key in PATHS[kind]:
        found = found.get(key) if _is_map(found) else None
    return found


def pod_template(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what holds the metadata and spec of a live object's pods, empty where there is none."""
    kind = str(obj.get("kind", ""))
    return mapping(template_of(obj, kind)) if kind in PATHS else {}


def our_containers(template: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the containers of ours, or of an earlier installation, that a live pod template has."""
    spec = template.get("spec") or {}
    for part in ("containers", "initContainers"):
        yield from (container for container in spec.get(part) or () if is_our_container(container))


def plain(value: Any) -> Any:
    """Return a copy made of dicts and lists only."""
    try:
        # What json.loads makes, several times as fast as walking; version 2 shares nothing between places.
        return marshal.loads(marshal.dumps(value, 2))
    except ValueError:
        return _walked(value)


def _walked(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _walked(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_walked(item) for item in value]
    return value


def controller(obj: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the reference to the owner that controls the object, None without one."""
    owners = metadata(obj).get("ownerReferences")
    if not isinstance(owners, list):
        return None
    return next((o for o in owners if isinstance(o, Mapping) and o.get("controller") is True), None)


def name_of(workload: Mapping[str, Any]) -> str:
    """Return the name, or what the API server will make one of."""
    meta = metadata(workload)
    return str(meta.get("name") or str(meta.get("generateName") or "").rstrip("-"))


def pods(obj: Mapping[str, Any], kind: str) -> int:
    """Return how many pods the workload wants at once; 0 where only the cluster knows (DaemonSet)."""
    spec = mapping(obj.get("spec"))
    if kind == "CronJob":
        spec = mapping(mapping(spec.get("jobTemplate")).get("spec"))
    if kind in ("Pod", "DaemonSet"):
        return 1 if kind == "Pod" else 0
    wanted = spec.get("parallelism" if kind in ENDS else "replicas", 1)
    return wanted if isinstance(wanted, int) else 1


def containers(spec: Mapping[str, Any], *, inits: bool = True) -> Iterator[Mapping[str, Any]]:
    """Yield a pod's containers, with `inits` the init containers first."""
    if inits:
        yield from spec.get("initContainers") or ()
    yield from spec.get("containers") or ()


def problem(workload: Mapping[str, Any], kind: str) -> str:
    """Return what is not as the API wants it, so that the API server is about to refuse it; empty when all is well."""
    for where, obj in (("", workload), ("template ", template_of(workload, kind))):
        if not _is_map(obj):
            return f"{where.strip()} is no object"
        meta = obj.get("metadata")
        if not (meta is None or _is_map(meta)):
            return f"{where}metadata is no object"
        for key in ("labels", "annotations"):
            if not _texts(mapping(meta).get(key)):
                return f"{where}metadata.{key} is not made of strings"
    return _spec_problem(template_of(workload, kind).get("spec"))


def _spec_problem(spec: Any) -> str:
    if not _is_map(spec):
        return "spec of the pod is no object"
    if not spec.get("containers"):
        return "spec.containers is empty"
    for key, names in _LISTS.items():
        if not _objects(spec.get(key), names):
            return f"spec.{key} is no list of objects{_with(names)}"
    for container in containers(spec):
        for key, names in _INNER.items():
            if not _objects(container.get(key), names):
                return f"{key} of container {container['name']} is no list of objects{_with(names)}"
        if not all(isinstance(item.get("value", ""), str | None) for item in container.get("env") or ()):
            return f"a variable of container {container['name']} is no string"
    for alias in spec.get("hostAliases") or ():
        if not isinstance(alias.get("hostnames") or [], list):
            return "hostnames of an alias are no list"
    return ""


def _with(names: tuple[str, ...]) -> str:
    return f" with {' and '.join(names)}" if names else ""


def _objects(value: object, names: tuple[str, ...]) -> bool:
    return value is None or (
        isinstance(value, list) and all(_is_map(i) and all(isinstance(i.get(n), str) for n in names) for i in value)
    )


def _texts(value: object) -> bool:
    return value is None or (
        _is_map(value) and all(isinstance(key, str) and isinstance(item, str) for key, item in value.items())
    )
