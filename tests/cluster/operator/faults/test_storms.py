"""The whole operator while the API server, or the way to it, is in trouble: it comes to where it would have come."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from harness.cluster import Cluster
from harness.interposer import Asked, Cut, Fault, Hang, Interposer, Refuse, Rule, Truncate
from harness.operator import Installation, Replica
from harness.unseen import missed
from harness.workloads import INJECT, SIDECAR, containers, create, deployment

from speedscale_kube import Client

pytestmark = pytest.mark.integration
STORM = 40
"""So many requests are broken in one storm; then it is over, as storms are."""


def storm(fault: Callable[[Asked], Fault | None], most: int = STORM) -> tuple[Rule, Callable[[], int]]:
    """Return a rule that breaks up to `most` requests, and a question: how many has it broken?"""
    counted = itertools.count(1)
    broken = 0

    def rule(asked: Asked) -> Fault | None:
        nonlocal broken
        if asked.resource == "leases":  # who leads is another test's business
            return None
        found = fault(asked)
        if found is None or next(counted) > most:
            return None
        broken += 1
        return found

    return rule, lambda: broken


def every_other(fault: Fault, *, when: Callable[[Asked], bool] = lambda asked: True) -> Callable[[Asked], Fault | None]:
    """Break every other request that fits."""
    turn = itertools.count()
    return lambda asked: fault if when(asked) and next(turn) % 2 == 0 else None


def first(count: int, fault: Fault) -> Callable[[Asked], Fault | None]:
    """Break the first writes, one after the other."""
    turn = itertools.count()
    return lambda asked: fault if asked.writes and not asked.routine and next(turn) < count else None


def reads(asked: Asked) -> bool:
    return asked.method == "GET"


STORMS: dict[str, tuple[Callable[[], Callable[[Asked], Fault | None]], int]] = {
    "429": (lambda: every_other(Refuse(429, "TooManyRequests", 1)), 3),
    "409": (lambda: first(6, Refuse(409, "Conflict")), 6),
    "500": (lambda: every_other(Refuse(500, "InternalError")), 3),
    "latency": (lambda: every_other(Hang(0.5)), 3),
    "cut": (lambda: every_other(Cut()), 3),
    "cut after writing": (lambda: first(3, Cut(after=True)), 1),
    "truncated": (lambda: every_other(Truncate(100), when=reads), 3),
}
"""What is broken, and how many requests at the least: what was written before a cut is not written again."""


def pids(replica: Replica) -> tuple[int | None, int, int]:
    return replica.pid, replica.child("admission"), replica.child("controller")


def bugs(replica: Replica) -> list[dict[str, Any]]:
    """What the operator itself calls a bug, and tracebacks of Python's own."""
    return [e for e in replica.logs() if e.get("event") == "reconcile_bug" or "Traceback" in str(e.get("line", ""))]


@pytest.fixture
def scene(install: Any, interpose: Any, behind: Any) -> tuple[Installation, Interposer, Replica]:
    installation: Installation = install()
    way = interpose()
    return installation, way, behind(installation, way)


@pytest.mark.fault("storms of 429, 409, 500, latency, cut connections, cut answers", end="same end, no bug, no restart")
def test_a_storm_passes(
    scene: tuple[Installation, Interposer, Replica], kube: Client, cluster: Cluster, namespace: str
) -> None:
    """One operator, one storm after the other; during each a workload that admission missed is to be mended."""
    installation, way, replica = scene
    before = pids(replica)
    for name, (make, least) in STORMS.items():
        rule, broken = storm(make())
        way.cut()  # watches come back into the storm
        with way.breaking(rule):
            which = missed(kube, namespace, f"in-{name.replace(' ', '-')}")
            installation.until(
                lambda which=which: SIDECAR in containers(kube.get(which)), f"{name}: the workload is mended", 90.0
            )
            told = create(cluster, deployment("asked", namespace, **INJECT), dry_run=True)
            assert (told.status, SIDECAR in containers(told.body)) == (201, True), (name, told.warnings)
            seen = broken()
        assert seen >= least, f"{name}: {seen} requests were broken; that is no storm"
        body = containers(kube.get(which))
        assert body.count(SIDECAR) == 1, (name, body)
    assert pids(replica) == before
    assert bugs(replica) == []
    quiet = "speedscale_operator_queue_keys"
    installation.until(
        lambda: replica.metric(quiet, process="controller", reconciler="workloads") == 0, "the queue empties"
    )
