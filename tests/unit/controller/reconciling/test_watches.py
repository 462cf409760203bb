"""The collections of a process: shared, by name or by namespace, with what cannot be watched told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from speedscale_controller.reconciling import Scope, Watched
from speedscale_controller.reconciling.watches import STUCK_S, Watches
from speedscale_controller.settings import Settings
from speedscale_controller.telemetry import Metrics
from speedscale_kube.client import Page
from speedscale_kube.errors import ForbiddenError, UnreachableError
from speedscale_kube.reflector import State
from speedscale_kube.stop import Stop


class Silence:
    """A watch on which nothing happens until it is closed."""

    def __init__(self) -> None:
        self._closed = threading.Event()

    def __enter__(self) -> Silence:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._closed.set()

    def __iter__(self) -> Iterator[Any]:
        self._closed.wait()
        return iter(())


class Client:
    """Lists what it is given by kind; `forbidden` kinds may not be listed."""

    def __init__(self, **objects: list[tuple[str, str]]) -> None:
        self.objects, self.forbidden, self.asked = objects, set[str](), list[tuple[str, str, str]]()

    def pages(self, api_version: str, kind: str, namespace: str, *, labels: str, fields: str) -> Iterator[Page]:
        self.asked.append((kind, namespace, fields))
        if kind in self.forbidden:
            raise ForbiddenError("Forbidden", f"{kind} cannot be listed")
        if kind == "Broken":
            raise UnreachableError("nobody there")
        wanted = fields.removeprefix("metadata.name=")
        items = tuple(
            {"metadata": {"namespace": place, "name": name}}
            for place, name in self.objects.get(kind, ())
            if namespace in ("", place) and wanted in ("", name)
        )
        yield Page(items, "1")

    def watch(self, *_: object, **__: object) -> Silence:
        return Silence()

    def patient(self, seconds: float) -> Client:
        return self

    def forget_kinds(self) -> None:
        """Nothing is remembered."""


def name_of(obj: Any) -> str:
    return str(obj["metadata"]["name"])


PODS: Watched[str] = Watched("pods", "v1", "Pod", name_of)
SECRETS: Watched[str] = Watched("secrets", "v1", "Secret", name_of, scope=Scope.OWN, names=("a", "b"))
NODES: Watched[str] = Watched("nodes", "v1", "Node", name_of, scope=Scope.CLUSTER)


@pytest.fixture
def stop() -> Iterator[Stop]:
    made = Stop()
    yield made
    made.set()


def watches(client: Client, metrics: Metrics | None = None, clock: Any = lambda: 0.0, **environ: str) -> Watches:
    settings = Settings.parse({"POD_NAMESPACE": "own", **environ})
    return Watches(client, settings, metrics or Metrics(), clock=clock, jitter=lambda: 0.5)  # type: ignore[arg-type]


def test_equal_collections_are_watched_once() -> None:
    made = watches(Client())
    assert made.add(PODS) is made.add(replace(PODS))
    assert made.store(PODS) is made.add(PODS)
    with pytest.raises(ValueError, match="two collections are called 'pods'"):
        made.add(replace(PODS, labels="a=b"))
    with pytest.raises(KeyError):
        made.store(replace(PODS, labels="a=b"))
    with pytest.raises(KeyError):
        made.store(NODES)


def test_everything_or_only_some_namespaces(stop: Stop) -> None:
    for environ, places in (({}, {""}), ({"NAMESPACE_SELECTOR": "shop"}, {"shop", "own"})):
        client = Client(Pod=[("shop", "a"), ("own", "b"), ("other", "c")])
        made = watches(client, **environ)  # type: ignore[arg-type]
        store, nodes = made.add(PODS), made.add(NODES)
        made.start(stop)
        assert made.wait_settled(stop)
        assert {place for kind, place, _ in client.asked if kind == "Pod"} == places
        assert {place for kind, place, _ in client.asked if kind == "Node"} == {""}
        assert len(store) == (2 if environ else 3)
        assert len(nodes) == 0
        assert made.unsettled() == ()


def test_by_name_each_has_a_watch_and_all_have_one_store(stop: Stop) -> None:
    client = Client(Secret=[("own", "a"), ("own", "b"), ("own", "c")])
    made = watches(client)
    store = made.add(SECRETS)
    made.start(stop)
    assert made.wait_settled(stop)
    assert sorted(store.values()) == ["a", "b"]
    assert sorted(client.asked) == [("Secret", "own", "metadata.name=a"), ("Secret", "own", "metadata.name=b")]
    assert made.synced(SECRETS)


def test_what_may_not_be_watched_is_told_and_holds_nobody_up(stop: Stop) -> None:
    client, metrics = Client(Node=[("", "n")]), Metrics()
    client.forbidden = {"Pod"}
    made = watches(client, metrics)
    made.add(PODS)
    made.add(NODES)
    made.start(stop)
    assert made.wait_settled(stop)
    (trouble,) = made.troubles()
    assert (trouble.watch, trouble.kind, trouble.state) == ("pods", "Pod", State.FORBIDDEN)
    assert not made.synced(PODS)
    made.measure()
    sample = metrics.registry.get_sample_value
    assert sample("speedscale_operator_watch_forbidden_state", {"watch": "pods"}) == 1
    assert sample("speedscale_operator_watch_forbidden_state", {"watch": "nodes"}) == 0
    assert sample("speedscale_operator_watch_objects", {"watch": "nodes"}) == 1


def test_the_end_before_everything_is_read(stop: Stop) -> None:
    made = watches(Client())
    made.add(replace(PODS, kind="Broken"))
    made.start(stop)
    assert made.unsettled() == ("pods",)
    stop.set()
    assert not made.wait_settled(stop)


def test_a_watch_that_hangs_is_found(stop: Stop) -> None:
    now = [0.0]
    made = watches(Client(Node=[("", "n")]), clock=lambda: now[0])
    made.add(NODES)
    made.start(stop)
    assert made.wait_settled(stop)
    while made.stuck() or made._mirrors["nodes"].reflectors[0].state is not State.WATCHING:
        pass
    now[0] += STUCK_S + 1
    assert made.stuck() == ("nodes",)


def test_collections_are_named_before_the_start(stop: Stop) -> None:
    made = watches(Client())
    made.start(stop)
    with pytest.raises(RuntimeError):
        made.add(PODS)
