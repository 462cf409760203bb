"""Events: counted, bounded, and never in the way."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from speedscale_kube import Client, Recorder, Ref, Stop
from speedscale_kube.events import BURST, REFILL_S, Fate

POD = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "shop", "uid": "u-1", "resourceVersion": "7"},
}
WEB = Ref("apps/v1", "Deployment", "shop", "web")
BEGAN = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)


class Cluster:
    """Keeps Events as a server does."""

    def __init__(self, server: Any, clock: Any) -> None:
        self.server, self.clock = server, clock
        self.events: dict[str, dict[str, Any]] = {}
        self.refuse: Callable[[Any], Any] = lambda request: None
        server.script = self.answer

    def answer(self, request: Any) -> Any:
        refused = self.refuse(request)
        if refused is not None:
            return refused
        if request.method == "POST":
            name = request.body["metadata"]["name"]
            if name in self.events:
                return self.server.refusal(409, "AlreadyExists", "there is one")
            self.events[name] = request.body
            return self.server.streams(json.dumps(request.body).encode())
        name = request.path.rpartition("/")[2]
        if name not in self.events:
            return self.server.refusal(404, "NotFound", "gone")
        self.events[name] |= request.body
        return self.server.streams(json.dumps(self.events[name]).encode())

    def stamp(self) -> datetime:
        return BEGAN + timedelta(seconds=self.clock() - 1000)

    def only(self) -> dict[str, Any]:
        (one,) = self.events.values()
        return one


@pytest.fixture
def cluster(server: Any, clock: Any) -> Cluster:
    return Cluster(server, clock)


@pytest.fixture
def fates() -> list[Fate]:
    return []


@pytest.fixture
def recorder(client: Client, cluster: Cluster, clock: Any, fates: list[Fate]) -> Recorder:
    return Recorder(client, "speedscale-operator", instance="pod-a", clock=clock, stamp=cluster.stamp,
                    observe=fates.append, limit=100)  # fmt: skip


def test_an_event_says_who_what_and_when(recorder: Recorder, cluster: Cluster, server: Any) -> None:
    assert recorder.event(POD, "Warning", "InjectionSkipped", "the pod runs on the host's network")
    assert server.requests == [], "who has something to say does not wait"
    recorder.flush()
    event = cluster.only()
    name = event.pop("metadata")
    assert (name["namespace"], name["name"].startswith("web.")) == ("shop", True)
    assert event == {
        "apiVersion": "v1",
        "kind": "Event",
        "involvedObject": {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "name": "web",
            "namespace": "shop",
            "uid": "u-1",
            "resourceVersion": "7",
        },
        "type": "Warning",
        "reason": "InjectionSkipped",
        "message": "the pod runs on the host's network",
        "count": 1,
        "firstTimestamp": "2030-01-02T03:04:05Z",
        "lastTimestamp": "2030-01-02T03:04:05Z",
        "source": {"component": "speedscale-operator"},
        "reportingComponent": "speedscale-operator",
        "reportingInstance": "pod-a",
    }


def test_the_same_again_is_counted_and_another_is_another(
    recorder: Recorder, cluster: Cluster, clock: Any, fates: list[Fate]
) -> None:
    for _ in range(3):
        recorder.event(POD, "Warning", "Skipped", "one")
        clock.pass_(60)
    recorder.event(POD, "Warning", "Skipped", "two")
    recorder.event(POD, "Normal", "Skipped", "one")
    recorder.event(WEB, "Warning", "Skipped", "one", uid="u-2")
    recorder.flush()
    assert len(cluster.events) == 4
    first = next(iter(cluster.events.values()))
    assert (first["count"], first["firstTimestamp"]) == (3, "2030-01-02T03:04:05Z")
    assert first["lastTimestamp"] == "2030-01-02T03:06:05Z"
    assert fates == [Fate.WRITTEN, Fate.COUNTED, Fate.COUNTED, *[Fate.WRITTEN] * 3]


def test_one_that_the_server_forgot_is_made_anew(recorder: Recorder, cluster: Cluster, clock: Any) -> None:
    recorder.event(POD, "Normal", "Done", "it")
    recorder.flush()
    cluster.events.clear()
    clock.pass_(3600)
    recorder.event(POD, "Normal", "Done", "it")
    recorder.flush()
    assert (cluster.only()["count"], cluster.only()["firstTimestamp"]) == (1, "2030-01-02T04:04:05Z")


def test_each_object_has_a_bucket(recorder: Recorder, clock: Any, fates: list[Fate]) -> None:
    said = [recorder.event(POD, "Normal", "Done", f"{n}") for n in range(BURST + 5)]
    assert said == [True] * BURST + [False] * 5
    assert fates == [Fate.THROTTLED] * 5
    assert recorder.event(WEB._replace(name="other"), "Normal", "Done", "it")
    clock.pass_(REFILL_S)
    assert [recorder.event(POD, "Normal", "Done", "x") for _ in range(2)] == [True, False]


def test_what_waits_is_bounded(recorder: Recorder, fates: list[Fate]) -> None:
    said = [recorder.event(WEB._replace(name=f"web-{n}"), "Normal", "Done", "it") for n in range(101)]
    assert (said.count(True), fates) == (100, [Fate.OVERFLOW])


def test_what_is_remembered_is_bounded(recorder: Recorder, cluster: Cluster) -> None:
    for number in range(250):
        recorder.event(WEB._replace(name=f"web-{number}"), "Normal", "Done", "it")
        recorder.flush()
    assert (len(recorder._known), len(recorder._buckets), len(cluster.events)) == (100, 100, 250)


@pytest.mark.parametrize(
    ("code", "reason"), [(403, "Forbidden"), (404, "NotFound"), (422, "Invalid"), (500, "InternalError")]
)
def test_one_that_cannot_be_written_is_counted_and_no_more(
    code: int, reason: str, recorder: Recorder, cluster: Cluster, fates: list[Fate]
) -> None:
    cluster.refuse = lambda request: cluster.server.refusal(code, reason, "no")
    recorder.event(POD, "Normal", "Done", "it")
    recorder.flush()
    assert fates == [Fate.FAILED]


def test_a_busy_server_is_asked_three_times(
    recorder: Recorder, cluster: Cluster, stop: Any, fates: list[Fate], server: Any
) -> None:
    busy = [2]

    def refuse(request: Any) -> Any:
        busy[0] -= 1
        return cluster.server.refusal(503, "ServiceUnavailable", "busy") if busy[0] >= 0 else None

    cluster.refuse = refuse
    recorder.event(POD, "Normal", "Done", "it")
    recorder.flush(stop)
    assert (fates, stop.waits) == ([Fate.WRITTEN], [1.0, 1.0])
    busy[0] = 9
    recorder.event(POD, "Normal", "Done", "again")
    recorder.flush(stop)
    assert (fates[-1], len(stop.waits)) == (Fate.FAILED, 4)


def test_an_answer_that_got_lost_does_not_make_two(recorder: Recorder, cluster: Cluster, stop: Any) -> None:
    def lost(request: Any) -> Any:
        cluster.refuse = lambda request: None
        cluster.answer(request)
        return cluster.server.refusal(503, "ServiceUnavailable", "the answer was lost")

    cluster.refuse = lost
    recorder.event(POD, "Normal", "Done", "it")
    recorder.flush(stop)
    recorder.event(POD, "Normal", "Done", "it")
    recorder.flush(stop)
    assert cluster.only()["count"] == 2


def test_an_object_in_no_namespace_has_its_events_in_default(recorder: Recorder, cluster: Cluster) -> None:
    recorder.event(Ref("v1", "Namespace", "", "shop"), "Normal", "Seen", "it")
    recorder.flush()
    assert cluster.only()["metadata"]["namespace"] == "default"
    assert "namespace" not in cluster.only()["involvedObject"]


def test_long_words_are_cut_to_what_the_api_takes(recorder: Recorder, cluster: Cluster) -> None:
    recorder.event(WEB._replace(name="w" * 253), "Normal", "R" * 300, "m" * 5000)
    recorder.flush()
    event = cluster.only()
    assert len(event["reason"]) == 128
    assert (len(event["message"]), event["message"][-1]) == (1024, "…")
    assert len(event["metadata"]["name"]) <= 253


def test_a_thread_writes_and_what_waits_at_the_end_is_tried(client: Client, cluster: Cluster, clock: Any) -> None:
    first, stop = threading.Event(), Stop()
    recorder = Recorder(client, "it", stamp=cluster.stamp, observe=lambda fate: first.set())
    thread = recorder.start(stop)
    recorder.event(POD, "Normal", "Done", "one")
    assert first.wait(30)
    stop.set()
    recorder.event(POD, "Normal", "Done", "two")
    thread.join(30)
    recorder.flush()
    assert (thread.is_alive(), len(cluster.events)) == (False, 2)


def test_at_the_end_a_server_that_is_away_holds_nobody_up(
    recorder: Recorder, cluster: Cluster, clock: Any, fates: list[Fate]
) -> None:
    def slow(request: Any) -> Any:
        clock.pass_(3)
        return cluster.server.refusal(503, "ServiceUnavailable", "down")

    cluster.refuse = slow
    for number in range(10):
        recorder.event(POD, "Normal", "Done", str(number))
    asked = len(cluster.server.requests)
    recorder.flush()
    posts = [r for r in cluster.server.requests[asked:] if r.method == "POST"]
    assert (len(posts), fates) == (2, [Fate.FAILED] * 10)
