"""What of the cluster is this product's: labels, the operator's name as a field manager, kinds that it is made of.

Called by `gather`. What others own by right in anybody's objects is in `speedscale_kube.compare.known`.
"""

from __future__ import annotations

from typing import Final

from speedscale_schemas import installed

PART_OF: Final = "app.kubernetes.io/part-of=speedscale"
COMPONENT: Final = "controlplane.speedscale.com/component"

OPERATOR: Final = frozenset({"speedscale-operator"})
"""Writes caBundle, overrides, sidecars, what the controller makes from the bundle: all by right."""

KINDS: Final = (
    *installed.KINDS,
    ("v1", "Namespace"),
    ("v1", "PodTemplate"),
    ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration"),
    ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
)
"""Where objects of ours that git no longer has are looked for."""
