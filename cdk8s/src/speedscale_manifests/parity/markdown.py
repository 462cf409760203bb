"""An outcome as the page `docs/parity.md`: figures by section, rights withheld, each deviation with its reason."""

from __future__ import annotations

from collections.abc import Sequence

from . import facts
from .deviations import KINDS, WHOLE, Deviation, Deviations
from .outcome import Line, Outcome, by_deviation, lines, values, withheld

NOTE = "<!-- Written by `make gen`; change a component or the list of deviations, not this page. -->"
INTRODUCTION = """\
What the vendor's chart renders is kept as data (field values, no text of the chart), in four cases. Our objects are
made from the same chart values, converted, and compared field by field: environment by name, rights by what an account
may do whichever role grants it, quantities by amount, JSON and YAML inside ConfigMaps parsed, an absent field as the
API server's default. Whatever is not equal stands below with its reason. A test fails on any other difference, on a
reason that fits nothing any more, and when the list grows."""
_SAMPLES = 12
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
    rows = [["account", "resource", "verbs never granted", "verbs granted in fewer places", "why", "cases"]]
    for w in withheld(outcome):
        why = ", ".join(f"[{name}](#{name})" for name in w.why)
        cases = "all" if len(w.cases) == len(outcome.reports) else ", ".join(w.cases)
        cells = (w.account, w.resource, " ".join(w.never), "; ".join(w.narrower), why, cases)
        rows.append([_cell(cell) for cell in cells])
    return "## Rights of the chart that are withheld\n\n" + _table(rows) if len(rows) > 1 else ""


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
    told = f"### {deviation.id}\n\n{deviation.reason}"
    fields = [line for line in found if not _in_table_of_rights(line)]
    if len(fields) < len(found):
        told += f" ({len(found) - len(fields)} rights; the table above has them.)"
    rows = [["object", "field", "chart", "ours"], *map(_row, fields[:_SAMPLES])]
    if len(fields) > _SAMPLES:
        rows.append([f"… {len(fields) - _SAMPLES} more", "", "", ""])
    return told + ("\n\n" + _table(rows) if fields else "")


def _in_table_of_rights(line: Line) -> bool:
    return line.difference.item.startswith(facts.RIGHTS) and line.difference.change != "extra"


def _row(line: Line) -> list[str]:
    d = line.difference
    chart, ours = values(d)
    if d.path == WHOLE:
        chart, ours = ("present", "-") if d.change == "missing" else ("-", "present")
    return [_cell(cell) for cell in (f"`{d.item}`", "" if d.path == WHOLE else f"`{d.path}`", chart, ours)]


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
