"""Findings about a workload that wants the sidecar and cannot have it: network, ports, namespace, nodes.

Called by `engine` for every workload whose annotations ask for the sidecar. Pure. These are the reasons for which the
operator skips a workload when it is applied; here they are told before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from speedscale_schemas import annotations as notes
from speedscale_schemas.annotations import SIDECAR, Sidecar

from .model import Path, Problem
from .report import problem
from .scan import Object, mapping, text

EXCLUDED_NAMESPACES = ("kube-system", "kube-node-lease")
_INJECT: Path = ("metadata", "annotations", f"{SIDECAR}/inject")
_ENFORCE = "pod-security.kubernetes.io/enforce"
_HOOKS = ("argocd.argoproj.io/hook", "helm.sh/hook")


def security_levels(objects: list[Object]) -> dict[str, str]:
    """Return the Pod Security level that each Namespace among the objects enforces."""
    found: dict[str, str] = {}
    for one in objects:
        if one.kind == "Namespace" and not one.group:
            found[text(one.metadata.get("name"))] = text(mapping(one.metadata.get("labels")).get(_ENFORCE))
    return found


def check(workload: Object, levels: Mapping[str, str]) -> Iterator[Problem]:
    """Yield the reasons for which this workload would not get its sidecar; `levels` as from `security_levels`."""
    sidecar = notes.parse(workload.annotations).sidecar
    if not sidecar.inject:
        return
    path, spec = workload.pod_spec()
    yield from _namespace(workload, sidecar, levels)
    yield from _pod(workload, path, spec)
    yield from _ports(workload, path, spec, sidecar)
    yield from _job(workload)


def _namespace(workload: Object, sidecar: Sidecar, levels: Mapping[str, str]) -> Iterator[Problem]:
    namespace = workload.namespace
    if namespace in EXCLUDED_NAMESPACES:
        message = f"{workload.name} is in {namespace}, where nothing is injected"
        yield problem(workload.document, (*workload.path, "metadata", "namespace"), "SPD022", message)
    level = levels.get(namespace, "")
    if level in ("baseline", "restricted") and sidecar.proxy_type == "transparent":
        message = f"namespace {namespace} enforces Pod Security {level}: {workload.name} would get no sidecar"
        yield problem(workload.document, (*workload.path, *_INJECT), "SPD023", message)


def _pod(workload: Object, path: Path, spec: dict[str, Any]) -> Iterator[Problem]:
    if spec.get("hostNetwork") is True:
        message = f"{workload.name} is on the host's network and would get no sidecar"
        yield problem(workload.document, (*path, "hostNetwork"), "SPD020", message)
    system = text(mapping(spec.get("nodeSelector")).get("kubernetes.io/os"))
    if system == "windows" or text(mapping(spec.get("os")).get("name")) == "windows":
        message = f"{workload.name} runs on Windows nodes and would get no sidecar"
        yield problem(workload.document, (*workload.path, *_INJECT), "SPD024", message)


def _ports(workload: Object, path: Path, spec: dict[str, Any], sidecar: Sidecar) -> Iterator[Problem]:
    ours = _listeners(sidecar)
    for kind in ("initContainers", "containers"):
        items = spec.get(kind)
        for index, container in enumerate(items if isinstance(items, list) else []):
            name = text(mapping(container).get("name"))
            if name.startswith("speedscale-"):  # a manifest read from a cluster
                continue
            ports = mapping(container).get("ports")
            for number, port in enumerate(ports if isinstance(ports, list) else []):
                taken = mapping(port).get("containerPort")
                if isinstance(taken, int) and taken in ours and text(mapping(port).get("protocol")) in ("", "TCP"):
                    message = f"container {name} has port {taken}, which is the sidecar's {ours[taken]}"
                    where = (*path, kind, index, "ports", number, "containerPort")
                    yield problem(workload.document, where, "SPD021", message)
    if _has_linkerd(workload, path) and {4143, 4140} & ours.keys():
        message = f"Linkerd's proxy has ports 4143 and 4140 too: {workload.name} cannot have both"
        yield problem(workload.document, (*workload.path, *_INJECT), "SPD021", message)


def _listeners(sidecar: Sidecar) -> dict[int, str]:
    found = {4144: "health port"}
    found[sidecar.prometheus_port or 4145] = "metrics port"
    if sidecar.listens_inbound:
        found[sidecar.proxy_in_port] = "inbound listener"
    if sidecar.listens_outbound:
        found[sidecar.proxy_out_port] = "outbound listener"
    return found


def _has_linkerd(workload: Object, path: Path) -> bool:
    template: Any = workload.value
    for part in path[len(workload.path) : -1]:
        template = mapping(template).get(str(part))
    both = (workload.annotations, mapping(mapping(mapping(template).get("metadata")).get("annotations")))
    return any(annotations.get("linkerd.io/inject") in ("enabled", "ingress") for annotations in both)


def _job(workload: Object) -> Iterator[Problem]:
    if workload.kind != "Job" or "generateName" in workload.metadata:
        return
    if any(name in workload.annotations for name in _HOOKS):
        return
    message = f"{workload.name}: added to a Job that exists already, it changes nothing"
    yield problem(workload.document, (*workload.path, *_INJECT), "SPD014", message)
