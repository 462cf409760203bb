"""A term of leading: stores first, then workers; what reconcilers are given; the end finishes what is in work."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import structlog

from speedscale_controller.manager.__main__ import main
from speedscale_controller.manager.running import Running
from speedscale_controller.reconciling import Context, Scope, Watched
from speedscale_controller.reconciling.live import LiveSettings
from speedscale_controller.settings import Settings
from speedscale_controller.telemetry import Metrics
from speedscale_kube.client import Page
from speedscale_kube.errors import ForbiddenError
from speedscale_kube.store import Key
from speedscale_kube.worker import Result
from speedscale_schemas.errors import PermanentError

PODS: Watched[str] = Watched("pods", "v1", "Pod", lambda obj: str(obj["metadata"]["name"]))
SECRETS: Watched[str] = Watched("some_secrets", "v1", "Secret", lambda obj: "there", scope=Scope.OWN)
PATIENCE_S = 20.0


class Silence:
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
    """A cluster with pods, whose list waits for `listed`; Secrets may not be seen."""

    def __init__(self) -> None:
        self.listed = threading.Event()
        self.created: list[Any] = []

    def patient(self, seconds: float) -> Client:
        return self

    def pages(self, api_version: str, kind: str, namespace: str, *, labels: str, fields: str) -> Iterator[Page]:
        if kind == "Secret":
            raise ForbiddenError("Forbidden", "secrets")
        if kind == "Pod":
            self.listed.wait(PATIENCE_S)
            yield Page(tuple({"metadata": {"namespace": "shop", "name": name}} for name in "ab"), "1")
        else:
            yield Page((), "1")

    def watch(self, *_: object, **__: object) -> Silence:
        return Silence()

    def create(self, obj: Any, manager: str) -> Any:
        self.created.append(obj)
        return {"metadata": {"name": "e"}}


class Reconciler:
    """Looks at pods."""

    name = "pods"

    def __init__(self, look: Callable[[Key], Result | None]) -> None:
        self._look = look
        self.reported: list[tuple[Key, str]] = []
        self.ticks = 0
        self.ticked = threading.Event()
        self.context: Context

    def watches(self, settings: Settings) -> Sequence[Watched[Any]]:
        return (PODS, SECRETS)

    def start(self, context: Context) -> None:
        self.context = context
        queue = context.work(
            "pods", self._look, on_permanent=lambda key, error: self.reported.append((key, str(error)))
        )
        context.store(PODS).add_handler(lambda key, old, new: queue.add(key) and None)
        context.every(3600.0, "tick", self._tick)
        assert context.queue("pods") is queue

    def _tick(self) -> None:
        self.ticks += 1
        self.ticked.set()
        raise RuntimeError("a bug that is logged")


def running(client: Client, reconciler: Reconciler, metrics: Metrics) -> Running:
    live = LiveSettings({"POD_NAMESPACE": "own"}, metrics)
    return Running(client, live, metrics, [reconciler], jitter=lambda: 0.5)  # type: ignore[arg-type, list-item]


def test_workers_begin_when_every_store_is_full() -> None:
    client, metrics, seen, done = Client(), Metrics(), list[Key](), threading.Event()

    def look(key: Key) -> None:
        seen.append(key)
        if key.name == "b":
            done.set()
            raise PermanentError("NotSo", "never")

    reconciler = Reconciler(look)
    term = running(client, reconciler, metrics)
    term.start()
    assert not term.begun
    assert seen == []
    assert "pods" in term.watches.unsettled()
    client.listed.set()
    assert done.wait(PATIENCE_S)
    assert reconciler.ticked.wait(PATIENCE_S)
    reconciler.context.recorder.event(
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}, "Normal", "R", "m"
    )
    term.measure()
    assert term.stop(PATIENCE_S)
    assert seen == [Key("shop", "a"), Key("shop", "b")]
    assert [key for key, _ in reconciler.reported] == [Key("shop", "b")]
    assert reconciler.ticks == 1
    assert [one["kind"] for one in client.created] == ["Event"]
    sample = metrics.registry.get_sample_value
    for outcome in ("done", "permanent"):
        labels = {"reconciler": "pods", "outcome": outcome}
        assert sample("speedscale_operator_reconcile_results_total", labels) == 1
    assert sample("speedscale_operator_watch_forbidden_state", {"watch": "some_secrets"}) == 1
    assert sample("speedscale_operator_events_total", {"result": "written"}) == 1


def test_the_end_finishes_what_is_in_work() -> None:
    client, started, going_on, ended = Client(), threading.Event(), threading.Event(), list[str]()
    client.listed.set()

    def look(key: Key) -> None:
        started.set()
        going_on.wait(PATIENCE_S)
        ended.append(key.name)

    term = running(client, Reconciler(look), Metrics())
    term.start()
    assert started.wait(PATIENCE_S)
    stopping = threading.Thread(target=lambda: term.stop(PATIENCE_S))
    stopping.start()
    assert term._stop.wait(PATIENCE_S)
    going_on.set()
    stopping.join()
    assert ended == ["a"]  # what waits is left to the next leader


def test_an_end_before_anything_was_read() -> None:
    client = Client()
    term = running(client, Reconciler(lambda key: None), Metrics())
    term.start()
    assert term.stop(1.0)
    client.listed.set()
    assert not term.begun


def test_two_reconcilers_cannot_mean_two_things_by_one_name() -> None:
    other = Reconciler(lambda key: None)
    other.watches = lambda settings: (Watched("pods", "v1", "Node", PODS.project),)  # type: ignore[method-assign]
    live = LiveSettings({"POD_NAMESPACE": "own"}, Metrics())
    reconcilers: list[Any] = [Reconciler(lambda key: None), other]
    with pytest.raises(ValueError, match="two collections are called 'pods'"):
        Running(Client(), live, Metrics(), reconcilers).start()  # type: ignore[arg-type]


def test_the_table_names_each_once() -> None:
    from speedscale_controller.manager.table import reconcilers

    made = reconcilers()
    settings = Settings.parse({})
    assert len({one.name for one in made}) == len(made) >= 4
    watched = [watch for one in made for watch in one.watches(settings)]
    by_name = {watch.name: watch for watch in watched}
    assert all(by_name[watch.name] == watch for watch in watched)


def test_how_it_is_called(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nonsense"], {}) == 2
    assert "usage" in capsys.readouterr().err
    assert main([], {"HEALTH_PORT": "none"}) == 2
    assert "HEALTH_PORT" in capsys.readouterr().err


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()
