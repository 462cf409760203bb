"""Fields that others own by right, with the reason: tables, no code that decides.

Called by `judge`. A line belongs here when a healthy, untouched object would otherwise be reported.
"""

from __future__ import annotations

import re
from typing import Final

# Field managers whose task is to write into objects of others. A name covers `name`, `name-…` and `name/…`.
CONTROLLERS: Final = {
    "kube-controller-manager": "revisions, replicas by a HorizontalPodAutoscaler, aggregated rules, claims' volumes",
    "kube-apiserver": "allocated addresses, storage versions",
    "kube-scheduler": "bindings",
    "kubelet": "pod status",
    "cloud-controller-manager": "load balancers of Services",
    "cainjector": "caBundle of webhooks and definitions",
    "cert-manager-cainjector": "caBundle of webhooks and definitions",
    "vpa-updater": "resources by a VerticalPodAutoscaler",
    "keda-operator": "replicas by a ScaledObject",
}

# Fields that are never compared, whoever set them: `metadata.` of the server's own, and injected trust.
_UNCOMPARED: Final = (
    r"^status(\.|\[|$)",
    r"metadata\.(managedFields|resourceVersion|uid|generation|creationTimestamp|selfLink|deletion\w+|namespace|name)\b",
    r"webhooks\[[^]]*\]\.clientConfig\.caBundle$",
    r"spec\.conversion\.webhook\.clientConfig\.caBundle$",
)
UNCOMPARED: Final = re.compile("|".join(f"(?:{pattern})" for pattern in _UNCOMPARED))

# Marks that tools leave on what they manage; only where git does not name them itself.
_MARKS: Final = (
    "argocd.argoproj.io/tracking-id",
    "argocd.argoproj.io/instance",
    "argocd.argoproj.io/installation-id",
    "app.kubernetes.io/instance",
    "app.kubernetes.io/managed-by",
    "kubectl.kubernetes.io/last-applied-configuration",
    "kubectl.kubernetes.io/restartedAt",
    "deployment.kubernetes.io/revision",
    "deprecated.daemonset.template.generation",
    "kubernetes.io/metadata.name",
    "meta.helm.sh/release-name",
    "meta.helm.sh/release-namespace",
    "helm.sh/resource-policy",
    "olm.owner",
)
_MARK_PREFIXES: Final = ("kustomize.toolkit.fluxcd.io/", "helm.toolkit.fluxcd.io/", "pv.kubernetes.io/")


def is_controller(manager: str, also: frozenset[str] = frozenset()) -> bool:
    """Say whether a manager writes by right; `also` are names that the user trusts besides."""
    return any(manager == name or manager.startswith((f"{name}-", f"{name}/")) for name in (*CONTROLLERS, *also))


def is_mark(name: str) -> bool:
    """Say whether a label or annotation is a tool's mark."""
    return name in _MARKS or name.startswith(_MARK_PREFIXES)
