"""Reads what the decision about a component needs: the bundle as it is this moment, the live objects, pods.

The cached bundle alone is not enough to write by. A commit brings a new bundle and, after it, new components; whoever
sees the components first and still has the old bundle in memory would put them back. So before every decision the
API server is asked which bundle it has: only metadata, one page. That read comes after the change that woke us, so
it shows at least the bundle which that change was made with. It holds for two processes with different caches as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from speedscale_controller.bundle import Bundle
from speedscale_controller.bundle.reading import HASH
from speedscale_controller.reconciling.live import BUNDLE_LABEL
from speedscale_kube import Client, Object, Ref
from speedscale_schemas import selectors
from speedscale_schemas.errors import PermanentError

from .rollout import WORKLOADS, Rollout, cause

_PODS: Final = 20


@dataclass(frozen=True, slots=True)
class Present:
    """Which bundle the API server has: content hash and uid by ConfigMap."""

    hashes: Mapping[str, str]
    uids: Mapping[str, str]

    def is_of(self, bundle: Bundle) -> bool:
        """Say whether this is the bundle that we have in memory."""
        return dict(self.hashes) == dict(bundle.hashes)


def present(client: Client, namespace: str) -> Present:
    """Return which bundle there is now; ForbiddenError where it may not be read."""
    found = client.list("v1", "ConfigMap", namespace, labels=BUNDLE_LABEL, metadata_only=True)
    hashes = {one["metadata"]["name"]: (one["metadata"].get("annotations") or {}).get(HASH, "") for one in found}
    return Present(hashes, {one["metadata"]["name"]: str(one["metadata"].get("uid", "")) for one in found})


def objects(client: Client, wanted: Iterable[Ref]) -> dict[Ref, Object]:
    """Return those objects that live."""
    found = {which: client.find(which) for which in wanted}
    return {which: one for which, one in found.items() if one is not None}


def why(client: Client, workload: Object, seen: Rollout) -> Rollout:
    """Return why a workload is not up, from its pods where they say more than its status."""
    if workload.get("kind") not in WORKLOADS:
        return seen
    selector = selectors.text((workload.get("spec") or {}).get("selector"))
    namespace = workload["metadata"].get("namespace", "")
    try:
        page = next(iter(client.pages("v1", "Pod", namespace, labels=selector, limit=_PODS)))
    except PermanentError as error:
        return Rollout(seen.cause, f"{seen.message}; its pods cannot be read: {error}")
    return cause(page.items) or seen
