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


def namespace(values: Values) -> list[Manifest]:
    """Return the Namespace, or nothing where somebody else makes it.

    It enforces no Pod Security level: the demo's sidecar has an init container with NET_ADMIN, and nettap needs the
    host. The level that everything else meets is held by our own policy checks.
    """
    if not values.create_namespace:
        return []
    manifest: Manifest = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": metadata(values, NAME, values.namespace, namespace=""),
    }
    return [option(values, manifest, PROTECTION)]


COMPONENT = Component(name=NAME, chart="base", identity=namespace)
