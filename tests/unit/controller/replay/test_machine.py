"""The state machine: every state met by every event, any order of observations, and a model cluster that is killed."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from speedscale_controller.replay import Limits, Memory, Phase, Replay, WorkloadPatch, decide, names
from speedscale_controller.replay.decision import (
    Create,
    Delete,
    DeleteWorkload,
    Expire,
    Hold,
    Job,
    Observed,
    Patch,
    Remember,
    Revert,
    Target,
    WriteReport,
)
from speedscale_controller.replay.model import Workload
from speedscale_controller.replay.objects import Objects
from speedscale_controller.replay.plan import Part, Plan
from speedscale_controller.replay.readiness import Readiness
from speedscale_controller.replay.status import Status, Type, timestamp
from speedscale_kube import Ref

NOW = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)
UID = "6f1d8f0e-3c1c-4b7e-9d57-0a6f5d2f8b11"
CHECKOUT = Ref("apps/v1", "Deployment", "shop", "checkout")
PATCH = WorkloadPatch(name="yucca", report_id="r", host_aliases={"pay.example.com": "10.0.0.1"})
PASSED = {"version": 1, "state": "Passed", "requests": 3, "errors": 0}
MISSED = {**PASSED, "state": "Missed Goals", "goals": [{"command": "c", "expected": "1", "actual": "0"}]}
LIMITS = Limits(prepare_s=600, poll_s=2)


def manifest(kind: str, name: str, namespace: str = "shop", version: str = "v1") -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": namespace}}


COLLECTOR = (manifest("Deployment", "collector", "speedscale", "apps/v1"),)
RESPONDER = (manifest("Service", "responder-http"), manifest("Deployment", "responder", version="apps/v1"))
GENERATOR = (manifest("Job", "generator", version="batch/v1"),)
OBJECTS = Objects(collector=COLLECTOR, responders={"shop": RESPONDER}, generator=GENERATOR)


def ref(obj: Mapping[str, Any]) -> Ref:
    meta = obj["metadata"]
    return Ref(obj["apiVersion"], obj["kind"], meta["namespace"], meta["name"])


EVERYTHING = frozenset(map(ref, OBJECTS.all))
BEFORE_TESTS = frozenset(map(ref, (*COLLECTOR, *RESPONDER)))


def plan(mode: str = "full-replay", cleanup: str = "inventory", sends_not: str = "") -> Plan:
    workload = Workload("spec.workloads[0]", CHECKOUT, "", ("*",), ("*",), "hostalias", {})
    return Plan(
        mode=mode,  # type: ignore[arg-type]
        cleanup=cleanup,  # type: ignore[arg-type]
        snapshot="s",
        config={"id": "standard"},
        parts=(Part(workload, ("t",), ("m",), ()),),
        tests=("t",),
        all_tests=True,
        custom_urls="http://checkout.shop.svc:80",
        generator_namespace="shop",
        secrets={},
        sends_not=sends_not or ("mode responder-only sends no tests" if mode == "responder-only" else ""),
    )


def replay(mode: str = "full-replay", **more: Any) -> Replay:
    """Return a TrafficReplay as it was just created."""
    made = Replay.read(
        {
            "apiVersion": "speedscale.com/v1",
            "kind": "TrafficReplay",
            "metadata": {
                "name": "yucca",
                "namespace": "shop",
                "uid": UID,
                "generation": 1,
                "resourceVersion": "1",
                "creationTimestamp": timestamp(NOW),
            },
            "spec": {
                "snapshotID": "s",
                "testConfigID": "standard",
                "mode": mode,
                "cleanup": "inventory",
                "workloads": [{"ref": {"name": "checkout"}, "tests": ["*"], "mocks": ["*"]}],
            },
        }
    )
    return replace(made, **more)


def memory(mode: str = "full-replay", **more: Any) -> Memory:
    return Memory(snapshot="s", mode=mode, suffixes={"shop": ""}, **more)


class Cluster:
    """A model of what decisions do: it takes actions, is looked at, and its parts come along when told."""

    def __init__(self, mode: str = "full-replay", cleanup: str = "inventory") -> None:
        self.replay = replay(mode, cleanup=cleanup)
        self.plan = plan(mode, cleanup)
        self.now = NOW
        self.there: set[Ref] = set()
        self.jobs_made = 0
        self.workload = ""  # whose it is
        self.exists = True
        self.responder_ready = self.workload_ready = self.secrets = False
        self.results: Mapping[str, Any] | None = None
        self.reports = 0
        self.expired = self.gone = False
        self.history: list[Status] = []

    def look(self) -> Observed:
        r = self.replay
        if r.deleted or r.status.concluded:
            ours = Target(self.exists, ours=self.workload == UID)
            return Observed(
                present=frozenset(self.there),
                memory=r.memory,
                targets={CHECKOUT: ours},
                report_written=bool(self.reports),
            )
        if not r.status.started:
            return Observed(present=frozenset(self.there), memory=r.memory)
        patches = {CHECKOUT: PATCH} if ref(RESPONDER[0]) in self.there else None
        objects = OBJECTS if self.plan.mode == "full-replay" else replace(OBJECTS, generator=())
        job = None
        if ref(GENERATOR[0]) in self.there:
            job = Job(started=True, ended=self.results is not None, summary=self.results)
        return Observed(
            present=frozenset(self.there),
            plan=self.plan,
            memory=replace(memory(self.plan.mode), patches=r.memory.patches, released=r.memory.released),
            objects=objects,
            secrets_missing=() if self.secrets else ("Secret shop/speedscale-certs is not there",),
            patches=patches,
            targets={
                CHECKOUT: Target(
                    self.exists,
                    in_place=self.workload == UID,
                    ours=self.workload == UID,
                    readiness=Readiness(self.workload_ready, "0 of 1 pods are available"),
                )
            },
            components={"responder in shop": Readiness(self.responder_ready, "starting")},
            job=job,
        )

    def do(self, action: object) -> None:
        match action:
            case Hold(held):
                self.replay = replace(self.replay, finalizers=(names.FINALIZER,) if held else ())
                self.gone = self.gone or (not held and bool(self.replay.deleted))
            case Remember(kept):
                self.replay = replace(self.replay, memory=kept)
            case Create(made, _):
                assert ref(made) not in self.there, "made twice"
                self.there.add(ref(made))
                self.jobs_made += made["kind"] == "Job"
            case Patch():
                assert not self.replay.memory.released, "patched after it was given back"
                self.workload = UID
            case Revert():
                self.workload = ""
            case Delete(which):
                self.there.discard(which)
            case DeleteWorkload():
                self.exists, self.workload = False, ""
            case WriteReport():
                self.reports += 1
            case Expire():
                self.expired = True

    def turn(self, budget: int = 10**6) -> tuple[float | None, int]:
        """Look, decide, do at most `budget` writes; return when to look again and how many are left."""
        decision = decide(self.replay, self.look(), self.now, LIMITS)
        for action in decision.actions:
            if not budget:
                return 0.0, 0
            budget -= 1
            self.do(action)
        if not budget:
            return 0.0, 0
        if decision.status != self.replay.status:
            budget -= 1
            self.replay = replace(self.replay, status=decision.status)
            self.history.append(decision.status)
        return decision.after_s, budget

    def settle(self, budget: int = 10**6) -> int:
        """Turn until there is nothing to do but wait."""
        for _ in range(100):
            if self.gone:
                return budget
            after_s, budget = self.turn(budget)
            if after_s != 0.0 or not budget:
                return budget
        raise AssertionError("it never rests")

    @property
    def phase(self) -> str:
        running = self.replay.status.get(Type.RUNNING)
        return running.reason if running else ""


def whole(cluster: Cluster, budget: int = 10**6) -> int:
    """Take a cluster through a whole replay, as far as the budget of writes goes."""
    for event in ("", "secrets", "responder_ready", "workload_ready", "results"):
        if event:
            setattr(cluster, event, PASSED if event == "results" else True)
        budget = cluster.settle(budget)
        if not budget:
            break
    return budget


def test_the_way_of_a_replay() -> None:
    cluster = Cluster()
    seen = []
    for event in ("", "secrets", "responder_ready", "workload_ready", "results"):
        if event:
            setattr(cluster, event, MISSED if event == "results" else True)
        cluster.settle()
        seen.append(cluster.phase)
    assert seen == ["SnapshotFetched", "CollectorUp", "WorkloadMutated", "GeneratorRunning", "CleanedUp"]
    status = cluster.replay.status
    assert [c.type for c in status.conditions] == ["MocksReady", "Running", "Ready"]
    assert status.conditions[-1].message == "Failed: Missed Goals"
    assert not cluster.there
    assert cluster.workload == ""
    assert (cluster.jobs_made, cluster.reports) == (1, 1)


@pytest.mark.parametrize("mode", ["full-replay", "responder-only"])
@pytest.mark.parametrize("cleanup", ["inventory", "all", "none"])
def test_killed_between_any_two_writes_it_comes_to_the_same_end(mode: str, cleanup: str) -> None:
    first = Cluster(mode, cleanup)
    budget = 10**6 - whole(first)
    assert budget > 10
    for at in range(budget + 1):
        cluster = Cluster(mode, cleanup)
        whole(cluster, at)
        whole(cluster)
        assert cluster.phase == first.phase
        assert cluster.there == first.there
        assert (cluster.workload, cluster.exists) == (first.workload, first.exists)
        assert cluster.replay.status.concluded == first.replay.status.concluded
        assert cluster.jobs_made == first.jobs_made


@pytest.mark.parametrize("mode", ["full-replay", "responder-only"])
@pytest.mark.parametrize("cleanup", ["inventory", "all", "none"])
def test_deleted_after_any_write_nothing_is_left(mode: str, cleanup: str) -> None:
    budget = 10**6 - whole(Cluster(mode, cleanup))
    for at in range(budget + 1):
        cluster = Cluster(mode, cleanup)
        whole(cluster, at)
        cluster.replay = replace(cluster.replay, deleted=timestamp(NOW))
        cluster.settle()
        assert cluster.gone or names.FINALIZER not in cluster.replay.finalizers
        assert not cluster.there
        assert cluster.workload == ""


@given(st.lists(st.sampled_from(["secrets", "responder_ready", "workload_ready", "results"]), max_size=12), st.data())
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_any_order_of_what_happens_ends_in_a_legal_state(events: list[str], data: st.DataObject) -> None:
    cluster = Cluster(data.draw(st.sampled_from(["full-replay", "responder-only"])))
    for event in events:
        value = data.draw(st.booleans())
        setattr(cluster, event, (PASSED if value else None) if event == "results" else value)
        cluster.now += timedelta(seconds=data.draw(st.integers(0, 400)))
        cluster.settle()
        legal(cluster)
        again = decide(cluster.replay, cluster.look(), cluster.now, LIMITS)
        assert again.actions == ()
        assert again.status == cluster.replay.status
    verdicts = [s.get(Type.READY) for s in cluster.history if s.concluded]
    assert all(v == verdicts[0] for v in verdicts)


def legal(cluster: Cluster) -> None:
    """What holds in every state at rest."""
    status = cluster.replay.status
    assert cluster.phase in set(Phase)
    assert [c.type for c in status.conditions].count("Running") == 1
    if status.concluded:
        assert status.conditions[-1].type == Type.READY
        assert not status.active
        assert status.finished
    if cluster.jobs_made and not status.concluded:
        assert cluster.phase == Phase.GENERATOR_RUNNING
        assert status.initialized
    assert cluster.jobs_made <= 1


# Every state × every event


def at_rest() -> dict[str, Cluster]:
    """Return a cluster in each state in which a replay waits."""
    made: dict[str, Cluster] = {}
    cluster = Cluster()
    for event in ("", "secrets", "responder_ready", "workload_ready", "results"):
        other = Cluster()
        for earlier in ("", "secrets", "responder_ready", "workload_ready", "results"):
            if earlier:
                setattr(other, earlier, PASSED if earlier == "results" else True)
            other.settle()
            if earlier == event:
                break
        made[other.phase] = other
    serving = Cluster("responder-only")
    whole(serving)
    made["serving"] = serving
    del cluster
    return made


def _late(cluster: Cluster) -> None:
    cluster.now += timedelta(seconds=601)


def _deleted(cluster: Cluster) -> None:
    cluster.replay = replace(cluster.replay, deleted=timestamp(cluster.now))


def _job_gone(cluster: Cluster) -> None:
    cluster.there.discard(ref(GENERATOR[0]))


def _workload_gone(cluster: Cluster) -> None:
    cluster.exists, cluster.workload = False, ""


def _edited(cluster: Cluster) -> None:
    cluster.workload = ""


def _responder_gone(cluster: Cluster) -> None:
    cluster.there.discard(ref(RESPONDER[1]))


def _nothing(cluster: Cluster) -> None:
    pass


def _failed(cluster: Cluster) -> None:
    cluster.results = {**PASSED, "state": "Error", "reason": "boom"}


EVENTS = {
    "late": _late,
    "deleted": _deleted,
    "job gone": _job_gone,
    "workload gone": _workload_gone,
    "edited": _edited,
    "responder gone": _responder_gone,
    "failed": _failed,
    "nothing": _nothing,
}
GONE, FAILED, STAYS = "gone", "TestFailed", "stays"
TABLE = {
    "SnapshotFetched": {"late": FAILED, "workload gone": STAYS},
    "CollectorUp": {"late": FAILED, "workload gone": STAYS},
    "WorkloadMutated": {"late": FAILED, "workload gone": FAILED},
    "GeneratorRunning": {"job gone": FAILED, "workload gone": FAILED, "failed": FAILED},
    "CleanedUp": {},
    "serving": {"workload gone": FAILED},
}


@pytest.mark.parametrize(("state", "event"), list(itertools.product(TABLE, EVENTS)))
def test_every_event_in_every_state(state: str, event: str) -> None:
    cluster = at_rest()[state]
    before = cluster.replay.status
    EVENTS[event](cluster)
    cluster.settle()
    expected = GONE if event == "deleted" else TABLE[state].get(event, STAYS)
    status = cluster.replay.status
    ready = status.get(Type.READY)
    if expected == GONE:
        assert cluster.gone
        assert not cluster.there
        assert cluster.workload == ""
    elif expected == FAILED:
        assert ready is not None
        assert ready.reason == FAILED
        assert not cluster.there
        assert cluster.workload == ""
    else:
        assert status.concluded == before.concluded
        assert ready == before.get(Type.READY)
        if state in ("GeneratorRunning", "serving"):
            assert cluster.workload == UID, "the patch is kept"
            assert cluster.there >= BEFORE_TESTS, "what is missing is made again"


# Single rules


def test_a_replay_waits_for_another_one_without_beginning() -> None:
    seen = Observed(waits_for="TrafficReplay shop/other on Deployment shop/checkout")
    held = replay(finalizers=(names.FINALIZER,))
    late = NOW + timedelta(days=1)
    made = decide(held, seen, late, LIMITS)
    assert (made.phase, made.status.started, made.actions) == (Phase.WAITING, "", ())
    assert made.after_s == LIMITS.poll_s
    made = decide(held, replace(seen, waits_for_ever=True), late, LIMITS)
    assert made.status.concluded


def test_a_started_replay_that_cannot_be_planned_ends_with_every_problem() -> None:
    cluster = Cluster()
    cluster.turn()
    cluster.turn()
    made = decide(cluster.replay, Observed(problems=("a: wrong", "b: wrong")), NOW, LIMITS)
    ready = made.status.get(Type.READY)
    assert ready is not None
    assert ready.message == "Failed: a: wrong; b: wrong"


def test_names_that_are_taken_are_told() -> None:
    cluster = Cluster()
    cluster.secrets = True
    cluster.turn()
    cluster.turn()
    seen = replace(cluster.look(), foreign=frozenset({ref(RESPONDER[1])}))
    cluster.replay = replace(cluster.replay, memory=seen.memory)
    cluster.there.add(ref(COLLECTOR[0]))
    made = decide(cluster.replay, replace(seen, present=frozenset(cluster.there)), NOW, LIMITS)
    ready = made.status.get(Type.READY)
    assert ready is not None
    assert "Deployment shop/responder: exists and is not this replay's" in ready.message


@pytest.mark.parametrize(("age_s", "started", "ends"), [(599, False, False), (601, False, True), (601, True, False)])
def test_a_generator_that_does_not_start(age_s: float, started: bool, ends: bool) -> None:
    cluster = at_rest()["GeneratorRunning"]
    seen = replace(cluster.look(), job=Job(age_s=age_s, started=started, cause="image x: ErrImagePull"))
    made = decide(cluster.replay, seen, NOW, LIMITS)
    assert made.status.concluded == ends
    if ends:
        assert "ErrImagePull" in made.status.conditions[-1].message


def test_a_time_out_bounds_mocks_that_are_served() -> None:
    cluster = Cluster("responder-only")
    cluster.replay = replace(cluster.replay, timeout_s=1800.0)
    whole(cluster)
    assert not cluster.replay.status.concluded
    cluster.now += timedelta(seconds=1801)
    cluster.settle()
    ready = cluster.replay.status.get(Type.READY)
    assert ready is not None
    assert (ready.reason, ready.message) == ("TestSucceeded", "Passed: mocks were served for 30m (spec.timeout)")


def test_an_ended_replay_expires_when_its_time_has_come() -> None:
    cluster = Cluster()
    cluster.replay = replace(cluster.replay, ttl_s=60.0)
    whole(cluster)
    after_s, _ = cluster.turn()
    assert after_s == 60.0
    assert not cluster.expired
    cluster.now += timedelta(seconds=60)
    cluster.settle()
    assert cluster.expired


def test_what_cannot_be_cleared_away_is_named_and_left_after_a_while() -> None:
    cluster = at_rest()["GeneratorRunning"]
    cluster.replay = replace(cluster.replay, deleted=timestamp(NOW))
    stuck = frozenset({ref(GENERATOR[0])})
    cluster.replay = replace(cluster.replay, memory=cluster.replay.memory.done())
    seen = Observed(present=stuck, leaving=stuck, report_written=True, memory=cluster.replay.memory)
    assert decide(cluster.replay, seen, NOW, LIMITS).actions == ()
    late = decide(cluster.replay, seen, NOW + timedelta(seconds=301), LIMITS).actions
    assert late[-1] == Hold(False)
    assert "Job shop/generator" in late[0].message  # type: ignore[union-attr]


def test_a_report_that_cannot_be_written_keeps_no_deletion_waiting() -> None:
    """A namespace that is being deleted takes no new ConfigMap."""
    cluster = at_rest()["GeneratorRunning"]
    replay = replace(cluster.replay, deleted=timestamp(NOW), memory=cluster.replay.memory.done())
    first = decide(replay, Observed(memory=replay.memory), NOW, LIMITS)
    assert [type(action).__name__ for action in first.actions] == ["WriteReport"]
    refused = {names.report_ref(replay.namespace, replay.report_id): "the namespace is being terminated"}
    then = decide(replay, Observed(memory=replay.memory, given_up=refused), NOW, LIMITS)
    assert then.actions == (Hold(False),)


def test_trouble_is_told_and_tried_again_later_until_it_is_too_late() -> None:
    cluster = Cluster()
    cluster.secrets = True
    cluster.turn()
    cluster.turn()
    cluster.replay = replace(cluster.replay, memory=memory())
    seen = replace(cluster.look(), trouble="deployments is forbidden")
    made = decide(cluster.replay, seen, NOW, LIMITS)
    assert made.after_s == LIMITS.poll_s
    running = made.status.get(Type.RUNNING)
    assert running is not None
    assert running.message == "deployments is forbidden"
    made = decide(cluster.replay, seen, NOW + timedelta(seconds=600), LIMITS)
    assert "deployments is forbidden" in made.status.conditions[-1].message
