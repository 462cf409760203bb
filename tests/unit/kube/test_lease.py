"""The Lease: who may take it and when, on the local clock; who loses it finds out before writing."""

from __future__ import annotations

import copy
import itertools
import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speedscale_kube import Client, Leader, NotLeaderError, Ref, Stop, load
from speedscale_kube.errors import UnauthorizedError
from speedscale_kube.lease import Durations, Election

PATH = "/apis/coordination.k8s.io/v1/namespaces/shop/leases"
IT = Ref("coordination.k8s.io/v1", "Lease", "shop", "it")
TIMES = Durations()


class Leases:
    """One Lease as an API server keeps it: creation fails when it is there, updates when it changed."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self.lease: dict[str, Any] | None = None
        self.version = 0
        self.down = False
        self.before: Callable[[Any], None] = lambda request: None
        server.script = self.answer

    def answer(self, request: Any) -> Any:
        self.before(request)
        if self.down:
            return self.server.refusal(503, "ServiceUnavailable", "down")
        if request.method == "GET":
            found = self.lease
            return self.server.refusal(404, "NotFound", "no lease") if found is None else self.given(found)
        if request.method == "POST":
            if self.lease is not None:
                return self.server.refusal(409, "AlreadyExists", "there is one")
            return self.keep(request.body)
        if request.method != "PUT":
            return self.server.streams(b"{}")
        if self.lease is None:
            return self.server.refusal(404, "NotFound", "no lease")
        if request.body["metadata"]["resourceVersion"] != str(self.version):
            return self.server.refusal(409, "Conflict", "it changed")
        return self.keep(request.body)

    def keep(self, lease: dict[str, Any]) -> Any:
        self.version += 1
        self.lease = copy.deepcopy(lease)
        self.lease["metadata"] |= {"resourceVersion": str(self.version), "managedFields": [{"manager": "x"}]}
        return self.given(self.lease)

    def given(self, lease: dict[str, Any]) -> Any:
        return self.server.streams(json.dumps(lease).encode())

    def held_by(self, holder: str, **spec: Any) -> None:
        """Have another one hold it."""
        spec = {"holderIdentity": holder, "leaseDurationSeconds": 15, "leaseTransitions": 3, "renewTime": "t0"} | spec
        names = {"apiVersion": IT.api_version, "kind": IT.kind, "metadata": {"name": "it", "namespace": "shop"}}
        self.keep({**names, "spec": spec})

    @property
    def spec(self) -> dict[str, Any]:
        assert self.lease is not None
        return dict(self.lease["spec"])


@pytest.fixture
def leases(server: Any) -> Leases:
    return Leases(server)


@pytest.fixture
def candidate(client: Client, clock: Any) -> Leader:
    return Leader(
        client, "shop", "it", "pod-a_1", clock, stamp=lambda: datetime(2030, 1, 2, tzinfo=UTC), jitter=lambda: 0.5
    )


class Story:
    """What a run called, in order."""

    def __init__(self, leader: Leader, stop: Any) -> None:
        self.leader, self.stop, self.told = leader, stop, list[str]()

    def run(self) -> bool:
        return self.leader.run(lambda: self.say("started"), lambda: self.say("lost"), self.stop)

    def say(self, what: str) -> None:
        self.told.append(f"{what}, {'leading' if self.leader.leading else 'not leading'}")


def test_a_lease_that_is_not_there_is_made_and_renewed_and_released(
    leases: Leases, candidate: Leader, stop: Any, server: Any
) -> None:
    story = Story(candidate, stop)
    renewed: list[Any] = []
    stop.at_wait = lambda: renewed.append(leases.spec["holderIdentity"])
    stop.ends_after = 3
    assert story.run() is True
    assert story.told == ["started, leading", "lost, leading"], "what is in work may be finished"
    assert not candidate.leading
    assert (renewed, stop.waits) == (["pod-a_1"] * 3, [2.0] * 3)
    assert leases.spec == {
        "holderIdentity": "",
        "leaseDurationSeconds": 1,
        "acquireTime": "2030-01-02T00:00:00.000000Z",
        "renewTime": "2030-01-02T00:00:00.000000Z",
        "leaseTransitions": 0,
    }
    assert server.asked() == [
        f"GET {PATH}/it", f"POST {PATH}", f"PUT {PATH}/it", f"PUT {PATH}/it", f"GET {PATH}/it", f"PUT {PATH}/it",
    ]  # fmt: skip
    puts = [r for r in server.requests if r.method == "PUT"]
    assert all("managedFields" not in r.body["metadata"] and r.params == {"fieldManager": "it/lease"} for r in puts)


def test_a_held_lease_is_taken_after_its_duration_without_a_change_on_our_clock(
    leases: Leases, candidate: Leader, stop: Any, clock: Any
) -> None:
    leases.held_by("pod-b_2", renewTime="1970-01-01T00:00:00.000000Z")  # its clock says nothing to us
    began = clock()
    story = Story(candidate, stop)
    taken: list[float] = []

    def at_wait() -> None:
        if leases.spec["holderIdentity"] == "pod-a_1" and not taken:
            taken.append(clock.now - stop.waits[-1] - began)
            stop.set()

    stop.at_wait = at_wait
    assert story.run() is True
    assert 15 <= taken[0] <= 15 + 3
    assert leases.spec["leaseTransitions"] == 4
    assert set(stop.waits[:-1]) == {3.0}, "2 s and a jitter"


def test_a_lease_that_goes_on_changing_is_never_taken(leases: Leases, candidate: Leader, stop: Any) -> None:
    leases.held_by("pod-b_2")
    stop.at_wait = lambda: leases.held_by("pod-b_2", renewTime=f"t{len(stop.waits)}")
    stop.ends_after = 50
    assert Story(candidate, stop).run() is True
    assert leases.spec["holderIdentity"] == "pod-b_2"
    assert (candidate.leading, candidate.holder) == (False, "pod-b_2")


def test_a_released_lease_is_taken_at_once(leases: Leases, candidate: Leader, stop: Any) -> None:
    leases.held_by("", leaseDurationSeconds=1)
    stop.ends_after = 1
    story = Story(candidate, stop)
    story.run()
    assert (story.told[0], stop.waits) == ("started, leading", [2.0])


def test_of_two_who_take_a_free_lease_one_gets_it(leases: Leases, candidate: Leader, stop: Any) -> None:
    leases.held_by("")

    def other_is_faster(request: Any) -> None:
        if request.method == "PUT" and leases.spec["holderIdentity"] == "":
            leases.held_by("pod-b_2")

    leases.before = other_is_faster
    stop.ends_after = 2
    story = Story(candidate, stop)
    story.run()
    assert (story.told, leases.spec["holderIdentity"]) == ([], "pod-b_2")


def test_a_server_that_is_away_shortly_costs_nothing(leases: Leases, candidate: Leader, stop: Any) -> None:
    def at_wait() -> None:
        leases.down = 2 <= len(stop.waits) <= 4

    stop.at_wait, stop.ends_after = at_wait, 8
    story = Story(candidate, stop)
    assert story.run() is True
    assert story.told == ["started, leading", "lost, leading"]


def test_who_cannot_renew_for_10_seconds_stops_5_before_another_may_start(
    leases: Leases, candidate: Leader, stop: Any, clock: Any
) -> None:
    def at_wait() -> None:
        leases.down = True

    stop.at_wait = at_wait
    story = Story(candidate, stop)
    began = clock()
    assert story.run() is False
    assert story.told == ["started, leading", "lost, not leading"]
    assert clock() - began == 10
    assert leases.spec["holderIdentity"] == "pod-a_1", "not ours to release"


def test_who_sees_another_in_the_lease_stops_at_once(leases: Leases, candidate: Leader, stop: Any) -> None:
    stop.at_wait = lambda: leases.held_by("pod-b_2")
    story = Story(candidate, stop)
    assert story.run() is False
    assert (story.told[-1], len(stop.waits), leases.spec["holderIdentity"]) == ("lost, not leading", 1, "pod-b_2")


def test_a_lease_that_somebody_deleted_is_made_anew_by_its_holder(leases: Leases, candidate: Leader, stop: Any) -> None:
    def at_wait() -> None:
        if len(stop.waits) == 2:
            leases.lease = None

    stop.at_wait, stop.ends_after = at_wait, 6
    story = Story(candidate, stop)
    assert story.run() is True
    assert story.told == ["started, leading", "lost, leading"]


def test_a_deleted_lease_that_another_made_first_is_lost(leases: Leases, candidate: Leader, stop: Any) -> None:
    def at_wait() -> None:
        leases.lease = None
        leases.before = lambda request: leases.held_by("pod-b_2") if request.method == "POST" else None

    stop.at_wait = at_wait
    story = Story(candidate, stop)
    assert story.run() is False
    assert (story.told[-1], leases.spec["holderIdentity"]) == ("lost, not leading", "pod-b_2")


def test_who_slept_is_refused_before_any_thread_of_it_ran(leases: Leases, candidate: Leader, clock: Any) -> None:
    stop = Stop()
    leading, over = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: candidate.run(leading.set, over.set, stop))
    thread.start()
    assert leading.wait(30)
    candidate.check()
    clock.pass_(10)  # stopped and continued: the renewing thread is still asleep
    with pytest.raises(NotLeaderError, match="Lease shop/it is not ours"):
        candidate.check()
    stop.set()
    thread.join(30)
    assert over.is_set()


def test_a_fenced_client_writes_only_while_leading(
    leases: Leases, candidate: Leader, client: Client, clock: Any
) -> None:
    candidate._leading = candidate._try()
    fenced = client.fenced(candidate.check)
    lease = fenced.get(IT)
    fenced.update(lease, "us")
    clock.pass_(10)
    asked = len(leases.server.requests)
    writes: list[Callable[[], Any]] = [
        lambda: fenced.update(lease, "us"),
        lambda: fenced.create(lease, "us"),
        lambda: fenced.apply(lease | {"apiVersion": IT.api_version, "kind": IT.kind}, "us"),
        lambda: fenced.patch(IT, {}, "us"),
        lambda: fenced.patient(3).delete(IT),
    ]
    for write in writes:
        with pytest.raises(NotLeaderError):
            write()
    assert len(leases.server.requests) == asked, "nothing was sent"
    fenced.get(IT)
    client.patch(IT, {}, "us")
    with pytest.raises(NotLeaderError):
        fenced.patch(IT, {}, "us")


def test_the_fence_is_asked_after_the_credentials(server: Any, kubeconfig: Any, tmp_path: Path) -> None:
    """A token is minted anew after a 401, which may take long: before the second request it is asked again."""
    token, order = tmp_path / "token", list[str]()
    token.write_text("old")

    def script(request: Any) -> Any:
        order.append(request.headers["authorization"])
        token.write_text("new")
        return server.refusal(401, "Unauthorized", "no")

    server.script = script
    with Client(load(kubeconfig(server.url, tokenFile=str(token)), environ={})) as client:
        client.resource("v1", "ConfigMap")
        with pytest.raises(UnauthorizedError):
            client.fenced(lambda: order.append("fence")).patch(Ref("v1", "ConfigMap", "shop", "it"), {}, "us")
    assert order == ["fence", "Bearer old", "fence", "Bearer new"]


def test_a_hanging_request_does_not_hide_the_deadline(leases: Leases, client: Client) -> None:
    release, lost = threading.Event(), threading.Event()

    def hang(request: Any) -> None:
        if request.method == "PUT":
            release.wait(60)

    leases.before = hang
    times = Durations(lease_s=30, renew_s=0.3, retry_s=0.01)
    leader = Leader(client, "shop", "it", "pod-a_1", times=times)
    leader._client = client  # with the patience to hang for long
    thread = threading.Thread(target=lambda: leader.run(lambda: None, lost.set, Stop()))
    thread.start()
    assert lost.wait(30), "the watchdog saw it while the renewal hung"
    with pytest.raises(NotLeaderError):
        leader.check()
    release.set()
    thread.join(30)
    assert not thread.is_alive()


def test_the_lease_is_released_only_after_the_writers_ended(leases: Leases, candidate: Leader, stop: Any) -> None:
    seen: list[str] = []
    stop.ends_after = 1
    candidate.run(lambda: None, lambda: seen.append(leases.spec["holderIdentity"]), stop)
    assert (seen, leases.spec["holderIdentity"]) == (["pod-a_1"], "")


def test_who_takes_too_long_to_end_is_refused_and_releases_nothing(
    leases: Leases, candidate: Leader, stop: Any, clock: Any
) -> None:
    stop.ends_after = 1
    refused: list[bool] = []

    def lost() -> None:
        candidate.check()
        clock.pass_(10)
        with pytest.raises(NotLeaderError):
            candidate.check()
        refused.append(True)

    assert candidate.run(lambda: None, lost, stop) is False
    assert (refused, leases.spec["holderIdentity"]) == ([True], "pod-a_1")


def test_who_cannot_start_gives_the_lease_back(leases: Leases, candidate: Leader, stop: Any) -> None:
    def started() -> None:
        raise RuntimeError("no port")

    with pytest.raises(RuntimeError, match="no port"):
        candidate.run(started, lambda: None, stop)
    assert leases.spec["holderIdentity"] == ""


def test_missing_rights_and_strange_leases_do_not_end_a_candidate(
    leases: Leases, candidate: Leader, stop: Any, server: Any
) -> None:
    answers = [server.refusal(403, "Forbidden", "no"), server.streams(b"<html>"), server.streams(b'{"metadata": {}}')]

    def script(request: Any) -> Any:
        return answers.pop(0) if answers else leases.answer(request)

    server.script = script
    stop.ends_after = 6
    story = Story(candidate, stop)
    assert story.run() is True
    assert story.told[0] == "started, leading"


@pytest.mark.parametrize("times", [(10, 15, 2), (15, 15, 2), (15, 10, 10), (15, 10, 0)])
def test_durations_that_would_let_two_lead_are_refused(times: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="retry_s < renew_s < lease_s"):
        Durations(*times)


def test_a_candidate_has_a_name(client: Client) -> None:
    with pytest.raises(ValueError, match="identity"):
        Leader(client, "shop", "it", "")


@pytest.mark.parametrize("spec", [{}, {"holderIdentity": 1}, {"leaseTransitions": "x", "leaseDurationSeconds": "y"}])
def test_a_lease_that_others_wrote_oddly_is_put_right(spec: dict[str, Any]) -> None:
    claimed = Election("me", TIMES).claim(spec, "now")
    assert (claimed["holderIdentity"], claimed["leaseDurationSeconds"]) == ("me", 15)
    assert isinstance(claimed["leaseTransitions"], int)


ACTS = st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["try", "sleep"]), st.floats(0, 20)), max_size=60)


@settings(max_examples=200, deadline=None)
@given(ACTS, st.lists(st.floats(0.9, 1.1), min_size=3, max_size=3))
def test_no_two_lead_whatever_they_do_and_however_their_clocks_drift(acts: list[Any], rates: list[float]) -> None:
    """Three candidates on clocks of their own, one server; an act is a try, or time that passes."""
    spec: dict[str, Any] = {}
    now = 0.0
    elections = [Election(f"pod-{number}", TIMES) for number in range(3)]
    stamps = itertools.count()
    for number, what, seconds in acts:
        now += seconds if what == "sleep" else seconds / 20
        local = now * rates[number]
        one = elections[number]
        if what == "try":
            one.see(spec, local)
            if one.free(spec, local):
                spec = one.claim(spec, str(next(stamps)))
                one.see(spec, local)
                one.renewed_at = local
        leading = [e.identity for e, rate in zip(elections, rates, strict=True) if e.leads(now * rate)]
        assert len(leading) <= 1


def test_it_is_the_pods_own_access_that_is_used(leases: Leases, kubeconfig: Any, server: Any, tmp_path: Path) -> None:
    with Client(load(kubeconfig(server.url), environ={})) as client:
        leader = Leader(client, "shop", "it", "pod-a_1")
        assert leader._try()
        assert leader.which == IT
