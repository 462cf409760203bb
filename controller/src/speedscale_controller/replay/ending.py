"""How a replay ends, and what comes after: verdict, clean-up, expiry, and being deleted at any time before.

The verdict is written first and never taken back; the generator's Job, from which it was read, goes only afterwards.
Clean-up is the same whoever asks for it: admission is told to let go (`released`), workloads are reverted, and what the
replay made is deleted. A deletion never hangs: what cannot be cleared away within five minutes is named in an Event,
and left. Called by `machine`. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from speedscale_kube import Ref

from . import names, summary
from .decision import (
    Action,
    Decision,
    Delete,
    DeleteWorkload,
    Expire,
    Hold,
    Limits,
    Observed,
    Phase,
    Remember,
    Revert,
    Tell,
    WriteReport,
)
from .model import Cleanup, Replay
from .status import Result, Status, Type, elapsed_s, timestamp


def conclude(
    replay: Replay, seen: Observed, results: Mapping[str, Any], why: str, now: datetime, limits: Limits
) -> Decision:
    """Return the end of a replay: the report, then the verdict.

    `results` are a summary; `why` is the failure in words where the summary is not the generator's.
    """
    verdict, analysis = summary.verdict(results), seen.analysis
    message = f"Failed: {why}" if why else verdict.message
    result = Result.SUCCEEDED if verdict.passed and not why else Result.FAILED
    if verdict.passed and results.get("reason"):
        message = f"Passed: {results['reason']}"
    status = replace(
        replay.status,
        active=False,
        started=replay.status.started or timestamp(now),
        finished=replay.status.finished or timestamp(now),
        report_id=replay.report_id,
        report_url=analysis.url if analysis is not None else "",
        generation=replay.generation,
    )
    mocks = status.get(Type.MOCKS_READY)
    if mocks is not None and mocks.status == "True" and _cleanup(replay, seen) != "none":
        status = status.told(Type.MOCKS_READY, False, "Ended", "the replay has ended", now)
    status = status.told(Type.RUNNING, False, Phase.ANALYSED, why or verdict.detail, now)
    status = status.told(Type.READY, True, result, message, now)
    tell = Tell(result is Result.FAILED, result, message)
    reports = (WriteReport(verdict.state, why or str(results.get("reason", "")), results, analysis),)
    return Decision(Phase.ANALYSED, status, (*reports, tell), 0.0)


def after(replay: Replay, seen: Observed, now: datetime, limits: Limits) -> Decision:
    """Return what becomes of a replay that has ended: clean-up, then expiry."""
    status = replay.status
    running = status.get(Type.RUNNING)
    phase = running.reason if running is not None else ""
    cleanup = _cleanup(replay, seen)
    if phase == Phase.CLEANED_UP or (phase == Phase.KEPT and not seen.wanted):
        return _expiring(replay, status, Phase(phase), now)
    if cleanup == "none":
        if seen.wanted and replay.memory.patches:
            return Decision(Phase.KEPT, status, (Remember(replay.memory.done()),), 0.0)
        status = status.told(Type.RUNNING, False, Phase.KEPT, _with(running, "everything is kept (cleanup: none)"), now)
        return _expiring(replay, status, Phase.KEPT, now)
    actions = _clearing(replay, seen, all_=cleanup == "all")
    if actions:
        return Decision(Phase.ANALYSED, status, actions, 0.0 if not seen.trouble else limits.poll_s)
    if seen.present:
        return Decision(Phase.ANALYSED, status, (), limits.poll_s)
    status = status.told(Type.RUNNING, False, Phase.CLEANED_UP, _with(running, "cleaned up"), now)
    return _expiring(replay, status, Phase.CLEANED_UP, now)


def leave(replay: Replay, seen: Observed, now: datetime, limits: Limits) -> Decision:
    """Return what is done when the TrafficReplay is being deleted, in whatever state it is."""
    status = replay.status
    phase = Phase.CLEANED_UP
    if names.FINALIZER not in replay.finalizers:
        return Decision(phase, status)
    mode = replay.memory.mode or replay.mode
    reported = bool(status.started) and not status.concluded and (mode != "responder-only" or replay.needs_report)
    given_up = names.report_ref(replay.namespace, replay.report_id) in seen.given_up  # a namespace that goes takes none
    if reported and not seen.report_written and not given_up:
        analysis = seen.analysis
        if analysis is not None and not analysis.done and elapsed_s(replay.deleted, now) < limits.leave_s:
            return Decision(phase, status, (), limits.poll_s)
        why = "the TrafficReplay was deleted"
        state = "Canceled" if mode != "responder-only" else "Passed"
        analysed = analysis.summary if analysis is not None and analysis.done else None
        results = _canceled(why, state) if analysed is None else {**analysed, "state": state, "reason": why}
        return Decision(phase, status, (WriteReport(state, why, results, analysis),), 0.0)
    begun = bool(status.started) and not status.concluded
    actions = _clearing(replay, seen, all_=begun and _cleanup(replay, seen) == "all")
    if elapsed_s(replay.deleted, now) >= limits.stuck_s and (seen.trouble or not actions):
        left = [str(a.ref) for a in actions if isinstance(a, Revert | Delete | DeleteWorkload)]
        left += map(str, sorted(seen.leaving))
        said = f"gave up after {limits.stuck_s:g}s: {', '.join(left) or 'something'} is left; {seen.trouble}"
        tell = (Tell(True, "CleanupIncomplete", said.rstrip("; ")),) if left or seen.trouble else ()
        return Decision(phase, status, (*tell, Hold(False)))
    if actions:
        return Decision(phase, status, actions, 0.0 if not seen.trouble else limits.poll_s)
    if seen.present:
        return Decision(phase, status, (), limits.poll_s)
    return Decision(phase, status, (Hold(False),))


def _clearing(replay: Replay, seen: Observed, *, all_: bool) -> tuple[Action, ...]:
    """Return the next steps of clearing away, empty once nothing is left to be done but waiting."""
    memory = replay.memory
    if memory.patches and not memory.released:
        return (Remember(memory.releasing()),)
    doomed = [ref for ref in _doomed(replay, seen) if all_]
    actions: list[Action] = [DeleteWorkload(ref) for ref in doomed]
    actions += [Revert(r) for r in memory.patches if r not in doomed and _is_ours(seen, r)]
    actions += [Delete(ref) for ref in sorted(seen.present - seen.leaving)]
    if not actions and memory.patches:
        return (Remember(memory.done()),)
    return tuple(actions)


def _doomed(replay: Replay, seen: Observed) -> list[Ref]:
    return [ref for ref in replay.targets if (t := seen.targets.get(ref)) is not None and t.exists]


def _is_ours(seen: Observed, ref: Ref) -> bool:
    target = seen.targets.get(ref)
    return target is not None and target.exists and target.ours


def _cleanup(replay: Replay, seen: Observed) -> Cleanup:
    return replay.cleanup or (seen.plan.cleanup if seen.plan is not None else "inventory")


def _expiring(replay: Replay, status: Status, phase: Phase, now: datetime) -> Decision:
    if replay.ttl_s is None:
        return Decision(phase, status)
    left = replay.ttl_s - elapsed_s(status.finished, now)
    if left > 0:
        return Decision(phase, status, (), left)
    return Decision(phase, status, (Expire(),))


def _with(running: Any, said: str) -> str:
    """Return what `Running` said at the end, and what was done since."""
    before = running.message if running is not None else ""
    return f"{before}; {said}" if before else said


def _canceled(why: str, state: str) -> dict[str, Any]:
    return {"version": 1, "state": state, "reason": why, "requests": 0, "errors": 0}
