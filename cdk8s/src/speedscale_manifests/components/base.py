"""The installation's Namespace.

It is among the manifests only with `createNamespace`. Deleting or pruning it takes everything with it, so Argo CD must
ask a person first.
"""

from __future__ import annotations

from typing import Final

from speedscale_manifests.objects import Manifest, metadata, option
from speedscale_manifests.values import Values

from .component import Component

NAME: Final = "base"
PROTECTION: Final = "Delete=confirm,Prune=confirm"
POD_SECURITY: Final = "pod-security.kubernetes.io/enforce"


def namespace(values: Values) -> list[Manifest]:
    """Return the Namespace, or nothing where somebody else makes it.

    Where something asks for the node (nettap, `hostNetwork`), the namespace says so, or clusters that enforce a
    stricter Pod Security level by default would refuse those pods. Otherwise the cluster's own level holds; that ours
    meet `restricted` is held by the policy.
    """
    if not values.create_namespace:
        return []
    manifest: Manifest = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": metadata(values, NAME, values.namespace, namespace="", labels_=_level(values)),
    }
    return [option(values, manifest, PROTECTION)]


def _level(values: Values) -> dict[str, str]:
    return {POD_SECURITY: "privileged"} if values.ebpf.enabled or values.host_network else {}


COMPONENT = Component(name=NAME, chart="base", identity=namespace)
