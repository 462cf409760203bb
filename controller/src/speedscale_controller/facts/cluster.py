"""What the cluster can: the server's version, and whether every kubelet knows native sidecars."""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from speedscale_controller.injection import Cluster
from speedscale_kube import Client, Object
from speedscale_kube.errors import ForbiddenError
from speedscale_schemas.errors import PeerError, PermanentError, TransientError

NATIVE_SIDECARS = (1, 29)
_log = structlog.get_logger("speedscale_controller")


def observe(client: Client, before: Cluster) -> Cluster:
    """Read the server's version and the nodes' kubelets anew; `before` when they cannot be read."""
    try:
        now = _live(client)
    except (TransientError, PermanentError, PeerError) as error:
        _log.warning("cluster_not_observed", error=str(error))
        return before
    if now != before:
        _log.info("cluster_observed", version=".".join(map(str, now.version)), native_sidecars=now.has_native_sidecars)
    return now


def server_version(text: str) -> tuple[int, int]:
    """Return major and minor of `v1.34.4` or `v1.29.3-gke.100`; of anything else, what needs nothing new."""
    parts = text.removeprefix("v").split(".")
    try:
        return int(parts[0]), int("".join(c for c in parts[1] if c.isdigit()))
    except (IndexError, ValueError):
        return (1, 25)


def cluster_of(version: str, nodes: Iterable[Object]) -> Cluster:
    """Return what a cluster can: the server's version as it says it, and all nodes, as far as they tell theirs.

    A node that has just joined says nothing yet; it counts when it does.
    """
    server = server_version(version)
    return Cluster(version=server, native_sidecars=_native(server, _kubelets(nodes)))


def _live(client: Client) -> Cluster:
    """Return what the cluster can, page by page; by the server alone where nodes may not be read."""
    version = client.version()
    try:
        return cluster_of(version, (node for page in client.pages("v1", "Node") for node in page.items))
    except ForbiddenError:
        return cluster_of(version, ())


def _kubelets(nodes: Iterable[Object]) -> tuple[tuple[int, int], ...]:
    told = (
        ((node.get("status") or {}).get("nodeInfo") or {}).get("kubeletVersion") for node in nodes if not virtual(node)
    )
    return tuple(server_version(str(version)) for version in told if version)


def virtual(node: Object) -> bool:
    """Say whether no kubelet of its own runs pods there: it gets none of our sidecars."""
    return ((node["metadata"].get("labels") or {}).get("type")) == "virtual-kubelet"


def _native(version: tuple[int, int], kubelets: Iterable[tuple[int, int]]) -> bool | None:
    """Return whether restartable init containers work on every node; None where only the server's version is known."""
    oldest = min(kubelets, default=None)
    return None if oldest is None else min(oldest, version) >= NATIVE_SIDECARS
