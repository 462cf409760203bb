"""Bare pods that admission missed: found by their metadata, told once, forgotten when they go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from speedscale_controller.bundle import Bundle
from speedscale_controller.facts import Identity
from speedscale_controller.injection import Cluster, Facts, Installation, Namespace
from speedscale_controller.settings import Settings
from speedscale_controller.telemetry import Metrics
from speedscale_controller.workloads import Workloads
from speedscale_controller.workloads.counting import Counting, Place
from speedscale_kube import Object, Ref
from speedscale_kube.client import Page
from speedscale_manifests.bundle import bundle
from speedscale_manifests.values import from_mapping

INJECT = {"sidecar.speedscale.com/inject": "true"}
OWNER = [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "a", "uid": "1", "controller": True}]


def pod(name: str, **meta: Any) -> Object:
    metadata = {"name": name, "namespace": "shop", "uid": name, "resourceVersion": "1", **meta}
    spec = {"containers": [{"name": "app", "image": "app:1"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


class World:
    """A client of some pods, and what a reconciler needs beside it; Events are in `told`."""

    def __init__(self, *pods: Object) -> None:
        self.pods = {one["metadata"]["name"]: one for one in pods}
        self.told: list[tuple[str, str]] = []
        self.asked: list[dict[str, Any]] = []
        self.added: list[Place] = []
        self.metrics = Metrics()
        self.settings = Settings.parse({"POD_NAMESPACE": "speedscale", "POD_NAME": "p"})
        self.client = self.recorder = self

    def pages(self, version: str, kind: str, namespace: str = "", **asked: Any) -> Iterator[Page]:
        self.asked.append(asked)
        yield Page(tuple({k: v for k, v in one.items() if k != "spec"} for one in self.pods.values()), "1")

    def find(self, which: Ref) -> Object | None:
        return self.pods.get(which.name)

    def event(self, about: Object, type: str, reason: str, message: str) -> bool:
        self.told.append((about["metadata"]["name"], f"{reason}: {message}"))
        return True

    def bundle(self) -> Bundle:
        return Bundle.read(bundle(from_mapping({})))

    # the memory of facts, and the queue

    identity = Identity("me")

    def knows(self, namespace: str) -> bool:
        return True

    def observe_once(self, client: object) -> None:
        """Everything is known."""

    def facts(self, namespace: str, kind: str, name: str) -> Facts:
        own = Installation(namespace="speedscale", instance_id="me")
        found = self.bundle()
        return Facts(template=found.sidecar, installation=own, namespace=Namespace(name=namespace), cluster=Cluster())

    def add(self, place: Place) -> None:
        self.added.append(place)


@pytest.fixture
def watching() -> Any:
    def make(*pods: Object) -> tuple[World, Workloads]:
        world, made = World(*pods), Workloads()
        made._context = made._memory = made._queue = world  # type: ignore[assignment]
        made._counting, made._stores = Counting(world.metrics), {}
        return world, made

    return make


def look(world: World, workloads: Workloads) -> None:
    workloads.look_at_pods()
    for place in world.added:
        workloads.reconcile(place)
    world.added.clear()


def skipped(world: World) -> float:
    labels = {"kind": "Pod", "reason": "pod_immutable"}
    return world.metrics.registry.get_sample_value("speedscale_operator_workloads_skipped_objects", labels) or 0.0


def test_a_pod_that_was_missed_is_told_once_and_counted_while_it_is_there(watching: Any) -> None:
    world, workloads = watching(pod("missed", annotations=INJECT))
    look(world, workloads)
    look(world, workloads)
    ((name, message),) = world.told
    assert name == "missed"
    assert message.startswith("SidecarSkipped: pod_immutable: ")
    assert "delete it and create it anew" in message
    assert skipped(world) == 1
    assert world.asked[0] == {"labels": "!sidecar.speedscale.com/injected", "metadata_only": True}
    world.pods.clear()
    look(world, workloads)
    assert skipped(world) == 0


@pytest.mark.parametrize(
    "meta",
    [
        {},
        {"annotations": {"sidecar.speedscale.com/inject": "false"}},
        {"annotations": INJECT, "ownerReferences": OWNER},
        {"annotations": INJECT, "deletionTimestamp": "2026-01-01T00:00:00Z"},
    ],
)
def test_other_pods_are_nobodys_business(watching: Any, meta: dict[str, Any]) -> None:
    world, workloads = watching(pod("a", **meta))
    look(world, workloads)
    assert (world.told, skipped(world)) == ([], 0)
