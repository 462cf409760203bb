"""What injection has to know to change a workload for a replay: read when it is needed, for that namespace alone.

Called by `seeing`. Admission knows the same from memory; here a few reads more are no harm, and what is read is as new
as the workload itself. A right that is missing leaves its part out, as admission does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from speedscale_controller.bundle import Bundle
from speedscale_controller.certificates.names import STATE
from speedscale_controller.facts import Identity, assemble, server_version
from speedscale_controller.injection import Cluster, Facts, Namespace
from speedscale_controller.replay import WorkloadPatch
from speedscale_controller.settings import Settings
from speedscale_kube import Client, Ref
from speedscale_kube.errors import ForbiddenError

T = TypeVar("T")


class FactsReader:
    """Reads facts. The cluster's version is asked once."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._cluster: Cluster | None = None

    def read(self, namespace: str, settings: Settings, bundle: Bundle | None, patch: WorkloadPatch | None) -> Facts:
        """Return the facts of a workload in a namespace under a replay's patch, or under none."""
        state = self._client.find(Ref("v1", "ConfigMap", settings.namespace, STATE))
        return assemble(
            settings,
            bundle,
            identity=Identity.of(state),
            namespace=self._namespace(namespace, settings),
            cluster=self._server(),
            patch=patch,
        )

    def _namespace(self, name: str, settings: Settings) -> Namespace:
        client = self._client
        found = _allowed(lambda: client.find(Ref("v1", "Namespace", "", name)), None)
        return Namespace.of(
            found or {"metadata": {"name": name}},
            selected=settings.watches(name),
            quotas=_allowed(lambda: client.list("v1", "ResourceQuota", name), []),
            limit_ranges=_allowed(lambda: client.list("v1", "LimitRange", name), []),
        )

    def _server(self) -> Cluster:
        if self._cluster is None:
            self._cluster = Cluster(version=server_version(self._client.version()))
        return self._cluster


def _allowed(read: Callable[[], T], otherwise: T) -> T:
    try:
        return read()
    except ForbiddenError:
        return otherwise
