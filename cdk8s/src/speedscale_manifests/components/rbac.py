"""The operator's Roles and their bindings.

Without `namespaceSelector` the operator's rights over workloads hold in the whole cluster (a ClusterRole). With it they
hold in the named namespaces and our own (a Role each), and the ClusterRole keeps only what has no namespace. What
concerns the installation alone is a Role in its namespace in both. Which rights, and why, is in `rbac_grants`.
"""

from __future__ import annotations

from typing import Final

from speedscale_manifests.objects import (
    Grant,
    Manifest,
    cluster_role,
    cluster_role_binding,
    names,
    role,
    role_binding,
)
from speedscale_manifests.values import Values

from . import rbac_grants
from .component import Component

NAME: Final = "operator"


def rights(values: Values) -> list[Manifest]:
    """Return every Role and binding of the operator."""
    cluster = list(rbac_grants.cluster(values))
    per_namespace: dict[str, list[Grant]] = {values.namespace: []}
    if watched := names.watched_namespaces(values):
        per_namespace = {namespace: list(rbac_grants.workloads(values)) for namespace in watched}
    else:
        cluster += rbac_grants.workloads(values)
    per_namespace[values.namespace] += rbac_grants.own(values)
    manifests = [cluster_role(values, NAME, cluster), cluster_role_binding(values, NAME)]
    for namespace, grants in per_namespace.items():
        manifests.append(role(values, NAME, grants, namespace=namespace))
        manifests.append(role_binding(values, NAME, namespace=namespace))
    return manifests


COMPONENT = Component(name="rbac", chart="operator", identity=rights)
