"""The first and the last line of a results file, from what the processes measured."""

from __future__ import annotations

import resource
from collections import Counter
from datetime import UTC, datetime
from typing import Any

from .load import offered_rate
from .worker import Share

_RATE_HELD = 0.99


def end_line(share: Share, parts: list[dict[str, Any]], lost: int) -> dict[str, Any]:
    """Return the `end` line; `lost` processes died without telling what they measured."""
    requests = sum(p["requests"] for p in parts)
    errors = sum(p["errors"] for p in parts)
    duration = max((p["duration"] for p in parts), default=0.0)
    dropped = sum(p["dropped"] for p in parts)
    offered = offered_rate(share.config.stages)
    achieved = requests / duration if duration else 0.0
    cancelled = any(p["cancelled"] for p in parts)
    causes: Counter[str] = Counter()
    learned: Counter[str] = Counter()
    for part in parts:
        learned.update(part["learned"])
        for endpoint in part["endpoints"]:
            causes.update(endpoint["causes"])
    why = _why(requests, errors, dropped, offered, cancelled=cancelled, lost=lost, causes=causes)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "type": "end",
        "durationMs": round(duration * 1000, 3),
        "requests": requests,
        "errors": errors,
        "iterations": sum(p["iterations"] for p in parts),
        "offeredRate": offered,
        "achievedRate": round(achieved, 3),
        "dropped": dropped,
        "cpuSeconds": round(sum(p["cpu"] for p in parts), 3),
        "rssBytes": sum(p["rss"] for p in parts) + usage.ru_maxrss * 1024,
        "learned": dict(sorted(learned.items())),
        "cancelled": cancelled,
        "ok": not why,
        "why": why,
    }


def _why(
    requests: int, errors: int, dropped: int, offered: float | None, *, cancelled: bool, lost: int, causes: Counter[str]
) -> str:
    """Return why the measurement is void, empty when it is not."""
    reasons = []
    if cancelled:
        reasons.append("the run was stopped before its end")
    if lost:
        reasons.append(f"{lost} of the generator's processes died; their measurements are lost")
    if requests and errors == requests:
        worst = causes.most_common(1)[0][0] if causes else "unknown"
        reasons.append(f"no request got an answer ({worst})")
    if not requests and not cancelled:
        reasons.append("no request was sent")
    if offered is not None and dropped > (1 - _RATE_HELD) * (requests + dropped):
        reasons.append(
            f"the rate was not offered: {dropped} of {requests + dropped} requests were due and could not be sent in "
            f"time; give the stage more virtualUsers, or the generator more processes"
        )
    return "; ".join(reasons)


def run_line(share: Share, snapshot_id: str, snapshot_name: str) -> dict[str, Any]:
    """Return the `run` line."""
    return {
        "type": "run",
        "version": 1,
        "id": share.run_id,
        "mode": "load" if share.low_data else "functional",
        "snapshot": snapshot_id,
        "snapshotName": snapshot_name,
        "testConfig": share.config.document,
        "targets": share.plan.targets,
        "startedAt": datetime.fromtimestamp(share.epoch, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "buildTag": share.settings.build_tag,
        "seed": share.seed,
        "tests": share.plan.tests,
        "skipped": share.plan.skipped,
        "processes": share.processes,
    }
