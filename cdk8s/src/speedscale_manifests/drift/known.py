"""What of the cluster is this product's: labels, the operator's name as a field manager, kinds that it is made of.

Called by `gather`. What others own by right in anybody's objects is in `speedscale_kube.compare.known`.
"""

from __future__ import annotations

from typing import Final

PART_OF: Final = "app.kubernetes.io/part-of=speedscale"
COMPONENT: Final = "controlplane.speedscale.com/component"

OPERATOR: Final = frozenset({"speedscale-operator"})
"""Writes caBundle, overrides, sidecars, what the controller makes from the bundle: all by right."""

# Where objects of ours that git no longer has are looked for. No Secrets: none is in git, and reading them is a right.
KINDS: Final = (
    ("v1", "ConfigMap"),
    ("v1", "Namespace"),
    ("v1", "PersistentVolumeClaim"),
    ("v1", "PodTemplate"),
    ("v1", "Service"),
    ("v1", "ServiceAccount"),
    ("apps/v1", "DaemonSet"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"),
    ("batch/v1", "CronJob"),
    ("batch/v1", "Job"),
    ("networking.k8s.io/v1", "Ingress"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("policy/v1", "PodDisruptionBudget"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("rbac.authorization.k8s.io/v1", "ClusterRole"),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"),
    ("rbac.authorization.k8s.io/v1", "Role"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"),
    ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration"),
    ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
)
