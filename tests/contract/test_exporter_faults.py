"""The table of exporters and faults in docs/forwarder.md: no cell is empty, and it says what the tests' marks say."""

from __future__ import annotations

import ast
import functools
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("tests/integration/forwarder", "tests/unit/runtime/forwarder")
EXPORTERS = {
    "jsonl": "`files`",
    "parquet": "`parquet`",
    "http": "`otlp`, HTTP",
    "grpc": "`otlp`, gRPC",
    "firehose": "`firehose`",
    "s3": "`s3`",
    "kafka": "`kafka`",
    "backend": "`backend`",
}
FAULTS = {
    "down": "down",
    "slow": "slow",
    "throttling": "throttles",
    "refusal": "refuses one record",
    "garbage": "answers garbage",
    "cut": "cut in mid-batch",
}
MARK = "pytest.mark.exporter_faults"
Marked = tuple[str, str, ast.FunctionDef | ast.AsyncFunctionDef, list[str], list[str]]


@functools.cache
def marked() -> tuple[Marked, ...]:
    """Return file, name, definition, exporters and faults of each marked test, from the sources: nothing is started."""
    return tuple(_marked())


def _marked() -> Iterator[Marked]:
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).glob("test_*.py")):
            text = path.read_text("utf-8")
            for node in ast.walk(ast.parse(text)) if MARK in text else ():
                for mark in node.decorator_list if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else ():
                    if isinstance(mark, ast.Call) and ast.unparse(mark.func) == MARK:
                        exporters, faults = (str(ast.literal_eval(a)).split() for a in mark.args)
                        yield path.relative_to(ROOT).as_posix(), node.name, node, exporters, faults


def block() -> str:
    """Return the table and its legend as the page has to have them."""
    tests = sorted({(path, name) for path, name, *_ in marked()})
    numbers = {test: str(n) for n, test in enumerate(tests, 1)}
    cells: dict[tuple[str, str], set[tuple[str, str]]] = defaultdict(set)
    for path, name, _, exporters, faults in marked():
        for exporter in exporters:
            for fault in faults:
                cells[exporter, fault].add((path, name))
    lines = [f"| | {' | '.join(FAULTS.values())} |", f"|{' --- |' * (len(FAULTS) + 1)}"]
    for exporter, shown in EXPORTERS.items():
        row = [", ".join(numbers[test] for test in sorted(cells[exporter, fault])) for fault in FAULTS]
        lines.append(f"| {shown} | {' | '.join(row)} |")
    legend = [f"{numbers[path, name]}. `{path}` `{name}`" for path, name in tests]
    return "\n".join([*lines, "", *legend])


def parameters(node: ast.FunctionDef | ast.AsyncFunctionDef, name: str, path: str) -> set[str] | None:
    """Return what a test is run with for a parameter; None where it has no such parameter."""
    for mark in node.decorator_list:
        if not isinstance(mark, ast.Call) or ast.unparse(mark.func) != "pytest.mark.parametrize":
            continue
        if ast.literal_eval(mark.args[0]) == name:
            values = mark.args[1]
            return set(ast.literal_eval(constant(path, values.id) if isinstance(values, ast.Name) else values))
    return None


def constant(path: str, name: str) -> ast.expr:
    """Return the value of a test file's constant, or of the one that it imports from `destinations`."""
    for file in (ROOT / path, (ROOT / path).parent / "destinations.py"):
        for node in ast.parse(file.read_text("utf-8")).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
                return node.value
    raise AssertionError(f"{path}: no constant {name}")


@pytest.mark.parametrize("exporter", EXPORTERS)
@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_of_each_exporter_is_tested(exporter: str, fault: str) -> None:
    assert [name for _, name, _, exporters, faults in marked() if exporter in exporters and fault in faults]


def test_the_marks_say_what_the_tests_are_run_with() -> None:
    for path, name, node, exporters, faults in marked():
        assert set(exporters) <= EXPORTERS.keys(), name
        assert set(faults) <= FAULTS.keys(), name
        assert (parameters(node, "kind", path) or set(exporters)) == set(exporters), name
        assert (parameters(node, "fault", path) or set(faults)) == set(faults), name


def test_the_page_says_the_same() -> None:
    page = (ROOT / "docs" / "forwarder.md").read_text("utf-8")
    assert block() in page, f"docs/forwarder.md has to hold:\n{block()}"
