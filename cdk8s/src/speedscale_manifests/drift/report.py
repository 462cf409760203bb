"""A report as text for people and as data for programs. Pure; called by the verb."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from speedscale_kube.compare import ABSENT, Change

from .model import Drift, Report

_CUT = 160
_SIGNS = {"added": "+", "removed": "-", "changed": "~"}


def text(report: Report) -> str:
    """Return the report as lines: each object that differs, its fields, and a closing sentence."""
    lines: list[str] = []
    for drift in report.drift:
        lines += _drift(drift)
    for ref, reason in report.failed:
        lines.append(f"not compared  {ref}: {reason}")
    lines += [f"note: {note}" for note in report.notes]
    return "\n".join([*lines, *([""] if lines else []), summary(report)])


def summary(report: Report) -> str:
    """Return one sentence: how many were compared, how many differ."""
    where = f"{report.server} ({report.version})"
    counts = Counter(drift.state for drift in report.drift)
    if report.clean:
        return f"{_objects(report.compared)} compared with {where}: no drift"
    parts = [f"{counts[state]} {state}" for state in ("changed", "missing", "extra") if counts[state]]
    parts += [f"{len(report.failed)} not compared"] if report.failed else []
    return f"{_objects(report.compared)} compared with {where}: {', '.join(parts)}"


def data(report: Report) -> dict[str, Any]:
    """Return the report as JSON types."""
    return {
        "server": report.server,
        "version": report.version,
        "compared": report.compared,
        "drift": [_drift_data(drift) for drift in report.drift],
        "notCompared": [{**ref._asdict(), "reason": reason} for ref, reason in report.failed],
        "notes": list(report.notes),
    }


def _drift(drift: Drift) -> list[str]:
    file = f"  {drift.file}" if drift.file else ""
    note = f"  ({drift.note})" if drift.note else ""
    return [f"{drift.state:<8} {drift.ref}{file}{note}", *(_change(change) for change in drift.changes)]


def _change(change: Change) -> str:
    by = f"  by {', '.join(change.managers)}" if change.managers else ""
    when = f" at {change.time}" if change.time and by else ""
    if change.what == "changed":
        values = f"git {_value(change.git)}, live {_value(change.live)}"
    else:
        values = _value(change.live if change.what == "added" else change.git)
    return f"  {_SIGNS[change.what]} {change.where}: {values}{by}{when}"


def _value(value: Any) -> str:
    shown = json.dumps(value, ensure_ascii=False)
    return shown if len(shown) <= _CUT else f"{shown[: _CUT - 1]}…"


def _objects(number: int) -> str:
    return f"{number} object" + ("" if number == 1 else "s")


def _drift_data(drift: Drift) -> dict[str, Any]:
    ref = drift.ref
    found: dict[str, Any] = {
        "state": drift.state,
        "apiVersion": ref.api_version,
        "kind": ref.kind,
        "namespace": ref.namespace,
        "name": ref.name,
        "file": drift.file,
        "note": drift.note,
        "changes": [],
    }
    for change in drift.changes:
        one: dict[str, Any] = {"path": change.where, "what": change.what}
        one |= {key: value for key, value in (("git", change.git), ("live", change.live)) if value is not ABSENT}
        found["changes"].append(one | {"managers": list(change.managers), "time": change.time})
    return found
