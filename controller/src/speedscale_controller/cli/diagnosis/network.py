"""Checks of NetworkPolicies in the users' namespaces: what sidecars and replays need must be let through.

A policy counts for a pod when its selector fits; a direction is closed as soon as one policy that counts names it, and
open for what any of them allows (networking.k8s.io/v1, NetworkPolicySpec). Addresses (`ipBlock`) cannot be judged here
and count as open, so that nobody is sent after a policy that works.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from speedscale_controller.cli.capture import State
from speedscale_controller.cli.objects import title
from speedscale_controller.injection import labels_of, mapping, pod_template
from speedscale_schemas.selectors import selects

from .model import Check, Facts, Object, Result, ok, warn

FORWARDER_PORT = 8888
_ASKED = (State.INJECTED, State.STALE, State.PENDING)


def closed(policies: Sequence[Object], labels: Mapping[str, Any], direction: str) -> list[Mapping[str, Any]]:
    """Return the specs of the policies that close a direction for pods with these labels."""
    found = []
    for policy in policies:
        spec = mapping(policy.get("spec"))
        types = spec.get("policyTypes") or ["Ingress", *(["Egress"] if "egress" in spec else [])]
        if direction in types and selects(spec.get("podSelector"), labels):
            found.append(spec)
    return found


def allows(rule: object, peer: str, namespace: Mapping[str, Any], pod: Mapping[str, Any], port: int) -> bool:
    """Say whether a rule (`from` or `to` is `peer`) lets traffic with a pod in a namespace through."""
    one = mapping(rule)
    if one.get("ports") and not any(_port(mapping(p), port) for p in one["ports"]):
        return False
    peers = one.get(peer)
    return not peers or any(_peer(mapping(p), namespace, pod) for p in peers)


def _port(one: Mapping[str, Any], port: int) -> bool:
    if one.get("protocol", "TCP") != "TCP":
        return False
    first = one.get("port")
    if not isinstance(first, int):
        return True  # none: all; a name: of the other side's container, which is not known here
    return first <= port <= int(one.get("endPort") or first)


def _peer(one: Mapping[str, Any], namespace: Mapping[str, Any], pod: Mapping[str, Any]) -> bool:
    if "ipBlock" in one:
        return True
    if "namespaceSelector" not in one:
        return False  # the policy's own namespace, which is another
    return selects(one["namespaceSelector"], namespace) and selects(one.get("podSelector"), pod)


def policies(facts: Facts) -> Result:
    """Ask whether captured pods may send to the forwarder."""
    namespace = {"kubernetes.io/metadata.name": facts.namespace}
    own = facts.named("namespaces", facts.namespace)
    namespace |= dict(labels_of(own or {}))
    forwarder = {"app": "speedscale-forwarder", "controlplane.speedscale.com/component": "forwarder"}
    wanted = {(one.kind, one.namespace, one.name) for one in facts.captured if one.state in _ASKED}
    found = []
    for obj in facts.all("workloads"):
        place = str(obj["metadata"].get("namespace", ""))
        if (obj.get("kind"), place, obj["metadata"].get("name")) not in wanted or place == facts.namespace:
            continue
        here = [p for p in facts.all("network_policies") if p["metadata"].get("namespace") == place]
        closing = closed(here, labels_of(pod_template(obj)), "Egress")
        rules = [rule for spec in closing for rule in spec.get("egress") or ()]
        if closing and not any(allows(rule, "to", namespace, forwarder, FORWARDER_PORT) for rule in rules):
            found.append(f"{title(obj)}: nothing lets it out to TCP {FORWARDER_PORT} of namespace {facts.namespace}")
    if found:
        return warn(
            "NetworkPolicies keep sidecars from the forwarder: what they capture is lost, and counted",
            f"allow egress to namespace {facts.namespace}, pods app=speedscale-forwarder, TCP {FORWARDER_PORT}, and to"
            " the cluster's DNS",
            found,
        )
    return ok("nothing keeps sidecars from the forwarder")


def replays(facts: Facts) -> Result:
    """Ask whether namespaces with replays shut their workloads off from generator and responder."""
    namespaces = {str(obj["metadata"].get("namespace")) for obj in facts.all("replays")}
    found = []
    for policy in facts.all("network_policies"):
        spec = mapping(policy.get("spec"))
        labels = labels_of(policy)
        if policy["metadata"].get("namespace") not in namespaces or "replay.speedscale.com/id" in labels:
            continue
        if not mapping(spec.get("podSelector")) and any(
            not spec.get(way.lower()) for way in spec.get("policyTypes") or ["Ingress"]
        ):
            found.append(f"{title(policy)}: denies {' and '.join(spec.get('policyTypes') or ['Ingress'])} by default")
    if found:
        return warn(
            "namespaces with replays deny by default",
            "allow between pods with label replay.speedscale.com/component and the workload under test, both ways",
            found,
        )
    return ok("no namespace with replays denies by default")


CHECKS = (
    Check("policies", "sidecars reach the forwarder", policies, ("workloads", "network_policies", "namespaces")),
    Check("policies-replay", "generator and responder reach workloads", replays, ("replays", "network_policies")),
)
