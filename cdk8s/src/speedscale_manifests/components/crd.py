"""The CustomResourceDefinition of TrafficReplay.

Its schema comes from `speedscale_schemas.trafficreplay`, the same that admission and `speedctl lint` judge by. Deleting
a definition deletes every object of it: Argo CD must neither prune nor delete it.
"""

from __future__ import annotations

from typing import Final

from speedscale_manifests.objects import Manifest, metadata, names, option
from speedscale_manifests.values import Values
from speedscale_schemas import trafficreplay

from .component import Component

NAME: Final = "crd"
PROTECTION: Final = "ServerSideApply=true,Prune=false,Delete=false"


def definition(values: Values) -> list[Manifest]:
    """Return the CustomResourceDefinition; it is too large for client-side apply's annotation once it grows."""
    manifest: Manifest = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": metadata(values, NAME, names.CRD, namespace=""),
        "spec": {
            "group": trafficreplay.GROUP,
            "names": trafficreplay.crd_names(),
            "scope": "Namespaced",
            "conversion": {"strategy": "None"},
            "versions": trafficreplay.crd_versions(),
        },
    }
    return [option(values, manifest, PROTECTION)]


COMPONENT = Component(name=NAME, chart="base", identity=definition)
