"""Whose patch is in force, as namespaces give and take back their word."""

from __future__ import annotations

from typing import Any

import pytest

from speedscale_controller.facts import REPLAYS, Memory, namespaces
from speedscale_controller.reconciling import Watched
from speedscale_controller.replay import Memory as Notes
from speedscale_controller.replay import WorkloadPatch, names
from speedscale_controller.settings import Settings
from speedscale_kube import Key, Ref, Store

SETTINGS = Settings.parse({"POD_NAMESPACE": "speedscale", "POD_NAME": "p"})
CHECKOUT = Ref("apps/v1", "Deployment", "shop", "checkout")


class World:
    """A memory and the stores behind it."""

    def __init__(self) -> None:
        self._stores: dict[str, Store[Any]] = {}
        self.memory = Memory(self._store, SETTINGS, lambda: SETTINGS, lambda: None)
        self.changed: list[frozenset[tuple[str, str, str]]] = []
        self.memory.on_replays(self.changed.append)

    def _store(self, watched: Watched[Any], /) -> Store[Any]:
        return self._stores.setdefault(watched.name, Store(indexes=dict(watched.indexes)))

    def namespace(self, name: str, **annotations: str) -> None:
        watched = namespaces(SETTINGS)
        marks = {f"replay.speedscale.com/{key.replace('_', '-')}": text for key, text in annotations.items()}
        self._store(watched).put(Key("", name), watched.project({"metadata": {"name": name, "annotations": marks}}))

    def replay(self, home: str) -> None:
        """A TrafficReplay of `home` whose notes, the operator's or its author's, change the workload in `shop`."""
        notes = Notes(patches={CHECKOUT: WorkloadPatch(name="yucca", report_id="r")}).text()
        meta = {"name": "yucca", "namespace": home, "uid": "u", "annotations": {names.STATE: notes}}
        spec = {"workloads": [{"ref": {"name": "checkout", "namespace": "shop"}, "tests": ["*"]}]}
        self._store(REPLAYS).put(Key(home, "yucca"), REPLAYS.project({"metadata": meta, "spec": spec}))

    def patched(self) -> bool:
        return self.memory.facts("shop", "Deployment", "checkout").replay is not None


@pytest.mark.parametrize("home", ["shop", "speedscale"])
def test_own_workloads_and_those_of_the_installations_own_replays(home: str) -> None:
    world = World()
    world.namespace("shop")
    world.replay(home)
    assert world.patched()


def test_another_namespaces_replay_changes_nothing_until_it_is_allowed() -> None:
    world = World()
    world.namespace("shop")
    world.replay("ci")
    assert not world.patched()
    assert world.changed == []
    world.namespace("shop", allow_from="ci")
    assert world.patched()
    world.namespace("shop", allow_from="ci", other="x")
    assert len(world.changed) == 1, "nothing that concerns replays"
    world.namespace("shop")
    assert not world.patched()
    assert world.changed == [frozenset({("shop", "Deployment", "checkout")})] * 2
