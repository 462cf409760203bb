"""Two processes and one Lease on a real API server: one writes at a time, however the other one sleeps."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from harness.cluster import Cluster

from speedscale_kube import Client, Leader, Ref, Reflector, Stop, Store
from speedscale_kube.errors import ConflictError

pytestmark = pytest.mark.integration
SCRIPT = Path(__file__).with_name("candidate.py")
LEASE = "coordination.k8s.io/v1"
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(cluster: Cluster, kube: Client, namespace: str) -> Iterator[Start]:
    """Start candidates; none outlives the test."""
    it = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "it", "namespace": namespace}}
    kube.apply(it, "tests")
    with ExitStack() as stack:

        def make(identity: str, *how: str) -> subprocess.Popen[str]:
            command = [sys.executable, str(SCRIPT), str(cluster.kubeconfig), namespace, identity, *how]
            process = stack.enter_context(
                subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            )
            stack.callback(process.kill)
            return process

        yield make


@pytest.fixture
def written(kube: Client, namespace: str) -> Iterator[list[str]]:
    """Who wrote, in the order of the server's history."""
    seen: list[str] = []
    store: Store[str] = Store()
    store.add_handler(lambda key, old, new: seen.append(new.rpartition("-")[0]) if new else None)
    stop = Stop()
    reflector = Reflector(
        kube, "v1", "ConfigMap", namespace=namespace, fields="metadata.name=it", store=store,
        project=lambda it: str((it.get("data") or {}).get("by", "")),
    )  # fmt: skip
    thread = reflector.start(stop)
    assert reflector.wait_settled(60)
    yield seen
    stop.set()
    thread.join(30)


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def lease(kube: Client, namespace: str) -> dict[str, Any]:
    return dict(kube.get(Ref(LEASE, "Lease", namespace, "it"))["spec"])


@pytest.mark.fault("a lease holder is stopped past its lease", end="its next write is refused by itself")
def test_a_leader_that_was_stopped_past_its_lease_does_not_write_when_it_wakes(
    start: Start, written: list[str], kube: Client, namespace: str
) -> None:
    first = start("first", "freeze")
    assert [said(first), said(first)] == ["wrote", "freezing"]
    second = start("second")
    assert said(second) == "wrote", "it took the lease that was not renewed"
    Cluster.until(lambda: written.count("second") > 5, "the second one goes on writing")
    first.send_signal(signal.SIGCONT)
    assert [said(first), said(first)] == ["refused", "lost"]
    assert first.wait(60) == 3
    second.send_signal(signal.SIGTERM)
    assert said(second) == "lost"
    assert second.wait(60) == 0
    turns = [who for number, who in enumerate(written) if number == 0 or written[number - 1] != who]
    assert turns == ["first", "second"], "no write of the first after one of the second"
    spec = lease(kube, namespace)
    assert (spec["holderIdentity"], spec["leaseTransitions"]) == ("", 1)


def test_a_released_lease_passes_on_at_once_and_a_killed_holders_after_its_time(
    start: Start, kube: Client, namespace: str
) -> None:
    first = start("first")
    assert said(first) == "wrote"
    second = start("second")
    first.send_signal(signal.SIGTERM)
    assert first.wait(60) == 0
    assert said(second) == "wrote"
    third = start("third")
    second.kill()
    assert said(third) == "wrote"
    assert (lease(kube, namespace)["holderIdentity"], lease(kube, namespace)["leaseTransitions"]) == ("third", 2)


def test_the_lease_is_as_others_write_it(kube: Client, namespace: str) -> None:
    leader = Leader(kube, namespace, "it", "pod-a_1")
    assert leader._try()
    shown = kube.get(Ref(LEASE, "Lease", namespace, "it"))
    assert shown["spec"]["leaseDurationSeconds"] == 15
    before = shown["metadata"]["resourceVersion"]
    assert leader._try()
    assert kube.get(Ref(LEASE, "Lease", namespace, "it"))["metadata"]["resourceVersion"] != before
    other = Leader(kube, namespace, "it", "pod-b_2")
    assert not other._try()
    assert other.holder == "pod-a_1"


def test_an_apply_that_bears_a_version_is_refused_once_it_is_overtaken(kube: Client, namespace: str) -> None:
    it = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "it", "namespace": namespace}}
    read = kube.apply(it | {"data": {"a": "1"}}, "us")["metadata"]["resourceVersion"]
    kube.apply(it | {"data": {"a": "2"}}, "us")
    late = it | {"data": {"a": "1"}, "metadata": {**it["metadata"], "resourceVersion": read}}
    with pytest.raises(ConflictError, match="the object has been modified"):
        kube.apply(late, "us", force=True)
