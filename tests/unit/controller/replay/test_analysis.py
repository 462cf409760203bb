"""The end of a replay and its collector: what is waited for, for how long, and whose word counts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from speedscale_controller.replay import Limits, Memory, Phase, Replay, decide, names, summary
from speedscale_controller.replay.decision import Analysis, Decision, Job, Observed, WriteReport
from speedscale_controller.replay.machine import is_over
from speedscale_controller.replay.model import Workload
from speedscale_controller.replay.plan import Plan
from speedscale_controller.replay.status import Status, Type, timestamp

NOW = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)
LIMITS = Limits(prepare_s=600, poll_s=2, analyse_s=120, leave_s=20)
PASSED = {"version": 1, "state": "Passed", "requests": 3, "errors": 0}
WHOLE = {**PASSED, "requests": 6, "latency": {"p50": 4.0}}
WAITING = Analysis(waiting="generator 1")
DONE = Analysis(done=True, summary=WHOLE, url="https://cloud.example.com/r", stored=("backend",), notes=("a note",))


def plan(mode: str = "full-replay") -> Plan:
    return Plan(
        mode=mode,  # type: ignore[arg-type]
        cleanup="inventory",
        snapshot="s",
        config={"id": "standard"},
        parts=(),
        tests=("t",),
        all_tests=True,
        custom_urls="http://checkout",
        generator_namespace="shop",
        secrets={},
        sends_not="mode responder-only sends no tests" if mode == "responder-only" else "",
    )


def replay(mode: str = "full-replay", **more: Any) -> Replay:
    meta = {"name": "yucca", "namespace": "shop", "uid": "u", "creationTimestamp": timestamp(NOW)}
    spec = {"snapshotID": "s", "testConfigID": "standard", "mode": mode}
    made = Replay.read({"metadata": meta, "spec": spec})
    begun = Status(started=timestamp(NOW), initialized=timestamp(NOW))
    memory = Memory(snapshot="s", mode=mode)
    workloads: tuple[Workload, ...] = ()
    return replace(
        made, **{"finalizers": (names.FINALIZER,), "status": begun, "memory": memory, "workloads": workloads, **more}
    )


def look(analysis: Analysis | None, ended_s: float = 1.0, results: Any = PASSED, **more: Any) -> Decision:
    seen = Observed(
        plan=plan(),
        memory=Memory(snapshot="s", mode="full-replay"),
        patches={},
        job=Job(started=True, ended=True, ended_s=ended_s, summary=results),
        analysis=analysis,
    )
    return decide(replay(**more), seen, NOW + timedelta(seconds=30), LIMITS)


def report(decision: Decision) -> WriteReport:
    (found,) = [action for action in decision.actions if isinstance(action, WriteReport)]
    return found


def test_the_report_is_waited_for_and_said() -> None:
    made = look(WAITING)
    assert (made.phase, made.actions, made.after_s) == (Phase.GENERATOR_RUNNING, (), 2)
    running = made.status.get(Type.RUNNING)
    assert running is not None
    assert running.message == "the report is being made: waiting for generator 1"
    assert not made.status.concluded


def test_what_the_collector_makes_of_all_results_counts() -> None:
    made = look(DONE)
    assert made.status.concluded
    assert made.status.report_url == "https://cloud.example.com/r"
    assert report(made).summary == WHOLE
    assert report(made).analysis == DONE


@pytest.mark.parametrize("analysis", [None, WAITING])
def test_without_it_the_generators_own_word_does(analysis: Analysis | None) -> None:
    made = look(analysis, ended_s=120.0)
    assert made.status.concluded
    assert report(made).summary == PASSED
    assert made.status.report_url == ""
    ready = made.status.get(Type.READY)
    assert ready is not None
    assert ready.message == "Passed"


def test_a_collector_that_cannot_judge_leaves_it_to_the_generators() -> None:
    made = look(Analysis(done=True, notes=("generator 1 has brought no results",)))
    assert report(made).summary == PASSED


@pytest.mark.parametrize("state", ["Error", "Canceled"])
def test_a_run_that_broke_is_not_made_whole(state: str) -> None:
    broken = {**PASSED, "state": state, "reason": "a pod was killed"}
    made = report(look(DONE, results=broken)).summary
    assert (made["state"], made["reason"], made["requests"]) == (state, "a pod was killed", 6)


def test_goals_are_judged_over_all_pods_together() -> None:
    missed = {**PASSED, "state": "Missed Goals", "goals": [{"command": "c", "expected": "1", "actual": "0"}]}
    assert summary.judged(missed, WHOLE)["state"] == "Passed"
    assert summary.judged(PASSED, {**WHOLE, "state": "Missed Goals"})["state"] == "Missed Goals"


def served(analysis: Analysis | None, seconds: float) -> Decision:
    mode = "responder-only"
    seen = Observed(plan=plan(mode), memory=Memory(snapshot="s", mode=mode), patches={}, analysis=analysis)
    return decide(replay(mode, timeout_s=60.0), seen, NOW + timedelta(seconds=seconds), LIMITS)


def test_mocks_that_were_served_long_enough_are_analysed_too() -> None:
    asked = replay("responder-only", timeout_s=60.0)
    seen = Observed(plan=plan("responder-only"))
    assert not is_over(asked, seen, NOW + timedelta(seconds=59))
    assert is_over(asked, seen, NOW + timedelta(seconds=60))
    assert not served(WAITING, 61).status.concluded
    ended = served(DONE, 61)
    assert ended.status.concluded
    assert report(ended).summary["requests"] == 6
    assert report(ended).state == "Passed"
    assert served(WAITING, 60 + 120).status.concluded


def left(analysis: Analysis | None, seconds: float, **more: Any) -> Decision:
    deleted = replay("responder-only", deleted=timestamp(NOW), needs_report=True, **more)
    return decide(deleted, Observed(memory=deleted.memory, analysis=analysis), NOW + timedelta(seconds=seconds), LIMITS)


def test_a_deletion_waits_a_little_for_the_report_and_never_hangs() -> None:
    assert left(WAITING, 5).actions == ()
    assert left(WAITING, 5).after_s == 2
    late = report(left(WAITING, 20))
    assert (late.state, late.summary["requests"], late.analysis) == ("Passed", 0, WAITING)
    made = report(left(DONE, 5))
    assert (made.summary["requests"], made.summary["state"], made.reason) == (
        6,
        "Passed",
        "the TrafficReplay was deleted",
    )
