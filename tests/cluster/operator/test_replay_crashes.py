"""SIGKILL of the operator between any two writes of a replay: the points are those that a replay was seen to write."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from harness.definitions import defined
from harness.replaying import PASSED, Cut, Killed, Shop, Stage, ended, spec_of, until

from speedscale_kube import Client, Ref
from speedscale_manifests.components import crd
from speedscale_manifests.values import from_mapping

pytestmark = pytest.mark.integration
_numbers = itertools.count(1)


@pytest.fixture(scope="module", autouse=True)
def definition(kube: Client) -> Iterator[None]:
    """TrafficReplays are served."""
    (manifest,) = crd.definition(from_mapping({}))
    with defined(kube, manifest):
        yield


@pytest.fixture
def shop(kube: Client, namespace: str) -> Iterator[Shop]:
    """A furnished namespace, and one of the operator's."""
    own = f"speedscale-crash-{next(_numbers)}"
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": own}}, "tests")
    yield Shop(kube, namespace, own).furnish()
    for obj in kube.list("speedscale.com/v1", "TrafficReplay", namespace):
        kube.patch(kube.ref(obj), {"metadata": {"finalizers": None}}, "tests")
    kube.delete(Ref("v1", "Namespace", "", own))


def survive(kube: Client, shop: Shop, name: str, at: int, mode: str) -> list[str]:
    """Run a replay whose operator dies after its write number `at` (0: never), then another to the end; the writes."""
    cut = Cut(kube, at)
    stage = Stage(cut, shop.own)
    shop.replay(name, mode=mode)
    try:
        _live(stage, shop, name, mode)
    except Killed:
        _live(stage.reborn(kube), shop, name, mode)
    return cut.writes


def _live(stage: Stage, shop: Shop, name: str, mode: str) -> None:
    """From wherever it is to its end, and until it is deleted."""
    found = shop.get("TrafficReplay", name)
    if found is not None and "deletionTimestamp" not in found["metadata"]:
        if mode == "full-replay":
            until(stage, shop, ended(shop, name), PASSED, name)
            assert shop.condition("Ready", name)["reason"] == "TestSucceeded"
        else:
            until(stage, shop, lambda: shop.condition("MocksReady", name).get("status") == "True", PASSED, name)
        shop.kube.delete(shop.kube.ref(found))
    until(stage, shop, lambda: shop.get("TrafficReplay", name) is None, PASSED, name)


@pytest.mark.fault("SIGKILL between any two writes of a replay", end="no orphan, the right end state")
@pytest.mark.parametrize("mode", ["full-replay", "responder-only"])
def test_a_replay_survives_its_operator_at_every_write(kube: Client, shop: Shop, mode: str) -> None:
    before = spec_of(shop)
    writes = survive(kube, shop, "whole", 0, mode)
    assert len(writes) > 20
    vital = {"patch TrafficReplay status", "patch Deployment workload", "delete Service"}
    assert vital <= set(writes)
    assert ("create Job" in writes) == (mode == "full-replay")
    jobs = sum(write == "create Job" for write in writes)
    for at in range(1, len(writes) + 1):
        done = survive(kube, shop, f"killed-{at}", at, mode)
        if len(done) < at:  # on a slow machine one look sees what took two: a status less is written
            assert at > len(writes) - 5, f"ended after {len(done)} of {len(writes)} writes"
            break
        assert shop.inventory() == [], f"left after being killed at {at}: {done[-1]}"
        assert spec_of(shop) == before, f"killed at {at}: {done[-1]}"
    assert jobs <= 1
