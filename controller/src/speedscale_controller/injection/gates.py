"""What keeps a sidecar out of a workload: one function a reason, each with words for the workload's owner.

Called by `decision` in this order, the first that answers counts. Those above `PARTS` look at the workload alone, the
others at what would be added. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from speedscale_schemas.annotations import SIDECAR, Parsed

from . import names, parts, security, workload
from .facts import Facts
from .mesh import Meshes
from .verdict import Reason

Refusal = tuple[Reason, str]
SYSTEM_NAMESPACES = frozenset({"kube-system", "kube-node-lease", "kube-public"})
_EXPLICIT = f"use {SIDECAR}/proxy-type: dual, forward or reverse, which needs none"


def place(obj: Mapping[str, Any], facts: Facts) -> Refusal | None:
    """Refuse where we must not work at all; what is there stays."""
    namespace = facts.namespace
    if namespace.name in SYSTEM_NAMESPACES:
        return Reason.SYSTEM_NAMESPACE, f"workloads in {namespace.name} are never touched"
    owner = workload.controller(obj)
    if owner is not None:
        what = f"{owner.get('kind', 'another object')} {owner.get('name', '')}".strip()
        return Reason.OWNED, f"it is controlled by {what}; put the annotations on that, where it is a workload"
    managed_by = workload.annotations_of(obj).get(names.MANAGED_BY)
    ids = {facts.installation.instance_id, *facts.installation.adopt}
    if managed_by is not None and managed_by not in ids and "*" not in ids:
        return Reason.MANAGED_BY_OTHER, (
            f"another operator manages it ({names.MANAGED_BY}: {managed_by}); remove its sidecar there, or take the"
            " annotation away to have it taken over"
        )
    if not namespace.selected:
        return Reason.NAMESPACE_NOT_SELECTED, (
            f"namespace {namespace.name} is not among those that the operator works in; add it to namespaceSelector"
        )
    if namespace.deleting:
        return Reason.NAMESPACE_DELETING, f"namespace {namespace.name} is being deleted"
    return None


def nodes(spec: Mapping[str, Any], *, redirected: bool) -> Refusal | None:
    """Refuse pods whose nodes cannot run our containers, or whose network is the node's."""
    if spec.get("hostNetwork") is True:
        return Reason.HOST_NETWORK, "its pods use the node's network (hostNetwork), where a sidecar would meet others"
    chosen = {**workload.mapping(spec.get("nodeSelector")), **_required_labels(spec)}
    if workload.mapping(spec.get("os")).get("name") == "windows" or "windows" in (
        chosen.get("kubernetes.io/os"),
        chosen.get("beta.kubernetes.io/os"),
    ):
        return Reason.WINDOWS, "its pods run on Windows nodes, for which there is no sidecar"
    if chosen.get("type") == "virtual-kubelet" or chosen.get("kubernetes.io/role") == "virtual-kubelet":
        return (
            Reason.VIRTUAL_NODE,
            "its pods run on virtual nodes, which have no pod network that a sidecar could share",
        )
    fargate = (
        chosen.get("eks.amazonaws.com/compute-type") == "fargate" or spec.get("schedulerName") == "fargate-scheduler"
    )
    if fargate and redirected:
        return Reason.VIRTUAL_NODE, f"its pods run on Fargate, which forbids NET_ADMIN; {_EXPLICIT}"
    return None


def _required_labels(spec: Mapping[str, Any]) -> dict[str, str]:
    """Return labels that node affinity demands with one value each, where there is one term."""
    affinity = workload.mapping(workload.mapping(spec.get("affinity")).get("nodeAffinity"))
    required = workload.mapping(affinity.get("requiredDuringSchedulingIgnoredDuringExecution"))
    terms = required.get("nodeSelectorTerms")
    if not isinstance(terms, list) or len(terms) != 1:
        return {}
    found = {}
    for rule in workload.mapping(terms[0]).get("matchExpressions") or ():
        values = workload.mapping(rule).get("values")
        if workload.mapping(rule).get("operator") == "In" and isinstance(values, list) and len(values) == 1:
            found[str(rule.get("key"))] = str(values[0])
    return found


def ports(spec: Mapping[str, Any], parsed: Parsed, meshes: Meshes) -> Refusal | None:
    """Refuse where one of our ports is taken: in a pod all containers share them."""
    settings = parsed.sidecar
    ours: dict[int, str] = {names.HEALTH_PORT: ""}
    if settings.listens_inbound:
        ours[settings.proxy_in_port] = "proxy-in-port"
    if settings.listens_outbound:
        ours[settings.proxy_out_port] = "proxy-out-port"
    ours[settings.prometheus_port or names.METRICS_PORT] = "prometheus-port"
    taken = dict(meshes.ports)
    for container in workload.containers(spec):
        for port in container.get("ports") or ():
            number = port.get("containerPort")
            if isinstance(number, int) and port.get("protocol", "TCP") == "TCP":
                taken[number] = f"container {container['name']}"
    for number, name in ours.items():
        if number in taken:
            remedy = f"; choose another with {SIDECAR}/{name}" if name else ""
            return Reason.PORTS_TAKEN, f"port {number} is taken by {taken[number]}{remedy}"
    return None


def own_names(spec: Mapping[str, Any], added: parts.Parts) -> Refusal | None:
    """Refuse where a volume of the workload's own has the name of one of ours."""
    ours = {volume["name"] for volume in added.volumes}
    for volume in spec.get("volumes") or ():
        if volume.get("name") in ours:
            return Reason.NAME_TAKEN, f"it has a volume of its own named {volume['name']}; rename it"
    return None


def native(kind: str, spec: Mapping[str, Any], facts: Facts) -> tuple[bool, Refusal | None]:
    """Return whether the sidecar is a restartable init container, or why it cannot be."""
    ends = kind in workload.ENDS or (kind == "Pod" and spec.get("restartPolicy", "Always") != "Always")
    wish = facts.installation.sidecar_config.get("nativeSidecars", "jobs")
    if facts.cluster.has_native_sidecars:
        return ends or wish != "jobs", None
    if ends:
        return True, (
            Reason.NATIVE_SIDECAR_UNSUPPORTED,
            "its pods end by themselves, and beside an ordinary sidecar they would not; that needs Kubernetes 1.29 on"
            " all nodes",
        )
    if wish == "always":
        return True, (
            Reason.NATIVE_SIDECAR_UNSUPPORTED,
            "sidecar.nativeSidecars is `always`, and this cluster has no restartable init containers",
        )
    return False, None


def init_containers(parsed: Parsed, facts: Facts) -> Refusal | None:
    """Refuse transparent mode where the installation's kind of cluster allows no init container that redirects."""
    if parsed.sidecar.proxy_type == "transparent" and not parts.has_init(facts, names.INIT_RULES):
        return Reason.NO_INIT_CONTAINER, (
            "transparent mode needs an init container with NET_ADMIN, which this kind of cluster (gke-autopilot,"
            f" eks-fargate) forbids; {_EXPLICIT}"
        )
    return None


def pod_security(added: parts.Parts, facts: Facts) -> Refusal | None:
    """Refuse what the namespace's Pod Security level refuses: the Deployment would be accepted, its pods would not."""
    level = security.level(facts.namespace.labels, facts.cluster.pod_security)
    found = security.violations(level, added.containers, added.volumes)
    if not found:
        return None
    remedy = f"; {_EXPLICIT}" if added.inits else ""
    return Reason.POD_SECURITY, (
        f"namespace {facts.namespace.name} enforces Pod Security `{level}`, and {'; '.join(found[:3])}: its pods would"
        f" be refused{remedy}"
    )
