"""Results as people and programs read them: pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from speedscale_controller.cli.printing import table

from .model import MAX_ABOUT, Check, Result, Verdict

_MARKS = {Verdict.OK: "ok", Verdict.WARN: "WARN", Verdict.FAIL: "FAIL", Verdict.SKIPPED: "-"}


def data(results: Sequence[tuple[Check, Result]], *, namespace: str, server: str) -> dict[str, Any]:
    """Return the results as JSON."""
    return {
        "server": server,
        "namespace": namespace,
        "passed": passed(results),
        "counts": counts(results),
        "results": [
            {
                "check": check.id,
                "title": check.title,
                "verdict": result.verdict.value,
                "cause": result.cause,
                "remedy": result.remedy,
                "about": list(result.about),
            }
            for check, result in results
        ],
    }


def passed(results: Iterable[tuple[Check, Result]]) -> bool:
    """Say whether no check failed."""
    return all(result.verdict is not Verdict.FAIL for _, result in results)


def counts(results: Iterable[tuple[Check, Result]]) -> dict[str, int]:
    """Return how many checks came to each verdict."""
    found = Counter(result.verdict for _, result in results)
    return {verdict.value: found[verdict] for verdict in Verdict}


def text(results: Sequence[tuple[Check, Result]]) -> str:
    """Return a table of all checks, then what is wrong with cause and remedy, the worst first."""
    rows = [(check.id, _MARKS[result.verdict], result.cause) for check, result in results]
    parts = [table(("CHECK", "", "WHAT IS SO"), rows)]
    for verdict in (Verdict.FAIL, Verdict.WARN):
        parts += [_detail(check, result) for check, result in results if result.verdict is verdict]
    found = counts(results)
    parts.append(f"{found['fail']} failed, {found['warn']} warnings, {found['ok']} good, {found['skipped']} skipped")
    return "\n\n".join(parts)


def _detail(check: Check, result: Result) -> str:
    lines = [f"{_MARKS[result.verdict]} {check.id}: {result.cause}"]
    lines += [f"  {line}" for line in result.about[:MAX_ABOUT]]
    if len(result.about) > MAX_ABOUT:
        lines.append(f"  and {len(result.about) - MAX_ABOUT} more (-o json has them all)")
    if result.remedy:
        lines.append(f"  → {result.remedy}")
    return "\n".join(lines)
