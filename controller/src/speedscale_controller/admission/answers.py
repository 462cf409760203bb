"""What a workload's review is answered: the verdict of `injection.decide` as a patch, warnings and a label.

Pure, given the facts. Workloads are never refused here: whatever happens, the object goes in as it came, and
the user is told why. Called by `server`, in a thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from speedscale_controller.injection import Facts, Inject, Leave, Reason, Remove, Skip, Verdict, decide, patch
from speedscale_controller.telemetry import labels
from speedscale_controller.telemetry.labels import Answer

from .review import Response, Review

_KINDS: Final = {
    "apps": frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"}),
    "batch": frozenset({"Job", "CronJob"}),
    "": frozenset({"Pod"}),
    "argoproj.io": frozenset({"Rollout"}),
}
_QUIET: Final = frozenset({Reason.OWNED})  # nobody reads a controller's warnings


@dataclass(frozen=True, slots=True)
class Answered:
    """A response with what it is counted and logged by."""

    response: Response
    answer: Answer
    verdict: str = ""
    reason: str = ""


def concerns(review: Review) -> bool:
    """Say whether a review is about a workload that could be changed; everything else is let through untouched."""
    return (
        review.operation in ("CREATE", "UPDATE")
        and not review.sub_resource
        and review.kind in _KINDS.get(review.group, ())
        and review.object is not None
    )


NOT_OURS: Final = Answered(Response(), Answer.NOT_OURS)


def answer_workload(review: Review, facts: Facts) -> Answered:
    """Return the answer for a review that `concerns` us. Bugs of `decide` come through as exceptions."""
    workload = review.object or {}
    operation: Literal["CREATE", "UPDATE"] = "UPDATE" if review.operation == "UPDATE" else "CREATE"
    if workload.get("metadata", {}).get("deletionTimestamp"):
        return NOT_OURS  # finalizers are being taken off
    typed = _typed(workload, review)
    return _answered(decide(typed, facts, operation=operation, old=review.old), typed)


def let_through(why: str, answer: Answer) -> Answered:
    """Return the answer where we cannot decide: allowed, with a warning that says why."""
    told = f"speedscale: no sidecar was added: {why}; the operator looks at this workload again"
    return Answered(Response(warnings=(told,), audit=answer.value), answer)


def _answered(verdict: Verdict, workload: dict[str, object]) -> Answered:
    name, reason = _label(verdict)
    audit = f"{name}:{reason}" if reason else name
    match verdict:
        case Inject() | Remove():
            warnings = verdict.warnings
            if verdict.message:
                warnings = (*warnings, verdict.message)
            made = patch(workload, verdict.object)
            return Answered(
                Response(tuple(made), _ours(warnings), audit=audit),
                Answer.PATCHED if made else Answer.UNCHANGED,
                name,
                reason,
            )
        case Skip():
            loud = () if verdict.reason in _QUIET else (verdict.message,)
            return Answered(Response((), _ours((*loud, *verdict.warnings)), audit=audit), Answer.SKIPPED, name, reason)
        case Leave():
            told = (*verdict.warnings, verdict.message)
            return Answered(Response((), _ours(told)), Answer.UNCHANGED, name, reason)


def _label(verdict: Verdict) -> tuple[str, str]:
    """Return a verdict's name and its reason, both label values."""
    reason = verdict.reason.value if verdict.reason else ""
    return type(verdict).__name__.lower(), reason


def _ours(warnings: tuple[str, ...]) -> tuple[str, ...]:
    """Say who warns: a user sees warnings of many webhooks."""
    return tuple(text if text.startswith("speedscale") else f"speedscale: {text}" for text in warnings if text)


def _typed(workload: dict[str, object], review: Review) -> dict[str, object]:
    """Return the workload with kind and version, which a server may leave out inside of a review."""
    if workload.get("kind") and workload.get("apiVersion"):
        return workload
    version = f"{review.group}/{review.version}" if review.group else review.version
    return {"apiVersion": version, "kind": review.kind, **workload}


def kind_label(review: Review) -> str:
    """Return the metrics' label of a review's kind."""
    return labels.kind(review.kind)
