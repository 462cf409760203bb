"""An outcome as the page `docs/parity.md`: figures by section, rights withheld, each deviation with its reason."""

from __future__ import annotations

from collections.abc import Sequence

from . import facts
from .deviations import KINDS, WHOLE, Deviation, Deviations
from .outcome import Line, Outcome, by_deviation, lines, values, withheld

NOTE = "<!-- Written by `speedctl parity --format markdown`; change a component or the list of deviations instead. -->"
INTRODUCTION = """\
What the vendor's chart renders is kept as data (field values, no text of the chart), in four cases. Our objects are
made from the same chart values, converted, and compared field by field: environment by name, rights by what an account
may do whichever role grants it, quantities by amount, JSON and YAML inside ConfigMaps parsed, an absent field as the
API server's default. Whatever is not equal stands below with its reason. A test fails on any other difference, on a
reason that fits nothing any more, and when the list grows."""
_SECTION_TITLES = {
    "02": "operator's ConfigMap",
    "03": "operator's Deployment",
    "04": "operator's Service",
    "05": "webhooks",
    "06": "accounts and rights",
    "07": "jobs",
    "08": "secrets",
    "09": "nettap",
    "10": "custom resource",
    facts.OTHER: "only ours",
}


def page(outcome: Outcome, listed: Deviations) -> str:
    """Return the page."""
    parts = [
        f"# Parity with the chart {facts.CHART}",
        NOTE,
        INTRODUCTION,
        _cases(outcome),
        _sections(outcome),
        _rights(outcome),
        _renames(listed),
        *_deviations(outcome),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _cases(outcome: Outcome) -> str:
    rows = [["case", "equal", "differing", "missing", "extra", "not explained", "what it is"]]
    about = {case.name: case.about for case in facts.load()}
    rows += [[f"`{c}`", *map(str, outcome.counts(c).values()), about.get(c, "")] for c in outcome.reports]
    return _table(rows)


def _sections(outcome: Outcome) -> str:
    rows = [["section", *(f"{case}: equal / not" for case in outcome.reports)]]
    for section, title in _SECTION_TITLES.items():
        row = [f"{section.lstrip('0')} {title}" if section != facts.OTHER else title]
        for report in outcome.reports.values():
            apart = sum(d.section == section for d in report.differences)
            row.append(f"{report.equal.get(section, 0)} / {apart}")
        rows.append(row)
    return "## By section\n\n" + _table(rows)


def _rights(outcome: Outcome) -> str:
    blocks = ["## Rights of the chart that are withheld"]
    for case in outcome.reports:
        rows = [["account", "resource", "chart", "verbs never granted", "verbs granted in fewer places", "ours", "why"]]
        for w in withheld(outcome, case):
            cells = [w.account, w.resource, w.chart, " ".join(w.never), " ".join(w.narrower), w.ours, w.reason]
            rows.append([_cell(cell) for cell in cells])
        if len(rows) > 1 and not (case == "alt" and "default" in outcome.reports):
            blocks += [f"### Case `{case}`", _table(rows)]
    return "\n\n".join(blocks) if len(blocks) > 1 else ""


def _renames(listed: Deviations) -> str:
    rows = [["chart", "ours", "kind", "why"]]
    for rename in listed.renames:
        if rename.to != rename.object:
            rows.append([f"`{rename.object}`", f"`{rename.to}`", rename.kind, _cell(rename.reason)])
        for old, new in rename.paths.items():
            rows.append([f"`{rename.object}` `{old}`", f"`{new}`", rename.kind, _cell(rename.reason)])
    return "## Other names\n\n" + _table(rows) if len(rows) > 1 else ""


def _deviations(outcome: Outcome) -> list[str]:
    blocks = []
    groups = by_deviation(lines(outcome, explained=True))
    for kind, about in KINDS.items():
        of_kind = {d: found for d, found in groups.items() if d.kind == kind}
        if of_kind:
            blocks.append(f"## {kind}: {about}")
        blocks += [_deviation(deviation, found) for deviation, found in of_kind.items()]
    return blocks


def _deviation(deviation: Deviation, found: Sequence[Line]) -> str:
    rows = [["object", "field", "chart", "ours"]]
    rights = [line for line in found if line.difference.item.startswith(facts.RIGHTS) and deviation.change != "extra"]
    for line in found:
        d = line.difference
        if line in rights:
            continue
        path = "" if d.path == WHOLE else f"`{d.path}`"
        chart, ours = values(d)
        if d.path == WHOLE:
            chart, ours = ("present", "-") if d.change == "missing" else ("-", "present")
        rows.append([_cell(c) for c in (f"`{d.item}`", path, chart, ours)])
    told = f"### {deviation.id}\n\n{deviation.reason}"
    if rights:
        told += f" ({len(rights)} rights; see the table above.)"
    return told + ("\n\n" + _table(rows) if len(rows) > 1 else "")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *rest = rows
    return "\n".join(
        [
            f"| {' | '.join(head)} |",
            f"| {' | '.join('---' for _ in head)} |",
            *(f"| {' | '.join(row)} |" for row in rest),
        ]
    )
