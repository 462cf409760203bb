"""How tests went: summaries out of termination messages, merged over pods, and the verdict that follows.

Called when the generator's Job has ended. Pure. A pod without a readable summary counts as an error, with what it said:
half a measurement is none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from speedscale_schemas.validation import check

MAX_BYTES: Final = 4096
_ORDER: Final = ("Passed", "Missed Goals", "Canceled", "Error")
"""From best to worst: the merged state is the worst."""
_GOALS: Final = 32


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a replay ended: did it succeed, what `Ready` says, and why at more length."""

    passed: bool
    message: str
    detail: str
    state: str


def read(text: str, pod: str) -> dict[str, Any]:
    """Return the summary in a termination message; where there is none, an error that quotes what stands there."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    problems = check("replay-summary", document) if document is not None else ["no JSON"]
    if isinstance(document, dict) and not problems:
        return document
    said = " ".join(text.split())[:500]
    why = f"generator pod {pod} left no summary" + (f": {said}" if said else "")
    return {"state": "Error", "reason": why, "requests": 0, "errors": 0}


def failed(why: str) -> dict[str, Any]:
    """Return the summary of a run that could not be made."""
    return {"version": 1, "state": "Error", "reason": why[:1024], "requests": 0, "errors": 0}


def merge(summaries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the summary of all pods: sums, and the worst state with its reason. ValueError without any."""
    if not summaries:
        raise ValueError("there is no summary to merge")
    if len(summaries) == 1:
        return dict(summaries[0])
    worst = max(summaries, key=lambda s: _ORDER.index(s["state"]))
    made: dict[str, Any] = {"version": 1, "state": worst["state"], "reason": worst.get("reason", "")}
    for key in ("requests", "errors", "compared", "matched", "perSecond", "goalsTotal", "goalsMissed"):
        made[key] = sum(s.get(key, 0) for s in summaries)
    made["durationMs"] = max(s.get("durationMs", 0) for s in summaries)
    made["goals"] = [goal for s in summaries for goal in s.get("goals", ())][:_GOALS]
    made["reportID"] = next((s["reportID"] for s in summaries if s.get("reportID")), "")
    return made


def judged(pods: Mapping[str, Any], analysed: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the summary that counts, of what the pods left and what the collector made of all results.

    The collector's is of all measurements together. But a run that broke is not made whole by it: then the pods' own
    word stands, with the collector's numbers.
    """
    if analysed is None:
        return dict(pods)
    if pods["state"] in ("Error", "Canceled"):
        return {**analysed, "state": pods["state"], "reason": pods.get("reason", "")}
    return dict(analysed)


def verdict(summary: Mapping[str, Any]) -> Verdict:
    """Return what a summary means for the replay."""
    state, reason = str(summary["state"]), str(summary.get("reason", ""))
    requests, errors = summary.get("requests", 0), summary.get("errors", 0)
    counts = f"{requests} requests, {errors} without an answer"
    if summary.get("compared"):
        counts += f", {summary.get('matched', 0)} of {summary['compared']} answers match"
    if state == "Passed":
        return Verdict(True, "Passed", counts, state)
    if state == "Missed Goals":
        missed = "; ".join(f"{g['command']} is {g['actual']}, wanted {g['expected']}" for g in summary.get("goals", ()))
        return Verdict(False, "Failed: Missed Goals", f"{counts}: {missed or reason}", state)
    return Verdict(False, f"Failed: {reason}" if reason else f"Failed: {state}", counts, state)
