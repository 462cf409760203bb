"""The state machine of a replay: what is seen → what is to be done. Pure; the whole of what a replay is, in one table.

A replay that has neither ended nor is being deleted goes through `STEPS` from the top with every look; the first that
is not done decides. So there is no state that is believed: each is seen, and a crash between any two actions leaves
nothing that the next look does not see. What must be remembered stands in the status (times, the verdict) or in the
annotation (`memory`).

| step | reached | done when | what is done | fails when |
| --- | --- | --- | --- | --- |
| hold | Created | the finalizer is there | put it there | |
| claim | Started | no other replay has its workloads; `startedTime` | wait for it | the other never ends |
| fetch | SnapshotFetched | snapshot and plan are there, and remembered | remember | plan impossible |
| credentials | CredentialsCopied | the pods' Secrets are there | wait | TEST_PREP_TIMEOUT |
| collector | CollectorUp | its objects are there, or cannot be made | make them | only if it has the snapshot |
| responder | ResponderReady | its objects are there and ready | make them, wait | TEST_PREP_TIMEOUT, names taken |
| mutate | WorkloadMutated | the workloads bear the replay's patch | remember, patch | refused |
| ready | WorkloadReady | their pods are of the new template | wait; then `initializedTime` | TEST_PREP_TIMEOUT |
| run | GeneratorRunning | the Job has ended, and is analysed | make it, once; wait | vanished, time-out, summary |

The mocks are ready before the workload is changed: its pods start among mocks that answer. The end and what comes after
it is in `ending`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from speedscale_kube import Ref

from . import ending, names, summary
from .decision import Action, Create, Decision, Hold, Limits, Observed, Patch, Phase, Remember, Tell
from .model import Replay
from .objects import deadline_s
from .status import Status, Type, elapsed_s, timestamp


@dataclass(frozen=True, slots=True)
class Case:
    """One look: the replay, what is seen, the time, the limits."""

    replay: Replay
    seen: Observed
    now: datetime
    limits: Limits

    @property
    def preparing_s(self) -> float:
        """Return how long the replay has been preparing."""
        return elapsed_s(self.replay.status.started, self.now)


@dataclass(frozen=True, slots=True)
class Done:
    """The step is done; go on."""


@dataclass(frozen=True, slots=True)
class Do:
    """Something has to be done, then look again."""

    actions: tuple[Action, ...]
    message: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing can be done but wait; not `timed`: without TEST_PREP_TIMEOUT. `reached` where waiting is a state."""

    message: str
    timed: bool = True
    reached: Phase | None = None
    after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Fail:
    """The replay ends without success; `results` is the generator's summary where there is one."""

    message: str
    results: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Finish:
    """The replay ends with these results."""

    results: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Mark:
    """A time has come: `started` or `initialized` is written into the status."""

    field: str
    phase: Phase
    message: str
    actions: tuple[Action, ...] = ()


Look = Done | Do | Wait | Fail | Finish | Mark


@dataclass(frozen=True, slots=True)
class Step:
    """A row of the table: what is looked at, and which state it is when it is done."""

    look: Callable[[Case], Look]
    reached: Phase


def decide(replay: Replay, seen: Observed, now: datetime, limits: Limits) -> Decision:
    """Return what is to be done. Never raises."""
    case = Case(replay, seen, now, limits)
    if replay.deleted:
        return ending.leave(replay, seen, now, limits)
    if replay.status.concluded:
        return ending.after(replay, seen, now, limits)
    phase = Phase.CREATED
    for step in STEPS:
        look = step.look(case)
        if not isinstance(look, Done):
            return _decision(case, phase, look)
        phase = step.reached
    return _decision(case, phase, _without_tests(case))


def _decision(case: Case, phase: Phase, look: Do | Wait | Fail | Finish | Mark) -> Decision:
    status, limits = case.replay.status, case.limits
    prepared, late = bool(status.initialized), case.preparing_s >= limits.prepare_s
    timed = isinstance(look, Do) or (isinstance(look, Wait) and look.timed)
    if isinstance(look, Do | Wait) and timed and status.started and not prepared and late:
        why = case.seen.trouble or look.message
        look = Fail(f"not ready after {_time(limits.prepare_s)} (TEST_PREP_TIMEOUT): {why}")
    if isinstance(look, Fail):
        results = look.results or summary.failed(look.message)
        return ending.conclude(case.replay, case.seen, results, look.message, case.now, limits)
    if isinstance(look, Finish):
        return ending.conclude(case.replay, case.seen, look.results, "", case.now, limits)
    if isinstance(look, Mark):
        return Decision(look.phase, _marked(case, look), look.actions, 0.0)
    reached = look.reached or phase if isinstance(look, Wait) else phase
    message = case.seen.trouble or look.message
    status = _told(case, status, reached, message)
    if isinstance(look, Do):
        return Decision(reached, status, look.actions, 0.0 if not case.seen.trouble else limits.poll_s)
    return Decision(reached, status, (), look.after_s or limits.poll_s)


def _marked(case: Case, mark: Mark) -> Status:
    """Return the status with a time written, and what follows from it."""
    status, replay = case.replay.status, case.replay
    stamp = timestamp(case.now)
    if mark.field == "started":
        status = replace(status, started=stamp, report_id=replay.report_id)
    else:
        plan = case.seen.plan
        status = replace(status, initialized=stamp, generation=replay.generation)
        if plan is not None and plan.mode != "generator-only":
            mocked = sum(len(p.mocks) for p in plan.parts)
            said = f"{mocked} keys are mocked" if mocked else "nothing is mocked: no workload has mocks"
            status = status.told(Type.MOCKS_READY, True, "Serving" if mocked else "NothingMocked", said, case.now)
    return _told(case, status, mark.phase, mark.message)


def _told(case: Case, status: Status, phase: Phase, message: str) -> Status:
    status = replace(status, generation=case.replay.generation, active=bool(status.started))
    return status.told(Type.RUNNING, bool(status.started), phase, message, case.now)


# The steps, in their order


def _hold(case: Case) -> Look:
    if names.FINALIZER in case.replay.finalizers:
        return Done()
    return Do((Hold(True),), "taken up")


def _claim(case: Case) -> Look:
    seen, status = case.seen, case.replay.status
    if status.started:
        return Done()
    if seen.waits_for:
        forever = seen.waits_for_ever and elapsed_s(case.replay.created, case.now) >= case.limits.prepare_s
        if forever:
            return Fail(f"its workload is still taken after {_time(case.limits.prepare_s)}: by {seen.waits_for}")
        return Wait(f"waiting for {seen.waits_for}", timed=False, reached=Phase.WAITING)
    return Mark("started", Phase.STARTED, "begun")


def _fetch(case: Case) -> Look:
    seen = case.seen
    if seen.problems and not case.replay.status.initialized:
        return Fail("; ".join(seen.problems))
    if seen.plan is None:
        return Done() if case.replay.status.initialized else Wait(seen.not_yet or "waiting for the snapshot")
    known = case.replay.memory
    kept = replace(seen.memory, patches=known.patches, released=known.released)
    if kept != known and not case.replay.status.initialized:
        tells = tuple(Tell(True, "Note", note) for note in seen.plan.notes if not known.snapshot)
        return Do((Remember(kept), *tells), f"snapshot {seen.plan.snapshot}")
    return Done()


def _credentials(case: Case) -> Look:
    if not case.seen.secrets_missing or case.replay.status.initialized:
        return Done()
    return Wait("waiting for Secrets: " + "; ".join(case.seen.secrets_missing))


def _collector(case: Case) -> Look:
    objects = case.seen.objects
    vital = objects is not None and objects.collector_vital and not case.replay.status.initialized
    made = _missing(case, objects.collector if objects else (), vital=vital)
    return Do(made, "starting the collector") if made else Done()


def _responder(case: Case) -> Look:
    seen = case.seen
    objects = seen.objects
    wanted = [m for ms in (objects.responders if objects else {}).values() for m in ms]
    taken = sorted(str(r) for r in map(_ref, wanted) if r in seen.foreign)
    if taken and not case.replay.status.initialized:
        return Fail(f"{', '.join(taken)}: exists and is not this replay's; delete it, or call the replay otherwise")
    made = _missing(case, wanted)
    if made:
        return Do(made, "starting the responder")
    if case.replay.status.initialized:
        return Done()
    for name, ready in sorted(seen.components.items()):
        if not ready.ready:
            return Wait(f"waiting for the {name}: {ready.message}")
    return Done()


def _mutate(case: Case) -> Look:
    seen, prepared = case.seen, bool(case.replay.status.initialized)
    if seen.plan is None:
        return Done()
    if seen.patches is None:
        return Done() if prepared else Wait("waiting for the addresses of the responder's Services")
    if seen.patches != case.replay.memory.patches:
        memory = replace(case.replay.memory, patches=dict(seen.patches))
        return Do((Remember(memory),), "changing the workload")
    for ref in seen.patches:
        target = seen.targets.get(ref)
        if target is None or not target.exists:
            return Fail(f"{ref} was deleted while it was under test")
        if target.refused and not prepared:
            return Fail(f"{ref} cannot be changed: {target.refused}")
    patches = tuple(Patch(ref, p) for ref, p in seen.patches.items() if not seen.targets[ref].in_place)
    patches = tuple(p for p in patches if not seen.targets[p.ref].refused)
    return Do(patches, f"changing {', '.join(str(p.ref) for p in patches)}") if patches else Done()


def _ready(case: Case) -> Look:
    if case.replay.status.initialized or case.seen.plan is None:
        return Done()
    for ref in case.seen.plan.changed:
        target = case.seen.targets.get(ref)
        if target is not None and not target.readiness.ready:
            return Wait(f"waiting for {ref}: {target.readiness.message}")
    warnings = dict.fromkeys(w for t in case.seen.targets.values() for w in t.readiness.warnings)
    tells = tuple(Tell(True, "NoReadinessProbe", warning) for warning in warnings)
    return Mark("initialized", Phase.WORKLOAD_READY, "workload and mocks are ready", tells)


def _run(case: Case) -> Look:
    seen, replay = case.seen, case.replay
    running = replay.status.get(Type.RUNNING)
    was_made = running is not None and running.reason == Phase.GENERATOR_RUNNING
    if seen.job is None and was_made:
        return Fail("the generator's Job was deleted before it ended")
    if seen.job is not None:
        return _running(case)
    if seen.plan is None:
        if replay.memory.mode == "responder-only":
            return Done()
        return Fail("; ".join(seen.problems) or "the snapshot is no longer there")
    if not seen.plan.sends or seen.objects is None:
        return Done()
    taken = [str(r) for r in map(_ref, seen.objects.generator) if r in seen.foreign]
    if taken:
        return Fail(f"{', '.join(taken)}: exists and is not this replay's; delete it, or call the replay otherwise")
    return Do(_missing(case, seen.objects.generator), "starting the generator")


def _running(case: Case) -> Look:
    job, replay = case.seen.job, case.replay
    assert job is not None
    if job.ended:
        results = job.summary or summary.failed(job.cause or "the generator left no summary")
        return _analysing(case, job.ended_s) or Finish(_judged(case, results))
    bound = deadline_s(replay)
    if bound is not None and job.age_s >= bound + 30:
        return Fail(f"the tests did not end within {_time(replay.timeout_s or 0)} (spec.timeout)")
    if not job.started and job.age_s >= case.limits.prepare_s:
        why = job.cause or "no pod of it has started"
        return Fail(f"the generator did not start within {_time(case.limits.prepare_s)}: {why}")
    said = (
        "tests are running" if job.started else f"waiting for the generator: {job.cause or 'its pod is being started'}"
    )
    left = None if bound is None else max(1.0, bound + 30 - max(job.age_s, 0.0))
    poll = min(case.limits.poll_s, left) if left is not None else case.limits.poll_s
    return Wait(said, timed=False, reached=Phase.GENERATOR_RUNNING, after_s=poll)


def _analysing(case: Case, since_s: float) -> Wait | None:
    """Wait for the collector's analysis, where there is a collector, and not for ever."""
    analysis, limits = case.seen.analysis, case.limits
    if analysis is None or analysis.done or since_s >= limits.analyse_s:
        return None
    after_s = min(limits.poll_s, max(1.0, limits.analyse_s - since_s))
    reached = Phase.GENERATOR_RUNNING if case.seen.job is not None else None
    return Wait(f"the report is being made: waiting for {analysis.waiting}", False, reached, after_s)


def _judged(case: Case, results: Mapping[str, Any]) -> dict[str, Any]:
    analysis = case.seen.analysis
    return summary.judged(results, analysis.summary if analysis is not None and analysis.done else None)


def is_over(replay: Replay, seen: Observed, now: datetime) -> bool:
    """Return whether there is something to be analysed: the tests have ended, or mocks were served long enough."""
    if seen.job is not None:
        return seen.job.ended
    mode = seen.plan.mode if seen.plan is not None else replay.memory.mode
    served_s = elapsed_s(replay.status.initialized, now)
    return mode == "responder-only" and bool(replay.timeout_s) and served_s >= (replay.timeout_s or 0)


def _without_tests(case: Case) -> Wait | Finish:
    """What becomes of a replay that sends no tests: it serves mocks until it is deleted, or ends at once."""
    replay, plan = case.replay, case.seen.plan
    if plan is None or plan.mode == "responder-only":
        served_s = elapsed_s(replay.status.initialized, case.now)
        if replay.timeout_s and served_s >= replay.timeout_s:
            why = f"mocks were served for {_time(replay.timeout_s)} (spec.timeout)"
            waits = _analysing(case, served_s - replay.timeout_s)
            return waits or Finish({**_judged(case, _NOTHING), "state": "Passed", "reason": why})
        left = None if not replay.timeout_s else max(1.0, replay.timeout_s - served_s)
        poll = case.limits.poll_s * _RESTING
        told = "mocks are served until the replay is deleted" if left is None else "mocks are served"
        return Wait(told, timed=False, after_s=poll if left is None else min(poll, left))
    return Finish({**_NOTHING, "reason": f"no tests were sent: {plan.sends_not}"})


_NOTHING: Final = {"version": 1, "state": "Passed", "requests": 0, "errors": 0}
_RESTING: Final = 15
"""How many polls are one while mocks are served: changes of what matters wake us anyway."""

STEPS: Final[tuple[Step, ...]] = (
    Step(_hold, Phase.CREATED),
    Step(_claim, Phase.STARTED),
    Step(_fetch, Phase.SNAPSHOT_FETCHED),
    Step(_credentials, Phase.CREDENTIALS_COPIED),
    Step(_collector, Phase.COLLECTOR_UP),
    Step(_responder, Phase.RESPONDER_READY),
    Step(_mutate, Phase.WORKLOAD_MUTATED),
    Step(_ready, Phase.WORKLOAD_READY),
    Step(_run, Phase.WORKLOAD_READY),
)


def _missing(case: Case, manifests: Iterable[Mapping[str, Any]], *, vital: bool = True) -> tuple[Action, ...]:
    """Return what makes the objects that are not there; those that are being deleted are there."""
    seen = case.seen
    wanted = ((m, _ref(m)) for m in manifests)
    return tuple(
        Create(m, vital)
        for m, ref in wanted
        if ref not in seen.present and ref not in seen.given_up and (vital or ref not in seen.foreign)
    )


def _ref(manifest: Mapping[str, Any]) -> Ref:
    meta = manifest["metadata"]
    return Ref(manifest["apiVersion"], manifest["kind"], meta.get("namespace", ""), meta["name"])


def _time(seconds: float) -> str:
    return f"{seconds / 60:g}m" if seconds >= 60 and seconds % 60 == 0 else f"{seconds:g}s"
