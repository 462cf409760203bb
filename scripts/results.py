"""What a JUnit report of pytest says: counts, reasons of skips, and which tests failed with which words.

Read by `tiers.py`. Knows nothing of tiers or of how pytest was called.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_WORDS = 300  # characters of a failure that are told


@dataclass(frozen=True)
class Failure:
    """One test that failed: pytest's name of it (`tests/a/test_b.py::test_c`), and the beginning of what it said."""

    name: str
    words: str


@dataclass(frozen=True)
class Results:
    """One run."""

    passed: int
    failed: int
    skipped: int
    reasons: Counter[str]
    failures: tuple[Failure, ...]


def read(report: Path) -> Results | None:
    """Return what `report` (family xunit1) says; None when pytest left none."""
    if not report.exists():
        return None
    suite = ElementTree.parse(report).getroot().find("testsuite")
    assert suite is not None, f"{report} holds no suite"
    count = {key: int(suite.get(key, "0")) for key in ("tests", "failures", "errors", "skipped")}
    failed = count["failures"] + count["errors"]
    reasons = Counter(one.get("message", "").removeprefix("Skipped: ") for one in suite.iter("skipped"))
    return Results(
        count["tests"] - failed - count["skipped"], failed, count["skipped"], reasons, tuple(_failures(suite))
    )


def _failures(suite: ElementTree.Element) -> Iterator[Failure]:
    for case in suite.iter("testcase"):
        for kind in ("failure", "error"):
            found = case.find(kind)
            if found is not None:
                words = " ".join((found.get("message") or found.text or "").split())[:_WORDS]
                yield Failure(_name(case), words)
                break


def _name(case: ElementTree.Element) -> str:
    file, place = case.get("file", ""), case.get("classname", "")
    within = place.removeprefix(file.removesuffix(".py").replace("/", ".")).strip(".").replace(".", "::")
    return "::".join(filter(None, (file, within, case.get("name", ""))))
