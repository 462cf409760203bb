"""All objects of an installation without cdk8s: the components' and the bundle's, in the order of the output. Pure."""

from __future__ import annotations

from speedscale_manifests.bundle import bundle
from speedscale_manifests.components.component import Placed
from speedscale_manifests.components.inventory import inventory
from speedscale_manifests.objects import Manifest
from speedscale_manifests.values import Values


def placed(values: Values) -> tuple[Placed, ...]:
    """Return every object of `dist/` with its chart; raises ConfigError as `inventory` and `bundle` do."""
    bundled = (Placed("operator", "bundle", manifest, managed=False) for manifest in bundle(values))
    return (*inventory(values), *bundled)


def objects(values: Values) -> list[Manifest]:
    """Return every object of `dist/`; raises as `placed`."""
    return [item.manifest for item in placed(values)]
