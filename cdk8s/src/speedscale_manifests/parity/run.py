"""One run of the comparison: the built-in cases, or a render of the user's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from . import deviations, facts, markdown
from .compare import compare, compare_facts, stale
from .flatten import facts_of
from .installation import api_versions_of, chart_values, namespace_of, ours, rendered
from .outcome import Outcome


def of_cases(names: Sequence[str]) -> Outcome:
    """Compare built-in cases; whether the list is stale is known only when all of them are."""
    listed = deviations.read()
    reports = {}
    notes: dict[str, None] = {}
    for name in names:
        case = facts.case(name)
        objects, told = ours(case.values, api_versions=case.api_versions)
        notes.update(dict.fromkeys(told))
        reports[name] = compare_facts(case.facts, facts_of(objects, facts.NAMESPACE), listed, name)
    complete = set(names) == set(facts.case_names())
    return Outcome(reports, tuple(stale(reports.values(), listed)) if complete else (), tuple(notes))


def of_chart(render: Path, values: Path | None) -> Outcome:
    """Compare a file that `helm template` wrote with our objects for the values it was made with.

    Raises ConfigError when a file cannot be read or our conversion refuses the values.
    """
    theirs = rendered(render)
    namespace = namespace_of(theirs)
    objects, notes = ours(chart_values(values) if values else {}, namespace, api_versions_of(theirs))
    if values is None:
        notes.insert(0, "no --chart-values: compared as if the chart had been rendered with its defaults")
    return Outcome({"chart": compare(theirs, objects, deviations.read(), namespace)}, (), tuple(notes))


def page() -> str:
    """Return `docs/parity.md`: the comparison with all built-in cases."""
    return markdown.page(of_cases(facts.case_names()), deviations.read())
