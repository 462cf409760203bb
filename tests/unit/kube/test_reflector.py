"""The reflector on a scripted API server: each sequence of answers, and that it never asks in a hot loop."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from speedscale_kube import Client, Key, Reflector, Reflectors, Stop, Store
from speedscale_kube.reflector import ABSENT_S, FORBIDDEN_S, Sign, State

A, B, C = (Key("shop", name) for name in "abc")
COLLECTION = "/api/v1/namespaces/shop/configmaps"


def thing(name: str, version: int = 1, data: str = "x") -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "shop", "resourceVersion": str(version)}, "data": data}


def event(kind: str, name: str, version: int, data: str = "x") -> bytes:
    return json.dumps({"type": kind, "object": thing(name, version, data)}).encode() + b"\n"


def bookmark(version: int) -> bytes:
    return json.dumps({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": str(version)}}}).encode() + b"\n"


GONE = json.dumps({"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired"}}).encode() + b"\n"


class Case:
    """A reflector of ConfigMaps, a server that answers lists and watches from two scripts, then stops it."""

    def __init__(self, server: Any, client: Client, clock: Any, stop: Any) -> None:
        self.server, self.stop, self.clock = server, stop, clock
        self.lists: list[Any] = []
        self.watches: list[Any] = []
        self.store: Store[str] = Store()
        self.heard: list[tuple[Any, ...]] = []
        self.signs: list[Sign] = []
        self.reflector = Reflector(
            client,
            "v1",
            "ConfigMap",
            namespace="shop",
            project=lambda thing: thing["data"],
            store=self.store,
            clock=clock,
            jitter=lambda: 0.5,
            observe=lambda kind, sign: self.signs.append(sign),
        )
        self.store.add_handler(lambda *change: self.heard.append(change))
        server.script = self.answer

    def answer(self, request: Any) -> Any:
        script = self.watches if "watch" in request.params else self.lists
        if not script:
            self.stop.set()  # the story is told
            return self.server.refusal(503, "ServiceUnavailable", "the end")
        told = script.pop(0)
        return told() if callable(told) else told

    def listed(self, *items: Any, version: int = 1, more: str = "") -> None:
        from_page = {"metadata": {"resourceVersion": str(version), "continue": more}, "items": list(items)}
        self.lists.append(self.server.streams(json.dumps(from_page).encode()))

    def told(self, *lines: bytes, cut: bool = False) -> None:
        self.watches.append(self.server.streams(*lines, cut=cut))

    def refused(self, script: list[Any], code: int, reason: str) -> None:
        script.append(self.server.refusal(code, reason, f"{reason}, says the server"))

    def run(self) -> None:
        self.reflector.run(self.stop)

    def versions(self) -> list[str]:
        """Return the versions that were watched from."""
        return [r.params["resourceVersion"] for r in self.server.requests if "watch" in r.params]

    def count_lists(self) -> int:
        return sum(r.path == COLLECTION and not {"watch", "continue"} & set(r.params) for r in self.server.requests)


@pytest.fixture
def case(server: Any, client: Client, clock: Any, stop: Any) -> Case:
    return Case(server, client, clock, stop)


def test_pages_become_visible_together_and_the_watch_begins_at_their_version(case: Case) -> None:
    case.listed(thing("a"), version=7, more="next")
    seen: list[int] = []
    page = {"metadata": {"resourceVersion": "7"}, "items": [thing("b")]}

    def second() -> Any:
        seen.append(len(case.store))
        return case.server.streams(json.dumps(page).encode())

    case.lists.append(second)
    case.told(event("ADDED", "c", 8), event("MODIFIED", "a", 9, "y"), event("DELETED", "b", 10))
    case.run()
    assert seen == [0], "half a list is not shown"
    assert case.heard == [
        (A, None, "x"), (B, None, "x"), (C, None, "x"), (A, "x", "y"), (B, "x", None),
    ]  # fmt: skip
    assert case.versions() == ["7", "10"]
    assert case.server.requests[1].params["limit"] == "100"


def test_a_watch_lasts_240_to_300_seconds_and_asks_for_bookmarks(case: Case) -> None:
    case.listed()
    case.run()
    params = case.server.requests[-1].params
    assert (params["timeoutSeconds"], params["allowWatchBookmarks"]) == ("270", "true")


def test_a_watch_that_ends_is_resumed_without_a_list_and_without_a_wait(case: Case) -> None:
    case.listed(thing("a"), version=1)
    case.told(event("MODIFIED", "a", 2, "y"))
    case.told(bookmark(50))
    case.told(event("ADDED", "b", 60))
    case.run()
    assert (case.versions(), case.count_lists()) == (["1", "2", "50", "60"], 1)
    assert case.stop.waits[:3] == [0, 0, 0]
    assert (len(case.store), case.reflector.state) == (2, State.STOPPED)


def test_a_watch_that_breaks_in_mid_event_is_resumed_after_the_last_whole_one(case: Case) -> None:
    case.listed()
    case.told(event("ADDED", "a", 2), event("ADDED", "b", 3)[:30], cut=True)
    case.told(event("ADDED", "b", 3))
    case.run()
    assert (case.versions(), case.count_lists(), len(case.store)) == (["1", "2", "3"], 1, 2)


@pytest.mark.parametrize("how", ["answer", "event"])
def test_a_version_that_is_gone_is_listed_anew_and_who_left_meanwhile_is_found(how: str, case: Case) -> None:
    case.listed(thing("a"), thing("b"), version=1)
    if how == "answer":
        case.refused(case.watches, 410, "Expired")
    else:
        case.told(GONE)
    case.listed(thing("b"), thing("c"), version=90)
    case.told()
    case.run()
    assert case.heard[2:] == [(A, "x", None), (C, None, "x")]
    assert case.versions() == ["1", "90", "90"]
    assert Sign.GONE in case.signs


def test_a_version_that_is_gone_in_mid_page_begins_the_list_anew(case: Case) -> None:
    case.listed(thing("a"), version=1, more="next")
    case.refused(case.lists, 410, "Expired")
    case.listed(thing("b"), version=5)
    case.run()
    assert case.heard == [(B, None, "x")], "the half list left no trace"
    assert case.versions() == ["5"]


def test_a_version_that_is_gone_each_time_waits_longer_and_longer(case: Case) -> None:
    for number in range(8):
        case.listed(version=number + 1)
        case.told(GONE)
    case.run()
    assert case.stop.waits[:8] == pytest.approx([0, 1.2, 2.4, 4.8, 9.6, 19.2, 22.5, 22.5])


def test_watches_that_end_at_once_and_tell_nothing_wait_longer_and_longer(case: Case) -> None:
    case.listed(version=1)
    for _ in range(7):
        case.told()
    case.run()
    assert case.stop.waits[:7] == pytest.approx([0.6, 1.2, 2.4, 4.8, 9.6, 19.2, 22.5])
    assert case.count_lists() == 1


def test_a_watch_that_tells_only_the_version_it_began_with_is_no_progress(case: Case) -> None:
    case.listed(version=1)
    for _ in range(3):
        case.told(bookmark(1))
    case.run()
    assert case.stop.waits[:3] == pytest.approx([0.6, 1.2, 2.4])


def test_a_quiet_watch_that_lasted_is_renewed_at_once(case: Case) -> None:
    case.listed(version=1)

    def quiet() -> Iterator[bytes]:
        case.clock.pass_(270)
        yield b"\n"

    case.watches.append(case.server.streams(chunks=quiet()))
    case.run()
    assert case.stop.waits[0] == 0


def test_progress_starts_the_backoff_anew(case: Case) -> None:
    case.listed(version=1)
    case.told()
    case.told()
    case.told(event("ADDED", "a", 2))
    case.told()
    case.run()
    assert case.stop.waits[:4] == pytest.approx([0.6, 1.2, 0, 0.6])


def test_a_missing_right_is_a_state_with_its_reason_asked_for_slowly_and_gone_when_given(case: Case) -> None:
    case.refused(case.lists, 403, "Forbidden")
    states: list[Any] = []
    case.stop.at_wait = lambda: states.append(
        (case.reflector.state, case.reflector.reason, case.reflector.synced, case.reflector.settled)
    )
    case.listed(thing("a"))
    case.told()
    case.run()
    state, reason, synced, settled = states[0]
    assert (state, synced, settled) == (State.FORBIDDEN, False, True)
    assert "Forbidden, says the server" in reason
    assert case.stop.waits[0] == FORBIDDEN_S
    assert states[1] == (State.WATCHING, "", True, True)


def test_a_right_that_is_taken_away_deletes_nothing(case: Case) -> None:
    case.listed(thing("a"))
    case.refused(case.watches, 403, "Forbidden")
    case.listed(thing("b"))
    case.run()
    assert case.heard == [(A, None, "x"), (A, "x", None), (B, None, "x")], "A left with the list that says so"
    assert case.stop.waits[0] == FORBIDDEN_S


def test_a_kind_that_is_not_there_is_an_empty_collection_looked_for_again(
    case: Case, server: Any, client: Client, clock: Any, stop: Any
) -> None:
    rollouts = Reflector(
        client, "argoproj.io/v1alpha1", "Rollout", project=lambda thing: 1, store=Store(), clock=clock,
        jitter=lambda: 0.5,
    )  # fmt: skip
    asked = []

    def script(request: Any) -> Any:
        asked.append(request.path)
        return server.refusal(404, "NotFound", "no such path")

    server.script, stop.ends_after = script, 3
    stop.at_wait = lambda: asked.append(rollouts.state)
    rollouts.run(stop)
    assert asked == ["/apis/argoproj.io/v1alpha1", State.ABSENT] * 3
    assert (rollouts.synced, rollouts.settled, stop.waits) == (True, True, [ABSENT_S] * 3)
    assert "serves no argoproj.io/v1alpha1 Rollout" in rollouts.reason


def test_a_definition_that_goes_empties_the_store_when_a_second_look_agrees(case: Case) -> None:
    case.listed(thing("a"))
    case.refused(case.watches, 404, "NotFound")
    case.refused(case.lists, 404, "NotFound")
    held: list[int] = []
    case.stop.at_wait = lambda: held.append(len(case.store))
    case.listed(thing("b"))
    case.told()
    case.run()
    assert held[:3] == [1, 0, 1]


def test_a_server_that_fails_is_asked_later_and_later_and_says_when(case: Case) -> None:
    case.refused(case.lists, 500, "InternalError")
    case.refused(case.lists, 500, "InternalError")
    busy = case.server.refusal(429, "TooManyRequests", "busy")
    busy.headers["Retry-After"] = "17"
    case.lists.append(busy)
    states: list[State] = []
    case.stop.at_wait = lambda: states.append(case.reflector.state)
    case.listed()
    case.told()
    case.run()
    assert case.stop.waits[:3] == pytest.approx([1.0, 1.2, 17.0])
    assert states[:4] == [State.FAILING] * 3 + [State.WATCHING]
    assert case.signs[:3] == [Sign.FAILED, Sign.FAILED, Sign.THROTTLED]


def test_watches_that_break_again_and_again_end_in_a_list(case: Case) -> None:
    case.listed(version=1)
    for _ in range(4):
        case.told(b"<html>", cut=True)
    case.listed(version=9)
    case.run()
    assert case.versions() == ["1", "1", "1", "1", "9"]


def test_a_line_that_is_no_event_does_not_end_it(case: Case) -> None:
    case.listed(version=1)
    case.told(b"<html>\n")
    case.told(event("ADDED", "a", 2))
    case.run()
    assert len(case.store) == 1


def test_what_the_projection_leaves_out_is_not_kept_and_leaves_when_it_becomes_so(case: Case) -> None:
    case.reflector._project = lambda thing: thing["data"] if thing["data"] != "no" else None
    case.listed(thing("a"), thing("b", data="no"))
    case.told(event("MODIFIED", "a", 2, "no"), event("MODIFIED", "b", 3, "yes"))
    case.run()
    assert case.heard == [(A, None, "x"), (A, "x", None), (B, None, "yes")]


def test_a_projection_that_fails_hides_its_object_only(case: Case) -> None:
    case.reflector._project = lambda thing: thing["data"].upper()
    case.listed(thing("a"), {**thing("b"), "data": 1})
    case.run()
    assert case.heard == [(A, None, "X")]
    assert Sign.PROJECTION_FAILED in case.signs


def test_the_age_is_that_of_the_last_sign_of_life(case: Case) -> None:
    ages: list[float] = []

    def told() -> Iterator[bytes]:
        case.clock.pass_(100)
        yield bookmark(5)
        case.clock.pass_(30)
        yield bookmark(6)

    case.listed()
    case.watches.append(case.server.streams(chunks=told()))
    case.stop.at_wait = lambda: ages.append(case.reflector.age_s())
    case.clock.pass_(500)
    assert case.reflector.age_s() == 500
    case.run()
    assert ages[0] == 0
    case.clock.pass_(42)
    assert case.reflector.age_s() >= 42


def test_stopping_ends_a_watch_that_waits(server: Any, client: Client) -> None:
    release, stop = threading.Event(), Stop()

    def quiet() -> Iterator[bytes]:
        yield bookmark(5)
        release.wait(60)

    def script(request: Any) -> Any:
        page = json.dumps({"metadata": {"resourceVersion": "1"}, "items": []}).encode()
        return server.streams(chunks=quiet()) if "watch" in request.params else server.streams(page)

    server.script = script
    marked = threading.Event()
    reflector = Reflector(
        client, "v1", "ConfigMap", project=lambda thing: 1, store=Store(),
        observe=lambda kind, sign: marked.set() if sign is Sign.BOOKMARK else None,
    )  # fmt: skip
    thread = reflector.start(stop)
    assert marked.wait(30)
    stop.set()
    thread.join(30)
    ended = not thread.is_alive()
    release.set()
    assert (ended, reflector.state) == (True, State.STOPPED)


def test_several_namespaces_share_one_store(server: Any, client: Client) -> None:
    stop = Stop()
    store: Store[str] = Store()
    listed = threading.Barrier(3)

    def script(request: Any) -> Any:
        namespace = request.path.split("/")[4]
        if "watch" in request.params:
            return server.refusal(503, "ServiceUnavailable", "later")
        if namespace == "till":
            return server.refusal(403, "Forbidden", "no right")
        item = {"metadata": {"name": "it", "namespace": namespace}, "data": namespace}
        return server.streams(json.dumps({"metadata": {"resourceVersion": "1"}, "items": [item]}).encode())

    server.script = script

    def make(namespace: str) -> Reflector[str]:
        once: list[Callable[[], int]] = [lambda: listed.wait(30)]

        def first_answer(kind: str, sign: Sign) -> None:
            if once and sign in (Sign.FORBIDDEN, Sign.LISTED):
                once.pop()()

        return Reflector(
            client, "v1", "ConfigMap", namespace=namespace, project=lambda thing: thing["data"], store=store,
            observe=first_answer,
        )  # fmt: skip

    group = Reflectors(["till", "shop", "shop"], make)
    assert not group.settled
    group.start(stop)
    listed.wait(30)
    for one in group.each:
        assert one.wait_settled(30)
    problems = group.problems()
    stop.set()
    assert group.join(30)
    assert [(namespace, state) for namespace, state, _ in problems if state is State.FORBIDDEN] == [
        ("till", State.FORBIDDEN)
    ]
    assert (group.settled, group.synced, store.values()) == (True, False, ("shop",))
    assert group.age_s() >= 0
    assert [one.namespace for one in Reflectors([], make).each] == [""]
