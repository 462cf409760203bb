"""`speedscale-generator` in a container: one run of the generator, its report, and a summary for the operator.

The generator measures, the report judges; neither knows the other. Here both meet, because the pod's results go with
it: the termination message (schema `replay-summary`, at most 4096 bytes, what Kubernetes keeps of it) is all that the
operator learns. Without a file for it nothing is judged. Writing it never changes the exit code.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from speedscale_runtime import report
from speedscale_runtime.generator import __main__ as generator
from speedscale_runtime.generator.config import termination_log
from speedscale_runtime.generator.server import Summary
from speedscale_schemas.errors import ConfigError

MAX_BYTES = 4096
_REASON, _COMMAND, _VALUE, _GOALS = 1024, 128, 64, 32


def main() -> int:
    """Run once; the exit code is the generator's."""
    return generator.main(_at_end)


def summary_of(made: report.Report, results: str) -> dict[str, Any]:
    """Return the summary of a report; `results` is where the measurements lie."""
    missed = [goal for goal in made.goals if goal.status == "FAIL"]
    latency = made.latency
    return {
        "version": 1,
        "state": made.status,
        "reason": made.reason[:_REASON],
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


def failed(why: str, summary: Summary | None = None) -> dict[str, Any]:
    """Return the summary of a run without a report."""
    requests, errors = (summary.requests, summary.errors) if summary else (0, 0)
    state = "Canceled" if summary is not None and summary.cancelled else "Error"
    return {"version": 1, "state": state, "reason": why[:_REASON], "requests": requests, "errors": errors}


def _at_end(summary: Summary | None, why: str) -> None:
    path = termination_log(os.environ)
    if path is None:
        return
    try:
        made = failed(why) if summary is None else summary_of(report.build(summary.results), str(summary.results))
    except ConfigError as error:
        made = failed("; ".join(error.problems), summary)
    try:
        path.write_bytes(encoded(made))
    except OSError as error:
        sys.stderr.write(f"speedscale-generator: {path}: {error.strerror or error}\n")
