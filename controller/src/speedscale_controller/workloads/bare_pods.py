"""Pods that nobody else makes, that ask for a sidecar and have none: admission missed them, and nothing can mend them.

Called now and then by the reconciler: a watch of every pod in a cluster would cost more than it tells. Only metadata is
listed, of pods without our label; the few that ask are then read and judged like any workload, which says why not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from speedscale_controller.injection import names
from speedscale_kube import Client
from speedscale_schemas.annotations import SIDECAR
from speedscale_schemas.asking.workloads import owned

from .counting import Place

KIND, VERSION = "Pod", "v1"
_ENDING = "deletionTimestamp"


def asking(client: Client, namespaces: Iterable[str]) -> Iterator[Place]:
    """Yield the pods of these namespaces (none: all) that ask for a sidecar and have none, and that nobody makes."""
    for namespace in tuple(namespaces) or ("",):
        pages = client.pages(VERSION, KIND, namespace, labels=f"!{names.INJECTED}", metadata_only=True)
        for page in pages:
            for pod in page.items:
                metadata = pod["metadata"]
                asks = (metadata.get("annotations") or {}).get(f"{SIDECAR}/inject") == "true"
                if asks and not owned(pod) and _ENDING not in metadata:
                    yield Place(KIND, str(metadata.get("namespace", "")), str(metadata["name"]))
