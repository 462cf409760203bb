"""A control plane that forgets and restarts under a running operator: what changed meanwhile is found."""

from __future__ import annotations

import contextlib
import json
import ssl
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from harness.cluster import Cluster
from harness.components import CONTROL_PLANE, HOST
from harness.interposer import Asked, Cut, Fault, Interposer
from harness.operator import Installation, Replica
from harness.unseen import missed
from harness.workloads import SIDECAR, containers

from speedscale_kube import Client

pytestmark = pytest.mark.integration
_SERVER = next(one for one in CONTROL_PLANE if one.name == "kube-apiserver")


class ControlPlane:
    """A cluster of the test's own whose API server keeps no watch cache: what etcd forgot is forgotten."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def restart(self) -> None:
        """End the API server and start it anew, on the same port with the same data."""
        cluster, layout = self.cluster, self.cluster.layout
        process = cluster._processes[_SERVER.name]
        process.stop(deadline_s=2)
        process.start([str(cluster._programs[_SERVER.name]), *_SERVER.arguments(layout), "--watch-cache=false"])
        process.wait(lambda: _SERVER.ready(layout), _SERVER.deadline_s)

    def forget(self) -> None:
        """Have etcd forget all versions but the newest (a compaction, through etcd's own JSON gateway)."""
        revision = self._etcd("range", {"key": "AA=="})["header"]["revision"]
        self._etcd("compaction", {"revision": revision, "physical": True})

    def _etcd(self, what: str, body: dict[str, Any]) -> dict[str, Any]:
        layout = self.cluster.layout
        context = ssl.create_default_context(cafile=str(layout.etcd_ca.certificate))
        pair = layout.issued["etcd-client"]
        context.load_cert_chain(pair.certificate, pair.key)
        request = urllib.request.Request(
            f"https://{HOST}:{layout.ports['etcd']}/v3/kv/{what}", json.dumps(body).encode()
        )
        with urllib.request.urlopen(request, context=context, timeout=30) as answer:
            return dict(json.load(answer))


@pytest.fixture
def own(
    cluster: Cluster, address: str, tmp_path: Path, behind: Callable[..., Replica]
) -> Iterator[tuple[ControlPlane, Installation, Interposer, Replica, Client]]:
    """An operator in a cluster of its own (the session's shows that the programs are there)."""
    with contextlib.ExitStack() as stack:
        plane = ControlPlane(stack.enter_context(Cluster(tmp_path / "it")))
        plane.restart()
        kube = stack.enter_context(plane.cluster.client())
        installation = Installation(plane.cluster, kube, "speedscale", tmp_path / "op", address, {})
        stack.callback(installation.end)
        installation.apply()
        way = Interposer(plane.cluster, tmp_path / "way")
        stack.callback(way.close)
        yield plane, installation, way, behind(installation, way), kube


@pytest.mark.fault("etcd is compacted while the operator hears nothing", end="listed anew; who came and went is found")
@pytest.mark.fault("the API server restarts under the operator", end="goes on; at most the Lease is lost and won again")
def test_history_is_lost(own: tuple[ControlPlane, Installation, Interposer, Replica, Client]) -> None:
    plane, installation, way, replica, kube = own
    injected = "speedscale_operator_workloads_injected_objects"
    first = missed(kube, "default", "first")
    installation.until(lambda: SIDECAR in containers(kube.get(first)), "it is mended")
    installation.until(lambda: replica.metric(injected, kind="Deployment") == 1, "it is counted")
    pids = (replica.pid, replica.child("admission"))
    lists = replica.metric("speedscale_operator_watch_lists_total", process="controller", watch="workloads_deployment")

    def deaf(asked: Asked) -> Fault | None:
        return Cut() if asked.verb in ("watch", "list") else None

    with way.breaking(deaf):
        way.cut(lambda asked: asked.verb == "watch")
        kube.delete(first)
        second = missed(kube, "default", "second")
        plane.forget()
    installation.until(lambda: SIDECAR in containers(kube.get(second)), "who came meanwhile is mended", 90.0)
    installation.until(lambda: replica.metric(injected, kind="Deployment") == 1, "who went meanwhile is not counted")
    now = replica.metric("speedscale_operator_watch_lists_total", process="controller", watch="workloads_deployment")
    assert now > lists, "the collection was listed anew"

    plane.restart()
    third = missed(kube, "default", "third")
    installation.until(lambda: SIDECAR in containers(kube.get(third)), "it works with the new API server", 90.0)
    installation.wait_ready(replica)
    # the controller may have lost its Lease to the restart, and then ends by design; nothing else does
    assert (replica.pid, replica.child("admission")) == pids
    ended = [e["cause"] for e in replica.logs() if e.get("event") == "process_ended"]
    assert set(ended) <= {"lost_lease"}, ended
    assert [e for e in replica.logs() if e.get("event") == "reconcile_bug"] == []
