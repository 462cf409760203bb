"""TrafficReplays on a real API server: modes, cleanup, cancel, concurrency. Pods are played, nothing else."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest
from harness.cluster import Cluster
from harness.definitions import define
from harness.replaying import PASSED, Shop, Stage

from speedscale_kube import Client, Ref
from speedscale_manifests.components import crd
from speedscale_manifests.values import from_mapping

pytestmark = pytest.mark.integration
_numbers = itertools.count(1)
NAME = "abstract-yucca"


@pytest.fixture(scope="module", autouse=True)
def definition(kube: Client) -> None:
    """TrafficReplays are served."""
    (manifest,) = crd.definition(from_mapping({}))
    define(kube, manifest)


@pytest.fixture
def own(kube: Client) -> Iterator[str]:
    """The operator's namespace."""
    name = f"speedscale-{next(_numbers)}"
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, "tests")
    yield name
    kube.delete(Ref("v1", "Namespace", "", name))


@pytest.fixture
def shop(kube: Client, namespace: str, own: str) -> Iterator[Shop]:
    """A furnished namespace."""
    made = Shop(kube, namespace, own).furnish()
    yield made
    for obj in kube.list("speedscale.com/v1", "TrafficReplay", namespace):
        kube.patch(kube.ref(obj), {"metadata": {"finalizers": None}}, "tests")


@pytest.fixture
def stage(kube: Client, own: str) -> Stage:
    """The reconciler."""
    return Stage(kube, own)


def until(stage: Stage, shop: Shop, done: Callable[[], bool], results: object = PASSED, *names: str) -> None:
    """Look and play until it is so."""

    def round_() -> bool:
        for name in names or (NAME,):
            stage.step(name, shop.namespace)
        if done():
            return True
        shop.play(results)  # type: ignore[arg-type]
        return False

    Cluster.until(round_, "the replay gets there", 30.0)


def ended(shop: Shop, name: str = NAME) -> Callable[[], bool]:
    """Return what asks whether a replay has ended and cleaned up."""

    def ask() -> bool:
        return shop.condition("Running", name).get("reason") in ("CleanedUp", "Kept")

    return ask


def run(stage: Stage, shop: Shop, results: object = PASSED, name: str = NAME) -> None:
    """Play until the replay has ended and cleaned up."""
    until(stage, shop, ended(shop, name), results, name)


def test_a_full_replay_from_creation_to_clean_up(stage: Stage, shop: Shop) -> None:
    before = shop.get("Deployment", "checkout")
    shop.replay()
    run(stage, shop)
    status = shop.status()
    print(status)
    assert status["conditions"][-1]["type"] == "Ready"
    assert (status["conditions"][-1]["status"], status["conditions"][-1]["reason"]) == ("True", "TestSucceeded")
    assert status["conditions"][-1]["message"] == "Passed"
    assert shop.inventory() == []
    after = shop.get("Deployment", "checkout")
    assert before is not None and after is not None
    assert after["spec"] == before["spec"]
    assert after["metadata"].get("labels") == before["metadata"].get("labels")
    assert shop.get("ConfigMap", f"speedscale-report-{status['reportID']}") is not None
