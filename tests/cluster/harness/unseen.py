"""Workloads that admission does not see: what healing is for, made at will."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from speedscale_kube import Client, Ref

from .cluster import Cluster
from .operator import ADMISSION, NAME
from .workloads import INJECT, SIDECAR, containers, deployment

_HOOKS = Ref(ADMISSION, "MutatingWebhookConfiguration", "", NAME)


@contextlib.contextmanager
def blind(kube: Client) -> Iterator[None]:
    """Have the API server not ask about workloads within the block; it may take a moment to know."""
    rules = kube.get(_HOOKS)["webhooks"][0]["rules"]
    kube.patch(_HOOKS, [{"op": "replace", "path": "/webhooks/0/rules", "value": []}], "tests", kind="json")
    try:
        yield
    finally:
        kube.patch(_HOOKS, [{"op": "replace", "path": "/webhooks/0/rules", "value": rules}], "tests", kind="json")


def missed(kube: Client, namespace: str, name: str) -> Ref:
    """Make a Deployment that asks for a sidecar and that admission does not see."""
    wanted = deployment(name, namespace, **INJECT)
    with blind(kube):
        Cluster.until(
            lambda: SIDECAR not in containers(kube.create(wanted, "user", dry_run=True)),
            "the API server no longer asks",
        )
        return kube.ref(kube.create(wanted, "user"))
