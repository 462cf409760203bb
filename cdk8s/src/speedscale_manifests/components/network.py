"""NetworkPolicies: each component reaches what it needs and nothing else.

`policy` is the helper every component uses in its `managed` (or `identity`) objects; it returns nothing when the values
switch policies off. Both directions are always stated: what is not listed is refused. Peers here are the only words
for "who" (`pods_of`, `anywhere`, `dns`, …), so that every policy says the same thing in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from speedscale_manifests.objects import Manifest, metadata, selector
from speedscale_manifests.values import Values

NAMESPACE_NAME = "kubernetes.io/metadata.name"


def policy(
    values: Values,
    component: str,
    *,
    ingress: Sequence[Manifest] = (),
    egress: Sequence[Manifest] = (),
    name: str = "",
    annotations: Mapping[str, str] | None = None,
) -> list[Manifest]:
    """Return the component's NetworkPolicy, or nothing when `networkPolicies.enabled` is off.

    `ingress`, `egress`: rules made by the functions below; without any, that direction is closed.
    """
    if not values.network_policies.enabled:
        return []
    spec: Manifest = {
        "podSelector": {"matchLabels": selector(component)},
        "policyTypes": ["Ingress", "Egress"],
    }
    if ingress:
        spec["ingress"] = list(ingress)
    if egress:
        spec["egress"] = list(egress)
    return [
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": metadata(values, component, name, annotations=annotations),
            "spec": spec,
        }
    ]


def ports(*numbers: int | str, protocol: str = "TCP") -> list[Manifest]:
    """Return a rule's ports, by number or by container port name."""
    return [{"port": number, "protocol": protocol} for number in numbers]


def from_anywhere(*numbers: int | str) -> Manifest:
    """Return an ingress rule: whoever asks, on these ports (the API server has no label to select by)."""
    return {"ports": ports(*numbers)}


def from_all_pods(*numbers: int | str) -> Manifest:
    """Return an ingress rule: pods of every namespace of the cluster, nothing outside it."""
    return {"from": [{"namespaceSelector": {}}], "ports": ports(*numbers)}


def from_component(component: str, *numbers: int | str) -> Manifest:
    """Return an ingress rule: pods of one of our components in our namespace."""
    return {"from": [_pods(component)], "ports": ports(*numbers)}


def metrics(values: Values, *numbers: int | str) -> list[Manifest]:
    """Return the ingress rule for scraping, none unless `networkPolicies.metricsNamespaces` names somebody."""
    namespaces = values.network_policies.metrics_namespaces
    if not namespaces:
        return []
    peers = [{"namespaceSelector": {"matchLabels": {NAMESPACE_NAME: name}}} for name in namespaces]
    return [{"from": peers, "ports": ports(*numbers)}]


def to_dns() -> Manifest:
    """Return an egress rule: name resolution.

    Peers are open: cluster DNS may be pods, a node-local cache on a link-local address or the cloud's resolver.
    Policies see the port of the pod, which on OpenShift is 5353.
    """
    return {"ports": [*ports(53, 5353, protocol="UDP"), *ports(53, 5353)]}


def to_api_server(values: Values) -> Manifest:
    """Return an egress rule: the API server, on `apiServerPorts` and, where given, `apiServerCidrs`."""
    settings = values.network_policies
    rule: Manifest = {"ports": ports(*settings.api_server_ports)}
    if settings.api_server_cidrs:
        rule = {"to": [{"ipBlock": {"cidr": cidr}} for cidr in settings.api_server_cidrs], **rule}
    return rule


def to_component(component: str, *numbers: int | str) -> Manifest:
    """Return an egress rule: pods of one of our components in our namespace, by the port of the pod."""
    return {"to": [_pods(component)], "ports": ports(*numbers)}


def to_all_pods(*numbers: int | str) -> Manifest:
    """Return an egress rule: pods of every namespace of the cluster; without ports, on every port."""
    rule: Manifest = {"to": [{"namespaceSelector": {}}]}
    return {**rule, "ports": ports(*numbers)} if numbers else rule


def to_outside(values: Values, *more: int) -> Manifest:
    """Return an egress rule: backend and exporters anywhere, on `backendPorts` and `more` ports."""
    return {"ports": ports(*dict.fromkeys((*values.network_policies.backend_ports, *more)))}


def _pods(component: str) -> Manifest:
    return {"podSelector": {"matchLabels": selector(component)}}


__all__ = [
    "from_all_pods",
    "from_anywhere",
    "from_component",
    "metrics",
    "policy",
    "ports",
    "to_all_pods",
    "to_api_server",
    "to_component",
    "to_dns",
    "to_outside",
]
