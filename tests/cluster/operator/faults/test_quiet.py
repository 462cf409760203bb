"""With the operator running, a GitOps tool that applies again and again and an autoscaler: nothing is written for it.

Every write of the operator is counted at the interposer, by object and by the field manager that it is written under.
`QUIET_S` says how long the second half lasts (seconds, 60 without it; ten minutes are 600). Pods are played, so that
components come up: one that never does is told after five minutes, which is a cause.
"""

from __future__ import annotations

import collections
import copy
import itertools
import os
import time
from collections.abc import Callable
from typing import Any

import pytest
from harness.cluster import Cluster
from harness.faults import aligned
from harness.interposer import Asked, Interposer
from harness.nodes import Nodes
from harness.operator import NAME, Installation, Replica
from harness.workloads import INJECT, SIDECAR, containers, deployment

from speedscale_controller.bundle import Bundle
from speedscale_kube import Client, Object, Ref
from speedscale_manifests.bundle import bundle
from speedscale_manifests.components.inventory import inventory

pytestmark = pytest.mark.integration
QUIET_S = float(os.environ.get("QUIET_S", "60"))
ROUND_S, REST_S = 2.0, 4.0
GIT, HPA = "argocd-controller", "kube-controller-manager"


def git(installation: Installation, namespace: str) -> list[Object]:
    """Return what a GitOps tool has: installation, components, a workload of each kind with a sidecar."""
    made = Bundle.read(bundle(installation.values))
    parts = ("forwarder", "inspector", "demo")
    components = [dict(one) for part in parts for one in made.managed(part)]
    accounts = [
        item.manifest
        for item in inventory(installation.values)
        if item.component in parts and item.manifest["kind"] == "ServiceAccount"
    ]
    workloads = [
        {**deployment(kind.lower(), namespace, **INJECT), "kind": kind} for kind in ("Deployment", "StatefulSet")
    ]
    daemons = {**deployment("daemonset", namespace, **INJECT), "kind": "DaemonSet"}
    del daemons["spec"]["replicas"]
    scaled = deployment("scaled", namespace, **INJECT)
    del scaled["spec"]["replicas"]  # an autoscaler's
    plain = deployment("plain", namespace)
    definition = ("CustomResourceDefinition",)
    own = [one for one in installation.objects() if one["kind"] not in definition]
    return copy.deepcopy([*own, *accounts, *components, *workloads, daemons, scaled, plain])


def counted(asks: list[Asked]) -> dict[tuple[str, str], int]:
    return collections.Counter((asked.about, f"{asked.verb} by {asked.manager or asked.agent}") for asked in asks)


def come_up(installation: Installation) -> None:
    """Wait until the operator has noted of every component how it is in the end: a line that will change is a cause."""
    which = Ref("v1", "ConfigMap", installation.namespace, "speedscale-operator-state")

    def settled() -> bool:
        found = installation.kube.find(which)
        lines = str(((found or {}).get("data") or {}).get("components") or "").splitlines()
        return bool(lines) and not any(": starting" in line or ": waiting" in line for line in lines)

    installation.until(settled, "the components are up", 120.0)


def rest(way: Interposer) -> None:
    """Wait until nothing has been written for a while."""

    def still() -> bool:
        seen = way.writes()
        return not seen or time.monotonic() - seen[-1].at > REST_S

    Cluster.until(still, "nothing more is written", 60.0)


@pytest.mark.fault("Argo-like re-applies and an HPA, the whole operator", end="no object is written without cause")
@pytest.mark.parametrize("drift", ["enforce"])
def test_nothing_is_written_without_cause(
    install: Any,
    interpose: Any,
    behind: Callable[..., Replica],
    running_pods: Nodes,
    kube: Client,
    namespace: str,
    drift: str,
    record_property: Callable[[str, object], None],
) -> None:
    installation: Installation = install(operator={"drift": drift})
    way = interpose()
    replica = behind(installation, way)
    objects = git(installation, namespace)
    refs = [kube.ref(kube.apply(one, GIT, force=True)) for one in objects]
    scaled = Ref("apps/v1", "Deployment", namespace, "scaled")
    installation.until(lambda: SIDECAR in containers(kube.get(scaled)), "it is injected")
    leads = "speedscale_operator_leader_state"
    installation.until(lambda: replica.metric(leads, process="controller") == 1, "it leads")
    come_up(installation)
    claims = [which for which in refs if which.kind == "PersistentVolumeClaim"]
    installation.until(
        lambda: all(kube.get(one)["status"].get("phase") == "Bound" for one in claims), "claims are bound"
    )
    rest(way)
    setting_up = counted(way.writes())
    assert any("secrets" in about for about, _ in setting_up), "the interposer sees what is written"

    before = {which: _version(kube, which) for which in refs}
    way.forget()
    until = time.monotonic() + QUIET_S
    rounds = 0
    for replicas in itertools.cycle((2, 3, 4)):
        for one in objects:
            kube.apply(one, GIT, force=True)
        change = [{"op": "replace", "path": "/spec/replicas", "value": replicas}]
        kube.patch(scaled, change, HPA, kind="json", subresource="scale")
        rounds += 1
        if time.monotonic() > until:
            break
        time.sleep(ROUND_S)  # as often as such a tool comes
    rest(way)
    in_peace = counted(way.writes())
    record_property("told", _table(setting_up, in_peace, rounds))
    assert rounds >= 3
    assert in_peace == {}
    after = {which: _version(kube, which) for which in refs}
    assert {which: pair for which in refs if (pair := (before[which], after[which]))[0] != pair[1]} == {}
    assert replica.metric("speedscale_operator_reconcile_results_total", outcome="bug") == 0

    # what has a cause is written, and counted: the test does see
    hooks = Ref("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", "", NAME)
    empty = [{"op": "replace", "path": "/webhooks/0/clientConfig/caBundle", "value": ""}]
    kube.patch(hooks, empty, "user", kind="json")
    installation.until(lambda: bool(way.writes()), "a cause makes a write")


def _version(kube: Client, which: Ref) -> object:
    """Return what changes when its spec is written, without what an autoscaler and controllers change."""
    live = kube.get(which)
    spec = {key: value for key, value in (live.get("spec") or {}).items() if key != "replicas"}
    meta = live["metadata"]
    return spec, live.get("data"), live.get("webhooks"), meta.get("labels"), _marks(meta)


def _marks(meta: dict[str, Any]) -> dict[str, str]:
    return {key: text for key, text in (meta.get("annotations") or {}).items() if "deployment.kubernetes.io" not in key}


def _table(setting_up: dict[tuple[str, str], int], in_peace: dict[tuple[str, str], int], rounds: int) -> list[str]:
    cells: list[tuple[str, ...]] = [("object", "while set up", f"in {rounds} rounds of re-applies", "cause")]
    for about, cause in sorted({**setting_up, **in_peace}):
        key = (about, cause)
        cells.append((about, str(setting_up.get(key, 0)), str(in_peace.get(key, 0)), cause))
    return aligned(cells)
