"""An outcome for a terminal: figures, what nothing explains, what is not granted, and why the rest is as it is."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from .deviations import KINDS, WHOLE
from .equality import ABSENT
from .facts import RIGHTS
from .outcome import Line, Outcome, by_deviation, lines, values, withheld

_FIGURES = ("equal", "differing", "missing", "extra", "unexplained")
_SAMPLES = 4
_SIGNS = {"missing": "-", "extra": "+", "differing": "~"}


def text(outcome: Outcome) -> str:
    """Return the whole report."""
    parts = [_figures(outcome), _unexplained(outcome), _rights(outcome), _explained(outcome)]
    parts += [_listed("Stale in the list of deviations", outcome.stale), _listed("Notes on the values", outcome.notes)]
    parts.append(_verdict(outcome))
    return "\n\n".join(part for part in parts if part)


def _figures(outcome: Outcome) -> str:
    rows = [["case", *_FIGURES]]
    rows += [[case, *(str(outcome.counts(case)[f]) for f in _FIGURES)] for case in outcome.reports]
    return table(rows)


def _unexplained(outcome: Outcome) -> str:
    """Return what nothing explains, by object: `-` only the chart has it, `+` only ours, `~` another value."""
    found = lines(outcome, explained=False)
    told = [f"NOT EXPLAINED ({len(found)}): - only in the chart, + only in ours, ~ another value"] if found else []
    item = ""
    for line in found:
        d = line.difference
        if d.item != item:
            item = d.item
            told.append(f"  {item}")
        cases = "" if len(line.cases) == len(outcome.reports) else f"  ({' '.join(line.cases)})"
        told.append(f"    {_SIGNS[d.change]} {d.path}{_values(line)}{cases}")
    return "\n".join(told)


def _rights(outcome: Outcome) -> str:
    rows = [["account", "resource", "never granted", "granted in fewer places"]]
    for w in withheld(outcome):
        some = len(w.cases) < len(outcome.reports)
        cases = f"  ({' '.join(w.cases)})" if some else ""
        rows.append([w.account, w.resource, " ".join(w.never), "; ".join(w.narrower) + cases])
    return "Rights of the chart that are withheld\n" + table(rows) if len(rows) > 1 else ""


def _explained(outcome: Outcome) -> str:
    blocks = []
    groups = by_deviation(lines(outcome, explained=True))
    for kind, about in KINDS.items():
        of_kind = {d: found for d, found in groups.items() if d.kind == kind}
        if of_kind:
            blocks.append(f"{kind}: {about}")
        for deviation, found in of_kind.items():
            blocks += textwrap.wrap(
                f"{deviation.id}: {deviation.reason}", 112, initial_indent="  ", subsequent_indent="  "
            )
            blocks += _samples(found)
    return "\n".join(blocks)


def _samples(found: Sequence[Line]) -> list[str]:
    """Return the first differences; of rights that are withheld only how many, for their table says which."""
    shown = [
        line for line in found if not (line.difference.item.startswith(RIGHTS) and line.difference.change != "extra")
    ]
    told = [f"      {_sample(line)}" for line in shown[:_SAMPLES]]
    if len(shown) > _SAMPLES:
        told.append(f"      … and {len(shown) - _SAMPLES} more (--format json lists all)")
    if len(found) > len(shown):
        told.append(f"      {len(found) - len(shown)} rights, see above")
    return told


def _sample(line: Line) -> str:
    d = line.difference
    where = d.item if d.path == WHOLE else f"{d.item} {d.path}"
    return f"{_SIGNS[d.change]} {where}{_values(line)}"


def _values(line: Line) -> str:
    d = line.difference
    chart, ours = values(d)
    if d.vendor is not ABSENT and d.ours is not ABSENT:
        return f": {chart} → {ours}"
    value = d.vendor if d.ours is ABSENT else d.ours
    return "" if value is ABSENT or value is True else f": {chart if d.ours is ABSENT else ours}"


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
