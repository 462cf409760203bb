"""What a run of the comparison found, over one or several cases, in the order and grouping that people read.

Called by the verb and by `text`, `markdown`. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .compare import Difference, Report
from .deviations import WHOLE, Deviation
from .equality import ABSENT
from .facts import RIGHTS
from .rights import told


@dataclass(frozen=True, slots=True)
class Outcome:
    """Reports by case, what of the list of deviations is stale, and what the conversion of values had to say."""

    reports: Mapping[str, Report]
    stale: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def good(self) -> bool:
        """Say whether everything is equal or explained, and no deviation is stale."""
        return not self.stale and not any(report.unexplained for report in self.reports.values())

    def counts(self, case: str) -> dict[str, int]:
        """Return how many fields of a case are equal, how many differ in which way, and how many nothing explains."""
        report = self.reports[case]
        return {
            "equal": sum(report.equal.values()),
            "differing": len(report.differing),
            "missing": len(report.missing),
            "extra": len(report.extra),
            "unexplained": len(report.unexplained),
        }


@dataclass(frozen=True, slots=True)
class Line:
    """One difference as it is in several cases."""

    difference: Difference
    cases: tuple[str, ...]


def lines(outcome: Outcome, *, explained: bool) -> list[Line]:
    """Return the differences that deviations explain, or those that none does, each once with its cases."""
    found: dict[tuple[str, ...], tuple[Difference, list[str]]] = {}
    for case, report in outcome.reports.items():
        for d in report.differences:
            if (d.deviation is not None) == explained:
                key = d.item, d.path, d.change, shown(d.vendor), shown(d.ours)
                found.setdefault(key, (d, []))[1].append(case)
    ordered = sorted(found.values(), key=lambda pair: (pair[0].section, pair[0].item, pair[0].path))
    return [Line(difference, tuple(cases)) for difference, cases in ordered]


def by_deviation(found: Iterable[Line]) -> dict[Deviation, list[Line]]:
    """Return explained lines by the deviation that explains them."""
    groups: dict[Deviation, list[Line]] = {}
    for line in found:
        if line.difference.deviation is not None:
            groups.setdefault(line.difference.deviation, []).append(line)
    return groups


@dataclass(frozen=True, slots=True)
class Withheld:
    """What the chart lets an account do with a resource and we do not.

    `never`: verbs granted nowhere; `narrower`: verbs granted in fewer places, with those places; `why`: deviations.
    """

    account: str
    resource: str
    never: tuple[str, ...]
    narrower: tuple[str, ...]
    why: tuple[str, ...]
    cases: tuple[str, ...]


def withheld(outcome: Outcome) -> list[Withheld]:
    """Return the rights of the chart that we withhold, by account and resource; cases with the same verbs together."""
    found: dict[tuple[Any, ...], tuple[dict[str, list[Difference]], list[str]]] = {}
    for case, report in outcome.reports.items():
        for (account, resource), differences in _withheld_of(report).items():
            verbs = tuple(sorted((d.change, d.path) for d in differences))
            places: dict[str, list[Difference]] = {}
            for d in differences:
                places.setdefault("" if d.change == "missing" else _places(d.ours), []).append(d)
            found.setdefault((account, resource, verbs), (places, []))[1].append(case)
    rows = []
    for (account, resource, _), (places, cases) in found.items():
        never = tuple(_verb(d) for d in places.get("", ()))
        narrower = tuple(f"{' '.join(map(_verb, of))}: {place}" for place, of in places.items() if place)
        why = dict.fromkeys(d.deviation.id if d.deviation else "NOT EXPLAINED" for of in places.values() for d in of)
        rows.append(Withheld(account, resource, never, narrower, tuple(why), tuple(cases)))
    return sorted(rows, key=lambda row: (row.account, row.resource))


def _withheld_of(report: Report) -> dict[tuple[str, str], list[Difference]]:
    found: dict[tuple[str, str], list[Difference]] = {}
    for d in report.differences:
        if d.item.startswith(RIGHTS) and d.change != "extra":
            resource = "everything" if d.path == WHOLE else d.path.rpartition(" ")[0]
            found.setdefault((d.item.removeprefix(RIGHTS), resource), []).append(d)
    return found


def _verb(d: Difference) -> str:
    return "everything" if d.path == WHOLE else d.path.rpartition(" ")[2]


def _places(value: Any) -> str:
    return "-" if value is ABSENT else told(value)


def values(d: Difference) -> tuple[str, str]:
    """Return what stands in the chart and with us, for people; `-` where nothing does."""
    if d.item.startswith(RIGHTS) and d.path != WHOLE:
        return _places(d.vendor), _places(d.ours)
    return shown(d.vendor), shown(d.ours)


def data(outcome: Outcome) -> dict[str, Any]:
    """Return the outcome as plain JSON."""
    return {
        "good": outcome.good,
        "stale": list(outcome.stale),
        "notes": list(outcome.notes),
        "cases": {
            case: {
                **outcome.counts(case),
                "equalBySection": dict(sorted(report.equal.items())),
                "differences": [_difference(d) for d in report.differences],
            }
            for case, report in outcome.reports.items()
        },
    }


def _difference(d: Difference) -> dict[str, Any]:
    found: dict[str, Any] = {"object": d.item, "path": d.path, "change": d.change, "section": d.section}
    found |= {side: value for side, value in (("chart", d.vendor), ("ours", d.ours)) if value is not ABSENT}
    if d.deviation:
        found |= {"deviation": d.deviation.id, "kind": d.deviation.kind, "reason": d.deviation.reason}
    return found


def shown(value: Any, limit: int = 70) -> str:
    """Return a field's value for people, cut to `limit` characters."""
    if value is ABSENT:
        return "-"
    if isinstance(value, list):
        text = ", ".join(map(str, value))
    else:
        text = {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
    if not text:
        return '""'
    return text if len(text) <= limit else text[: limit - 1] + "…"
