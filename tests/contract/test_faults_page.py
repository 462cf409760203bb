"""The page of faults and the markers of the cluster tests say the same."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests" / "cluster"


def marked() -> set[tuple[str, str, str]]:
    """Return what is broken, what must hold, and which test says so, from the sources: nothing is started."""
    found = set()
    for path in sorted(TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            for mark in node.decorator_list:
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.fault":
                    where = f"`{path.relative_to(TESTS).as_posix()}` `{node.name}`"
                    found.add((ast.literal_eval(mark.args[0]), ast.literal_eval(mark.keywords[0].value), where))
    return found


def listed() -> set[tuple[str, str, str]]:
    """Return the same of the page's tables."""
    lines = (ROOT / "docs" / "faults.md").read_text("utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    return {(row[0], row[1], row[2]) for row in rows if len(row) == 4 and row[2].startswith("`")}


def test_each_fault_stands_on_the_page_and_is_tested() -> None:
    assert marked() == listed()
