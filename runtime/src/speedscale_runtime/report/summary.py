"""The summary of a replay (schema `replay-summary`): what of a report fits into a termination message.

Made by the generator's container for the operator, and by the collector for all generator pods together. Pure.
"""

from __future__ import annotations

import json
from typing import Any

from .model import Report

MAX_BYTES = 4096
REASON_MAX = 1024
_COMMAND, _VALUE, _GOALS = 128, 64, 32


def summary_of(made: Report, results: str) -> dict[str, Any]:
    """Return the summary of a report; `results` is where the measurements lie."""
    missed = [goal for goal in made.goals if goal.status == "FAIL"]
    latency = made.latency
    return {
        "version": 1,
        "state": made.status,
        "reason": made.reason[:REASON_MAX],
        "reportID": made.id[:253],
        "requests": made.requests.total,
        "errors": made.requests.failed,
        "compared": made.requests.compared,
        "matched": made.requests.matched,
        "perSecond": made.requests.per_second,
        "durationMs": made.load.duration_ms,
        "latency": {"p50": latency.p50, "p95": latency.p95, "p99": latency.p99, "max": latency.max},
        "goals": [
            {"command": g.command[:_COMMAND], "expected": g.expected[:_VALUE], "actual": g.actual[:_VALUE]}
            for g in missed[:_GOALS]
        ],
        "goalsTotal": len(made.goals),
        "goalsMissed": len(missed),
        "location": results[:512],
    }


def encoded(summary: dict[str, Any]) -> bytes:
    """Return the summary as JSON of at most 4096 bytes: listed goals give way first, then the reason's end."""
    made = {**summary, "goals": list(summary.get("goals", ()))}
    while len(data := json.dumps(made, ensure_ascii=False, separators=(",", ":")).encode()) > MAX_BYTES:
        if made["goals"]:
            made["goals"].pop()
        else:
            made["reason"] = str(made["reason"])[: len(str(made["reason"])) // 2]
            made["location"] = ""
    return data
