"""The report of a replay: ConfigMap `speedscale-report-<id>` with what came out, and what the replay was.

Called by `acting`. The measurements themselves stay with the generator and the collector; this is what has to be
known when all pods are gone. Not part of the inventory: it outlives the TrafficReplay. Each namespace keeps the newest
hundred.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from speedscale_controller.replay import Replay, names
from speedscale_controller.replay.decision import Analysis, Observed, WriteReport
from speedscale_controller.replay.status import timestamp
from speedscale_kube import Ref

KEPT: Final = 100
_REASON_MAX: Final = 4096


def config_map(
    replay: Replay, seen: Observed, report: WriteReport, now: datetime, notes: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the report's ConfigMap in the namespace of the TrafficReplay; `notes` come to its own."""
    plan = seen.plan
    document = {
        "version": 1,
        "id": replay.report_id,
        "state": report.state,
        "reason": report.reason,
        "summary": dict(report.summary),
        "replay": {"name": replay.name, "namespace": replay.namespace, "uid": replay.uid},
        "mode": replay.memory.mode or replay.mode or "full-replay",
        "snapshot": replay.memory.snapshot or replay.snapshot_id,
        "testConfig": replay.test_config_id,
        "buildTag": replay.build_tag,
        "startedTime": replay.status.started,
        "initializedTime": replay.status.initialized,
        "finishedTime": replay.status.finished or timestamp(now),
        "workloads": [str(ref) for ref in replay.targets],
        "tests": len(plan.tests) if plan else None,
        "mocks": {str(p.workload): list(p.mocks) for p in plan.parts} if plan else {},
        "notes": [*(plan.notes if plan else replay.notes), *_troubles(seen), *_analysed(report.analysis), *notes],
        "url": report.analysis.url if report.analysis is not None else "",
    }
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": names.report_name(replay.report_id),
            "namespace": replay.namespace,
            "labels": {
                "app.kubernetes.io/part-of": "speedscale",
                names.REPORT: names.short(replay.name),
                names.ENV_ID: names.short(replay.name),
            },
        },
        "data": {"report.json": json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"},
    }


def entry(replay: Replay, report: WriteReport, cluster: str, now: datetime) -> dict[str, Any]:
    """Return what the backend is told of a replay whose collector told nothing (`PUT /v1/replays/<uid>`)."""
    return {
        "name": replay.name,
        "namespace": replay.namespace,
        "cluster": cluster,
        "workload": ", ".join(map(str, replay.targets))[:300],
        "snapshot": replay.memory.snapshot or replay.snapshot_id,
        "testConfig": replay.test_config_id,
        "buildTag": replay.build_tag,
        "state": report.state,
        "reason": report.reason[:_REASON_MAX],
        "startedAt": replay.status.started,
        "finishedAt": replay.status.finished or timestamp(now),
    }


def superfluous(found: Iterable[Mapping[str, Any]]) -> list[Ref]:
    """Return the oldest reports of a namespace beyond those that are kept."""
    newest = sorted(found, key=lambda o: str(o["metadata"].get("creationTimestamp", "")), reverse=True)
    return [Ref("v1", "ConfigMap", o["metadata"]["namespace"], o["metadata"]["name"]) for o in newest[KEPT:]]


def _analysed(analysis: Analysis | None) -> tuple[str, ...]:
    """Return what the collector has to say, or why it could not."""
    if analysis is None or analysis.done:
        return analysis.notes if analysis is not None else ()
    return (f"the collector made no report in time: {analysis.waiting}; numbers are the generator pods' own",)


def _troubles(seen: Observed) -> list[str]:
    found = [f"{ref} could not be made: {why}" for ref, why in sorted(seen.given_up.items())]
    found += [f"{ref}: {t.readiness.message}" for ref, t in sorted(seen.targets.items()) if t.readiness.message]
    return found + ([seen.trouble] if seen.trouble else [])
