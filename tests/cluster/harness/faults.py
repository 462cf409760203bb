"""The table at the end of a cluster run: what was broken, what had to hold, and whether it did.

A test says so with `@pytest.mark.fault("what is broken", end="what must hold")`. The marker travels in the test's
reports, so that the table is whole with pytest-xdist, too. Called by the hooks of tests/cluster/conftest.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest

MARKER = "fault(broken, *, end): what a test breaks, and what must hold then; a table of them ends a run"
_PROPERTY = "fault"
_ORDER = ("FAILED", "passed", "skipped")


@dataclass
class Row:
    """One fault and its end state, with how the tests of it went."""

    broken: str
    end: str
    results: dict[str, int] = field(default_factory=dict)

    @property
    def result(self) -> str:
        """Say how it went: `passed`, or with more than one test `passed 3`, the failed first."""
        found = [(name, self.results[name]) for name in _ORDER if name in self.results]
        if len(found) == 1 and found[0][1] == 1:
            return found[0][0]
        return ", ".join(f"{name} {count}" for name, count in found)


def note(item: pytest.Item) -> None:
    """Have a test's reports say what its marker says; UsageError for a marker that says too little."""
    for mark in item.iter_markers("fault"):
        if len(mark.args) != 1 or set(mark.kwargs) != {"end"}:
            raise pytest.UsageError(f'{item.nodeid}: write @pytest.mark.fault("what is broken", end="what must hold")')
        item.user_properties.append((_PROPERTY, (mark.args[0], mark.kwargs["end"])))


def rows(reports: Iterable[pytest.TestReport]) -> list[Row]:
    """Return the faults that were tested, in the order of the run. A set-up or an end that fails is a failure."""
    found: dict[tuple[str, str], Row] = {}
    for report in reports:
        result = {"passed": "passed", "failed": "FAILED", "skipped": "skipped"}[report.outcome]
        if report.when != "call" and result == "passed":
            continue
        for name, value in report.user_properties:
            if name == _PROPERTY and isinstance(value, tuple | list):
                broken, end = (str(part) for part in value)
                row = found.setdefault((broken, end), Row(broken, end))
                row.results[result] = row.results.get(result, 0) + 1
    return list(found.values())


def told(reports: Iterable[pytest.TestReport]) -> list[str]:
    """Return the lines that tests left to be shown (`record_property("told", lines)`), each test's after its name."""
    lines: list[str] = []
    for report in reports:
        for name, value in report.user_properties:
            if name == "told" and report.when == "call" and isinstance(value, tuple | list):
                lines += ["", report.nodeid.rpartition("/")[2], *(str(line) for line in value)]
    return lines


def table(found: list[Row]) -> list[str]:
    """Return the lines of the table."""
    return aligned([("fault", "end state", "result"), *((row.broken, row.end, row.result) for row in found)])


def aligned(cells: list[tuple[str, ...]]) -> list[str]:
    """Return lines with columns below each other."""
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
