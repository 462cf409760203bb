"""Services, always inside the cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from speedscale_manifests.values import Values

from .identity import metadata, selector
from .manifest import Manifest, prune


def service(
    values: Values,
    component: str,
    ports: Sequence[Mapping[str, Any]],
    *,
    name: str = "",
    annotations: Mapping[str, str] | None = None,
    **spec: Any,
) -> Manifest:
    """Return a ClusterIP Service of a component's pods.

    `ports`: as in Kubernetes; `protocol` defaults to TCP and is written. `spec`: further fields by their name.
    """
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(values, component, name, user_annotations=True, annotations=annotations),
        "spec": prune(
            {
                "type": "ClusterIP",
                "selector": selector(component),
                "ports": [{"protocol": "TCP", **port} for port in ports],
                **spec,
            }
        ),
    }
