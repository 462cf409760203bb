"""The table of all components, and what stands in the output for given values.

The bundle's ConfigMaps are not here: they are made of this, one layer above, and stamped by `objects.stamp`.
"""

from __future__ import annotations

from collections.abc import Iterator

from speedscale_manifests.objects import Manifest, reference, stamp
from speedscale_manifests.values import Values
from speedscale_schemas.errors import ConfigError

from . import (
    backend,
    base,
    certificates,
    crd,
    demo,
    forwarder,
    inspector,
    nettap,
    operator,
    preinstall,
    rbac,
    replay_collector,
    replay_generator,
    replay_redis,
    replay_responder,
    sidecar,
    webhooks,
)
from .component import CHARTS, Component, Placed

COMPONENTS: tuple[Component, ...] = (
    base.COMPONENT,
    crd.COMPONENT,
    preinstall.COMPONENT,
    rbac.COMPONENT,
    certificates.COMPONENT,
    webhooks.COMPONENT,
    operator.COMPONENT,
    sidecar.COMPONENT,
    replay_collector.COMPONENT,
    replay_generator.COMPONENT,
    replay_responder.COMPONENT,
    replay_redis.COMPONENT,
    forwarder.COMPONENT,
    inspector.COMPONENT,
    nettap.COMPONENT,
    backend.COMPONENT,
    demo.COMPONENT,
)
"""Every component, in the order in which its objects are written."""


def enabled(values: Values) -> tuple[Component, ...]:
    """Return the components that these values deploy."""
    return tuple(component for component in COMPONENTS if component.enabled(values))


def inventory(values: Values) -> tuple[Placed, ...]:
    """Return every object of `dist/` but the bundle, by chart, then in the order of the table.

    Raises ConfigError when two components make the same object: one would silently overwrite the other.
    """
    placed = sorted(_placed(values), key=lambda item: CHARTS.index(item.chart))
    _refuse_twins(placed)
    return tuple(placed)


def _placed(values: Values) -> Iterator[Placed]:
    for component in enabled(values):
        for manifest in component.identity(values):
            yield _place(values, component, manifest, managed=False)
        if values.profile == "gitops":
            for manifest in component.managed(values):
                yield _place(values, component, manifest, managed=True)


def _place(values: Values, component: Component, manifest: Manifest, *, managed: bool) -> Placed:
    stamped = stamp(values, component.chart, manifest, managed=managed)
    return Placed(component.chart, component.name, stamped, managed)


def _refuse_twins(placed: list[Placed]) -> None:
    seen: dict[object, str] = {}
    problems = []
    for item in placed:
        key = reference(item.manifest)
        if key in seen:
            problems.append(f"{key} is made by {seen[key]} and by {item.component}; one would overwrite the other")
        seen[key] = item.component
    if problems:
        raise ConfigError(problems)
