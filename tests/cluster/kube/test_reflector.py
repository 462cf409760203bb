"""Reflectors on a real API server: changes, a forgotten history, cut connections, restarts, rights, definitions."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from harness.cluster import Cluster
from harness.definitions import define, undefine

from speedscale_kube import Client, Key, Ref, Reflector, Reflectors, Stop, Store, load
from speedscale_kube.reflector import Sign, State

pytestmark = pytest.mark.integration
until = Cluster.until
_numbers = itertools.count()


def config_map(namespace: str, name: str, value: str = "x") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": "it"}},
        "data": {"value": value},
    }


class Mirror:
    """A running reflector of the ConfigMaps with our label."""

    def __init__(self, client: Client, namespace: str, on_project: Callable[[Any], None] = lambda it: None) -> None:
        self.store: Store[str] = Store()
        self.signs: list[Sign] = []
        self.stop = Stop()

        def project(it: dict[str, Any]) -> str:
            on_project(it)
            return str(it["data"]["value"])

        self.reflector = Reflector(
            client, "v1", "ConfigMap", namespace=namespace, labels="app=it", project=project, store=self.store,
            observe=lambda kind, sign: self.signs.append(sign),
        )  # fmt: skip
        self.thread = self.reflector.start(self.stop)

    def shows(self, **expected: str) -> None:
        until(lambda: {key.name: value for key, value in self.store.items()} == expected, f"the store is {expected}")

    def end(self) -> None:
        self.stop.set()
        self.thread.join(30)
        assert not self.thread.is_alive()


@pytest.fixture
def mirror() -> Iterator[Callable[..., Mirror]]:
    made: list[Mirror] = []

    def make(*args: Any, **options: Any) -> Mirror:
        made.append(Mirror(*args, **options))
        return made[-1]

    yield make
    for one in made:
        one.end()


@pytest.fixture
def place(admin: Client) -> str:
    """A namespace of the forgetful control plane."""
    name = f"it-{next(_numbers)}"
    admin.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, "tests")
    return name


def test_a_store_follows_the_cluster_and_stops_at_once(kube: Client, namespace: str, mirror: Any) -> None:
    kube.apply(config_map(namespace, "a"), "tests")
    it = mirror(kube, namespace)
    it.shows(a="x")
    assert it.reflector.synced
    kube.apply(config_map(namespace, "a", "y"), "tests")
    kube.apply(config_map(namespace, "b", "é" * 100_000), "tests")
    it.shows(a="y", b="é" * 100_000)
    kube.delete(Ref("v1", "ConfigMap", namespace, "a"))
    kube.patch(Ref("v1", "ConfigMap", namespace, "b"), {"metadata": {"labels": {"app": "other"}}}, "tests")
    it.shows()
    assert it.signs.count(Sign.LISTED) == 1
    it.end()
    assert it.reflector.state is State.STOPPED


def test_after_a_restart_a_cache_knows_no_old_version_and_who_left_is_found(
    forgetful: Any, admin: Client, place: str, mirror: Any
) -> None:
    """An API server's cache begins with the version at its start: a list (after 410, or after a long silence)."""
    if not forgetful.cached:
        forgetful.restart(cached=True)
    for name in "ab":
        admin.apply(config_map(place, name), "tests")
    it = mirror(admin, place)
    it.shows(a="x", b="x")
    admin.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"{place}-later"}}, "tests")
    forgetful.restart(cached=True)
    admin.delete(Ref("v1", "ConfigMap", place, "a"))
    it.shows(b="x")
    assert it.signs.count(Sign.LISTED) >= 2


@pytest.mark.fault("etcd is compacted during a watch", end="listed anew; who left is found")
def test_a_version_that_etcd_forgot_is_listed_anew_and_who_left_is_found(
    uncached: Any, admin: Client, distant: Client, line: Any, place: str, mirror: Any
) -> None:
    for name in "abc":
        admin.apply(config_map(place, name), "tests")
    it = mirror(distant, place)
    it.shows(a="x", b="x", c="x")
    line.cut()
    admin.delete(Ref("v1", "ConfigMap", place, "a"))
    admin.apply(config_map(place, "b", "y"), "tests")
    admin.apply(config_map(place, "d"), "tests")
    uncached.forget()
    line.mend()
    it.shows(b="y", c="x", d="x")
    assert Sign.GONE in it.signs
    assert it.signs.count(Sign.LISTED) == 2


@pytest.mark.fault("a watch's connection is cut", end="resumed, nothing missed")
def test_a_connection_that_is_cut_is_resumed_without_a_list(
    admin: Client, distant: Client, line: Any, place: str, mirror: Any
) -> None:
    it = mirror(distant, place)
    until(lambda: Sign.WATCH_OPENED in it.signs, "it watches")
    for number in range(3):
        line.cut()
        admin.apply(config_map(place, "a", str(number)), "tests")
        line.mend()
        it.shows(a=str(number))
    assert it.signs.count(Sign.LISTED) == 1


@pytest.mark.fault("etcd is compacted in mid-page", end="the list begins anew")
def test_a_list_whose_version_is_forgotten_between_two_pages_begins_anew(
    uncached: Any, admin: Client, place: str, mirror: Any
) -> None:
    for number in range(120):
        admin.create(config_map(place, f"it-{number:03}"), "tests")
    done = threading.Event()

    def meanwhile(it: dict[str, Any]) -> None:
        if not done.is_set():
            done.set()
            admin.delete(Ref("v1", "ConfigMap", place, "it-119"))
            uncached.forget()

    it = mirror(admin, place, meanwhile)
    assert it.reflector.wait_settled(60)
    assert (len(it.store), Key(place, "it-119") in it.store) == (119, False)
    assert it.signs[:2] == [Sign.GONE, Sign.LISTED]


@pytest.mark.fault("the API server is restarted under a watch", end="goes on")
def test_a_watch_goes_on_over_a_restart_of_the_api_server(
    uncached: Any, admin: Client, distant: Client, line: Any, place: str, mirror: Any
) -> None:
    """The line is held meanwhile: a start that takes long would else be given up waiting for, and listed after."""
    admin.apply(config_map(place, "a"), "tests")
    it = mirror(distant, place)
    it.shows(a="x")
    until(lambda: Sign.WATCH_OPENED in it.signs, "it watches")
    before = it.signs.count(Sign.WATCH_OPENED)
    line.cut()
    uncached.restart()
    line.mend()
    until(lambda: it.signs.count(Sign.WATCH_OPENED) > before, "it watches again")
    admin.apply(config_map(place, "b"), "tests")
    it.shows(a="x", b="x")
    assert it.signs.count(Sign.LISTED) == 1, "etcd remembers: nothing is listed"


def test_a_missing_right_is_a_state_and_nothing_crashes(cluster: Cluster, namespace: str, mirror: Any) -> None:
    user, path = cluster.restricted(3)
    with Client(load(path, environ={})) as client:
        it = mirror(client, namespace)
        assert it.reflector.wait_settled(60)
        assert (it.reflector.state, it.reflector.synced) == (State.FORBIDDEN, False)
        assert f'User "{user}" cannot list resource "configmaps"' in it.reflector.reason
        it.end()


def test_a_kind_comes_when_its_definition_does(
    cluster: Cluster, kube: Client, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("speedscale_kube.reflector.ABSENT_S", 0.1)
    store: Store[str] = Store()
    stop = Stop()
    reflector = Reflector(
        kube, "example.com/v1", "Fruit", namespace=namespace, store=store,
        project=lambda it: str(it["metadata"]["name"]),
    )  # fmt: skip
    thread = reflector.start(stop)
    try:
        assert reflector.wait_settled(60)
        assert (reflector.state, reflector.synced) == (State.ABSENT, True)
        define(kube, FRUIT)
        fruit = {"apiVersion": "example.com/v1", "kind": "Fruit", "metadata": {"name": "fig", "namespace": namespace}}
        kube.apply(fruit, "tests")
        until(lambda: store.values() == ("fig",), "the fig is seen")
        undefine(kube, FRUIT)
        until(lambda: reflector.state is State.ABSENT and not len(store), "the definition is gone, the fig too")
    finally:
        stop.set()
        thread.join(30)


FRUIT: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "fruits.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"plural": "fruits", "singular": "fruit", "kind": "Fruit"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}


def test_namespaces_by_name_are_mirrored_into_one_store(admin: Client, place: str) -> None:
    other = f"it-{next(_numbers)}"
    admin.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": other}}, "tests")
    store: Store[str] = Store()
    stop = Stop()

    def make(namespace: str) -> Reflector[str]:
        return Reflector(
            admin, "v1", "ConfigMap", namespace=namespace, labels="app=it", store=store,
            project=lambda it: str(it["data"]["value"]),
        )  # fmt: skip

    group = Reflectors([place, other], make)
    group.start(stop)
    until(lambda: group.synced, "both are synced")
    for namespace in (place, other):
        admin.apply(config_map(namespace, "it", namespace), "tests")
    until(lambda: sorted(store.values()) == sorted([place, other]), "both are seen")
    stop.set()
    assert group.join(30)
