"""A report as text, as JSON, as SARIF 2.1.0, and the table of objects. Called by the verb and the demo. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .findings import Found, Report, State, Step

_MARK = {State.PASSED: "ok", State.FAILED: "FAILED", State.NOT_RUN: "not run"}
_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def text(report: Report) -> str:
    """Return a line a step, its problems below it, and a summary as the last line."""
    width = max(len(step.name) for step in report.steps)
    lines: list[str] = []
    for step in report.steps:
        lines.append(f"{_MARK[step.state]:<8}{step.name:<{width}}  {_result(step)}")
        lines += [f"    {_level(problem)}{problem}" for problem in step.problems]
    return "\n".join([*lines, "", summary_line(report)])


def summary_line(report: Report) -> str:
    """Return how it went in one line."""
    counts = report.counts()
    objects = sum(number for kinds in report.table.values() for number in kinds.values())
    errors = len(report.errors)
    verdict = "valid" if report.ok else f"{_counted(errors, 'problem')}"
    parts = [f"{counts[State.PASSED]} of {len(report.steps)} steps passed"]
    parts += [f"{counts[state]} {state.value}" for state in (State.FAILED, State.NOT_RUN) if counts[state]]
    return f"{_counted(objects, 'object')}: {verdict}; {', '.join(parts)}"


def summary(table: Mapping[str, Mapping[str, int]]) -> str:
    """Return the table of objects: a line a kind, a column a chart (`Report.table`, or `run.table` of objects)."""
    charts = list(table)
    kinds = sorted({kind for counts in table.values() for kind in counts})
    width = max([len(kind) for kind in kinds] + [len("kind"), len("all")])
    widths = [max(len(chart), 3) for chart in charts]
    head = (
        f"{'kind':<{width}}  " + "  ".join(f"{chart:>{w}}" for chart, w in zip(charts, widths, strict=True)) + "  all"
    )
    lines = [head, "-" * len(head)]
    for kind in kinds:
        numbers = [table[chart].get(kind, 0) for chart in charts]
        cells = "  ".join(f"{number or '':>{w}}" for number, w in zip(numbers, widths, strict=True))
        lines.append(f"{kind:<{width}}  {cells}  {sum(numbers):>3}")
    sums = [sum(table[chart].values()) for chart in charts]
    cells = "  ".join(f"{number:>{w}}" for number, w in zip(sums, widths, strict=True))
    return "\n".join([*lines, "-" * len(head), f"{'all':<{width}}  {cells}  {sum(sums):>3}"])


def data(report: Report) -> dict[str, Any]:
    """Return the report as plain data for JSON; keys are stable."""
    return {
        "ok": report.ok,
        "steps": [
            {
                "name": step.name,
                "title": step.title,
                "state": step.state.value,
                "checked": step.checked,
                "problems": [problem.data() for problem in step.problems],
                "notes": list(step.notes),
            }
            for step in report.steps
        ],
        "objects": {chart: dict(kinds) for chart, kinds in report.table.items()},
    }


def sarif(report: Report, version: str) -> dict[str, Any]:
    """Return the report as SARIF 2.1.0 for code scanning; a step is a rule. `version` is that of the tool."""
    rules = [{"id": step.name, "shortDescription": {"text": step.title}} for step in report.steps]
    results = [_sarif_result(problem) for step in report.steps for problem in step.problems]
    driver = {"name": "speedctl validate", "version": version, "rules": rules}
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}


def _sarif_result(problem: Found) -> dict[str, Any]:
    message = ": ".join(part for part in (problem.object, problem.path, problem.reason) if part)
    result: dict[str, Any] = {
        "ruleId": problem.step,
        "level": "warning" if problem.warning else "error",
        "message": {"text": message},
    }
    if problem.file:
        place: dict[str, Any] = {"artifactLocation": {"uri": problem.file}}
        if problem.line:
            place["region"] = {"startLine": problem.line}
        result["locations"] = [{"physicalLocation": place}]
    return result


def _result(step: Step) -> str:
    notes = "; ".join(step.notes)
    if step.state is State.NOT_RUN:
        return f"{step.title}: {notes}"
    counted = f"{step.title}: {_counted(step.checked, step.noun)}"
    errors, warnings = len(step.errors), len(step.problems) - len(step.errors)
    wrong = ", ".join(_counted(n, noun) for n, noun in ((errors, "problem"), (warnings, "warning")) if n)
    return ", ".join(part for part in (counted, wrong) if part) + (f" ({notes})" if notes else "")


def _level(problem: Found) -> str:
    return "warning: " if problem.warning else ""


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
