"""`speedscale-generator` in a container: one run of the generator, its report, and a summary for the operator.

The generator measures, the report judges; neither knows the other. Here both meet, because the pod's results go with
it: the termination message (schema `replay-summary`, at most 4096 bytes, what Kubernetes keeps of it) is all that the
operator learns. Without a file for it nothing is judged. Writing it never changes the exit code.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from speedscale_runtime import report
from speedscale_runtime.generator import __main__ as generator
from speedscale_runtime.generator.config import termination_log
from speedscale_runtime.generator.server import Summary
from speedscale_runtime.report.summary import MAX_BYTES, REASON_MAX, encoded, summary_of
from speedscale_schemas.errors import ConfigError

__all__ = ["MAX_BYTES", "encoded", "failed", "main", "summary_of"]


def main() -> int:
    """Run once; the exit code is the generator's."""
    return generator.main(_at_end)


def failed(why: str, summary: Summary | None = None) -> dict[str, Any]:
    """Return the summary of a run without a report."""
    requests, errors = (summary.requests, summary.errors) if summary else (0, 0)
    state = "Canceled" if summary is not None and summary.cancelled else "Error"
    return {"version": 1, "state": state, "reason": why[:REASON_MAX], "requests": requests, "errors": errors}


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
