"""An outcome for a terminal: figures, what nothing explains, what is not granted, and why the rest is as it is."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from .deviations import KINDS, WHOLE
from .outcome import Line, Outcome, by_deviation, lines, shown, withheld

_FIGURES = ("equal", "differing", "missing", "extra", "unexplained")
_SAMPLES = 4


def text(outcome: Outcome, case: str | None = None) -> str:
    """Return the whole report; `case` is the one whose rights are listed (default: the first)."""
    first = case or next(iter(outcome.reports))
    parts = [_figures(outcome), _unexplained(outcome), _rights(outcome, first), _explained(outcome)]
    parts += [_listed("Stale in the list of deviations", outcome.stale), _listed("Notes on the values", outcome.notes)]
    parts.append(_verdict(outcome))
    return "\n\n".join(part for part in parts if part)


def _figures(outcome: Outcome) -> str:
    rows = [["case", *_FIGURES]]
    rows += [[case, *(str(outcome.counts(case)[f]) for f in _FIGURES)] for case in outcome.reports]
    return table(rows)


def _unexplained(outcome: Outcome) -> str:
    found = lines(outcome, explained=False)
    rows = [["change", "object", "field", "chart", "ours", "cases"]]
    for line in found:
        d = line.difference
        rows.append([d.change, d.item, d.path, shown(d.vendor, 40), shown(d.ours, 40), " ".join(line.cases)])
    return f"NOT EXPLAINED ({len(found)})\n" + table(rows) if found else ""


def _rights(outcome: Outcome, case: str) -> str:
    rows = [["account", "resource", "not granted", "granted in fewer places", "ours"]]
    found = withheld(outcome, case)
    rows += [[w.account, w.resource, " ".join(w.never), " ".join(w.narrower), w.ours] for w in found]
    return f"Rights of the chart that are withheld (case {case})\n" + table(rows) if len(rows) > 1 else ""


def _explained(outcome: Outcome) -> str:
    blocks = []
    groups = by_deviation(lines(outcome, explained=True))
    for kind, about in KINDS.items():
        of_kind = {d: found for d, found in groups.items() if d.kind == kind}
        if of_kind:
            blocks.append(f"{kind}: {about}")
        for deviation, found in of_kind.items():
            blocks.append(textwrap.indent(textwrap.fill(f"{deviation.id}: {deviation.reason}", 112), "  "))
            blocks += [f"      {_sample(line)}" for line in found[:_SAMPLES]]
            if len(found) > _SAMPLES:
                blocks.append(f"      … and {len(found) - _SAMPLES} more (--format json lists all)")
    return "\n".join(blocks)


def _sample(line: Line) -> str:
    d = line.difference
    where = d.item if d.path == WHOLE else f"{d.item} {d.path}"
    if d.change == "differing":
        return f"{where}: {shown(d.vendor, 40)} → {shown(d.ours, 40)}"
    sign, value = ("-", d.vendor) if d.change == "missing" else ("+", d.ours)
    return f"{sign} {where}" + ("" if d.path == WHOLE or value is True else f": {shown(value, 40)}")


def _verdict(outcome: Outcome) -> str:
    if outcome.good:
        return "Every field is equal or is explained by the reviewed list."
    return "Not at parity. What is meant needs an entry in the list of deviations; the rest is a component's defect."


def _listed(title: str, found: Sequence[str]) -> str:
    return "\n".join([title, *(f"  {item}" for item in found)]) if found else ""


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as columns of equal width; the first row is the head."""
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows)
