"""Two whole replicas: who was stopped past its Lease, in the middle of its work, writes nothing when it goes on."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest
from harness.interposer import Asked, Fault, Hold
from harness.operator import Installation, Replica
from harness.unseen import missed
from harness.workloads import SIDECAR, containers

from speedscale_kube import Client

pytestmark = pytest.mark.integration
LEADS = "speedscale_operator_leader_state"


def leads(replica: Replica) -> bool:
    return replica.metric(LEADS, process="controller") == 1


@pytest.mark.fault(
    "the leader is stopped past its Lease between a read and a write", end="no two writers; it stands by"
)
def test_a_leader_that_was_stopped_writes_nothing_more(
    install: Any, interpose: Any, behind: Callable[..., Replica], kube: Client, namespace: str
) -> None:
    installation: Installation = install(operator={"replicas": 2})
    ways = (interpose(), interpose())
    first = behind(installation, ways[0], "operator-0")
    installation.until(lambda: leads(first), "the first leads")
    second = behind(installation, ways[1], "operator-1")
    reading, go_on = threading.Event(), threading.Event()

    def hold(asked: Asked) -> Fault | None:
        """Keep the first from hearing what it read, until it has been away."""
        if (asked.verb, asked.resource, asked.name) != ("get", "deployments", "shop"):
            return None
        reading.set()
        return Hold(go_on)

    assert first.pid is not None
    with ways[0].breaking(hold):
        which = missed(kube, namespace, "shop")
        assert reading.wait(30.0)
        os.killpg(first.pid, signal.SIGSTOP)
        for role in ("admission", "controller"):  # each is in its supervisor's group, or not: stopped twice is stopped
            os.kill(first.child(role), signal.SIGSTOP)
        try:
            asked_before = len(ways[0].asks)
            installation.until(lambda: leads(second), "the second leads", 40.0)
            installation.until(lambda: SIDECAR in containers(kube.get(which)), "the second mends", 60.0)
        finally:
            go_on.set()
            os.killpg(first.pid, signal.SIGCONT)
            for role in ("admission", "controller"):
                os.kill(first.child(role), signal.SIGCONT)
    ended = "speedscale_operator_process_restarts_total"
    installation.until(lambda: first.metric(ended, of="controller") >= 1, "the first ends its term", 60.0)
    installation.wait_ready(first)
    installation.until(lambda: "stands by" in first.get("/readyz")[1], "the first stands by")
    late = ways[0].writes(asked_before)
    assert [asked.about for asked in late] == []
    assert [asked.about for asked in ways[1].writes() if asked.name == "shop"] == [f"deployments/{namespace}/shop"]
    assert leads(second)
    assert not leads(first)
    assert kube.get(which)["metadata"]["generation"] == 2
