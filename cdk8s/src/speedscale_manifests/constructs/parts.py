"""One class a component: usable alone in a chart of the user's, and by `installation` in ours.

A part is its component's objects for given values and nothing else: `identity`, and `managed` where the profile puts
them into the output. Whether the component is enabled is not asked: a construct that stands in the code is wanted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from constructs import Construct

from speedscale_manifests.components.component import Component
from speedscale_manifests.components.inventory import COMPONENTS
from speedscale_manifests.objects import Manifest, stamp
from speedscale_manifests.values import Values, from_mapping

from .raw import RawObject

Given = Values | Mapping[str, Any] | None
"""What a construct takes as values: loaded ones, a mapping in the form of a values file, or None for the defaults."""


class Part(Construct):
    """Objects of one component, as children of this construct. Use the subclasses."""

    component: ClassVar[str] = ""

    def __init__(self, scope: Construct, id: str, values: Given = None) -> None:
        """Make the component's objects within a chart.

        Raises ConfigError (ValuesError) with every problem of a mapping that is no valid values file.
        """
        super().__init__(scope, id)
        self.values = settled(values, f"{scope.node.path}/{id}".lstrip("/"))
        self.objects: tuple[RawObject, ...] = tuple(add(self, self._manifests()))

    def find(self, kind: str, name: str = "") -> RawObject:
        """Return the one object of a kind (and name), to add a label to; LookupError when it is not just one."""
        found = [o for o in self.objects if o.kind == kind and name in ("", o.name)]
        if len(found) != 1:
            there = ", ".join(f"{o.kind} {o.name}" for o in self.objects)
            raise LookupError(f"{len(found)} objects are {kind} {name or 'of any name'}; there are {there}")
        return found[0]

    def _manifests(self) -> Iterable[Manifest]:
        return manifests(component(self.component), self.values)


class Base(Part):
    """The Namespace, unless `createNamespace` is off."""

    component = "base"


class CustomResources(Part):
    """The CustomResourceDefinition of TrafficReplay."""

    component = "crd"


class PreInstall(Part):
    """The Job that checks the way to the backend before the rest is applied."""

    component = "pre-install"


class Rights(Part):
    """Roles of the operator, and their bindings."""

    component = "rbac"


class Certificates(Part):
    """Certificates for an issuer of cert-manager; needs `certificates.mode: cert-manager`."""

    component = "certificates"


class Webhooks(Part):
    """The three webhook configurations."""

    component = "webhooks"


class Operator(Part):
    """The operator: Deployment, Service, ServiceAccount, ConfigMap, policies. Its rights are in `Rights`."""

    component = "operator"


class Sidecar(Part):
    """What injected sidecars need in our namespace; on most clusters nothing."""

    component = "sidecar"


class Collector(Part):
    """Identity and rights of the collectors that replays start."""

    component = "collector"


class Generator(Part):
    """Identity of the generators that replays start; on most clusters nothing."""

    component = "generator"


class Responder(Part):
    """Identity of the responders that replays start; on most clusters nothing."""

    component = "responder"


class Redis(Part):
    """Identity of the Redis that replays start; on most clusters nothing."""

    component = "redis"


class Forwarder(Part):
    """The forwarder with its rules and its spool."""

    component = "forwarder"


class Inspector(Part):
    """The inspector behind the dashboard."""

    component = "inspector"


class Nettap(Part):
    """Capture without sidecars: DaemonSet and ingest."""

    component = "nettap"


class Backend(Part):
    """The backend within the cluster."""

    component = "cloud"


class Demo(Part):
    """The demo application."""

    component = "demo"


BY_NAME: dict[str, type[Part]] = {
    part.component: part
    for part in (
        Base,
        CustomResources,
        PreInstall,
        Rights,
        Certificates,
        Webhooks,
        Operator,
        Sidecar,
        Collector,
        Generator,
        Responder,
        Redis,
        Forwarder,
        Inspector,
        Nettap,
        Backend,
        Demo,
    )
}
"""The class of each component of the table."""


def settled(values: Given, source: str) -> Values:
    """Return loaded values; `source` names a mapping in messages."""
    return values if isinstance(values, Values) else from_mapping({} if values is None else values, source)


def component(name: str) -> Component:
    """Return a component of the table; KeyError with the known ones."""
    for known in COMPONENTS:
        if known.name == name:
            return known
    raise KeyError(f"no component {name!r}; there are {', '.join(known.name for known in COMPONENTS)}")


def manifests(known: Component, values: Values) -> Iterable[Manifest]:
    """Yield what a component puts into the output, stamped with its sync wave."""
    for manifest in known.identity(values):
        yield stamp(values, known.chart, manifest, managed=False)
    if values.profile == "gitops":
        for manifest in known.managed(values):
            yield stamp(values, known.chart, manifest, managed=True)


def add(scope: Construct, given: Iterable[Manifest]) -> Iterable[RawObject]:
    """Yield a construct for each object; ours always say their namespace, so none of a chart's is taken."""
    for manifest in given:
        metadata = manifest["metadata"]
        namespace = metadata.get("namespace", "")
        id = "-".join(filter(None, (manifest["kind"], namespace, metadata["name"]))).lower()
        yield RawObject(scope, id, manifest, cluster_scoped=not namespace)
