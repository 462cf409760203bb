"""Run the checks and test tiers that this machine can, and end with a table of what ran and what did not.

Called by `make test` and `make lint`. Arguments: `default`, `all`, `lint`, or tier names (comma or space). With
CI=true the tools a tier needs are installed first, and a tier that has tests is skipped only where the machine refuses.

Tests against real processes share their machine with others. What fails in such a tier is run once more, alone; what
passes then is named `unsteady` in the table, with its words, and does not fail the run. What needs no real process gets
no second try. Why: docs/adr/0016-a-second-try-that-is-told.md.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import go_tools
import kernel_host
import node_host
import results
import tools

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
PYTHON = str(BIN / "python")
RESULTS = ROOT / ".cache" / "tiers"
CI = os.environ.get("CI", "").lower() == "true"
AGAIN = 12  # more failures than this are no bad luck
CI_S = 87 * 60.0  # CI ends a run after 90 minutes, and then nothing is told at all
LAST_S = 5 * 60.0  # of that, for the tests that run when no further one is begun, and to tell of them
BEGAN = time.monotonic()


@dataclass(frozen=True)
class Tier:
    """One tier: where its tests lie, which programs it needs, whether it runs without being asked for."""

    name: str
    folder: str
    programs: dict[str, str] = field(default_factory=dict)
    root: bool = False
    heavy: bool = False
    real: bool = True  # its tests run against real processes, and may be tried again
    workers: str = "2"
    together: bool = False  # the tests of a file share what is costly, so one worker runs them
    builds: tuple[str, ...] = ()  # programs of go_tools
    some: dict[str, str] = field(default_factory=dict)  # programs that some of its tests skip without
    refused: Callable[[], str] = lambda: ""  # why the machine does not let it run, where it does not
    takes_s: float = 0.0  # at most, on a slow machine; in CI it is left out, and told, where so much is not left

    @property
    def built(self) -> bool:
        return all(go_tools.find(program) for program in self.builds)

    @property
    def has_tests(self) -> bool:
        return any((ROOT / self.folder).rglob("test_*.py"))


TIERS = (
    Tier("unit", "tests/unit", workers="auto", real=False),
    Tier("contract", "tests/contract", real=False),
    Tier("fuzz", "tests/fuzz", real=False),
    Tier("integration", "tests/integration", tools.INTEGRATION, workers="3"),
    Tier("network", "tests/network", tools.NETWORK, root=True),
    Tier("browser", "tests/browser", tools.BROWSER, workers="0"),
    Tier(
        "cluster",
        "tests/cluster",
        {"go": "golang-go"},
        heavy=True,
        workers="4",  # they wait for a cluster more than they work
        together=True,
        builds=go_tools.CONTROL_PLANE,
        some=tools.CLUSTER,
    ),
    Tier(
        "kernel",
        "tests/kernel",
        tools.KERNEL,
        root=True,
        heavy=True,
        workers="0",
        some=tools.KERNEL_TESTS,
        refused=kernel_host.lacks,
        takes_s=10 * 60.0,
    ),
    Tier(
        "e2e",
        "tests/e2e",
        {"go": "golang-go", **tools.NODE},
        root=True,
        heavy=True,
        workers="0",
        builds=go_tools.NODE,
        some=tools.E2E,
        refused=node_host.lacks,
        takes_s=25 * 60.0,
    ),
)
CHECKS = {
    "ruff check": (str(BIN / "ruff"), "check", "--quiet", "."),
    "ruff format": (str(BIN / "ruff"), "format", "--check", "--quiet", "."),
    "mypy": (str(BIN / "mypy"),),
    "import-linter": (str(BIN / "lint-imports"), "--no-cache"),
    "generated files": (PYTHON, "scripts/gen.py", "--check"),
}


@dataclass
class Row:
    """One line of the closing table."""

    name: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    note: str = ""
    failures: tuple[results.Failure, ...] = ()
    unsteady: tuple[results.Failure, ...] = ()


def main(arguments: list[str]) -> int:
    """Run what was asked for and print the table; 0 when nothing failed."""
    asked = [word for argument in arguments for word in argument.replace(",", " ").split()] or ["default"]
    known = {tier.name for tier in TIERS}
    unknown = [a for a in asked if a not in known | {"default", "all", "lint"}]
    if unknown:
        print(f"no tier {', '.join(unknown)}; there are {', '.join(t.name for t in TIERS)}, default, all, lint")
        return 2
    RESULTS.mkdir(parents=True, exist_ok=True)
    rows = [_checks()] if {"default", "all", "lint"} & set(asked) else []
    if asked != ["lint"]:
        rows += [row for tier in TIERS if (row := _consider(tier, asked)) is not None]
    _table(rows)
    return 1 if any(row.failed for row in rows) else 0


def _consider(tier: Tier, asked: list[str]) -> Row | None:
    named = tier.name in asked or "all" in asked
    if not (named or "default" in asked) or not tier.has_tests:
        return Row(tier.name, note="no tests yet") if tier.name in asked else None
    command = f"make test TIERS={tier.name}"
    programs = {name: package for name, package in tier.programs.items() if name != "go" or not tier.built}
    if CI and _left() < tier.takes_s:
        minutes = f"{_left() / 60:.0f} minutes of CI are left, and it may take {tier.takes_s / 60:.0f}"
        return Row(tier.name, note=f"not run: {minutes}; {command}")
    if CI:
        tools.install({**programs, **tier.some})
    lacking = tools.missing(programs)
    if tier.root and os.geteuid() != 0:
        return Row(tier.name, note=f"not run: needs root; sudo {command}")
    if lacking and (tier.heavy or tier.name == "browser") and not CI:
        packages = " ".join(sorted(lacking.values()))
        return Row(tier.name, note=f"not run: needs {', '.join(lacking)}; apt-get install {packages}, then {command}")
    if not lacking and (why := tier.refused()):
        return Row(tier.name, note=f"not run: {why}")
    if tier.heavy and not (named or CI or (tier.builds and tier.built)):
        return Row(tier.name, note=f"not run: its tools are not built yet; {command}")
    try:
        go_tools.ensure(*tier.builds)
    except go_tools.ToolMissing as error:
        print(error)
        return Row(tier.name, failed=1, note=str(error).partition("\n")[0])
    row = _run(tier)
    if lacking:
        row.note = "; ".join(filter(None, (row.note, f"make tools adds {', '.join(sorted(lacking))}")))
    return row


def _left() -> float:
    """Return the seconds that CI has left."""
    return CI_S - (time.monotonic() - BEGAN)


def _run(tier: Tier) -> Row:
    print(f"\n── {tier.name} ──", flush=True)
    started = time.monotonic()
    how = ["-n", tier.workers, *(["--dist", "loadfile"] if tier.together else [])]
    ends = {"TESTS_END_AT": str(time.time() + _left() - LAST_S)} if CI and tier.takes_s else {}
    code, found = _pytest(tier.name, [tier.folder, *how], ends)
    if found is None:
        note = f"pytest ended with {code} and left no result"
        return Row(tier.name, failed=1, seconds=time.monotonic() - started, note=note)
    row = Row(tier.name, found.passed, found.failed, found.skipped, failures=found.failures)
    row.note = "; ".join(f"{n} × {reason}" for reason, n in found.reasons.most_common(3))
    if code not in (0, 1) or (code == 1 and not row.failed):
        row.failed, row.note = max(row.failed, 1), f"pytest ended with {code}"
    elif tier.real and 0 < len(row.failures) <= AGAIN and not (CI and _left() < LAST_S):
        _try_again(tier, row)
    row.seconds = time.monotonic() - started
    return row


def _try_again(tier: Tier, row: Row) -> None:
    names = [one.name for one in row.failures]
    print(f"\n── {tier.name}, what failed once more and alone: {len(names)} ──", flush=True)
    code, found = _pytest(f"{tier.name}-again", [*names, "-n", "0"])
    if found is None or code not in (0, 1) or found.passed + found.failed + found.skipped == 0:
        return
    still = {one.name for one in found.failures}
    row.unsteady = tuple(one for one in row.failures if one.name not in still)
    row.failures = tuple(one for one in row.failures if one.name in still)
    row.failed -= len(row.unsteady)
    row.passed += len(row.unsteady)


def _pytest(
    name: str, arguments: list[str], variables: Mapping[str, str] | None = None
) -> tuple[int, results.Results | None]:
    report = RESULTS / f"{name}.xml"
    report.unlink(missing_ok=True)
    environment = {**os.environ, "HYPOTHESIS_PROFILE": "ci" if CI else "default", **(variables or {})}
    command = [PYTHON, "-m", "pytest", "-q", f"--junitxml={report}", *arguments]
    code = subprocess.call(command, cwd=ROOT, env=environment)
    return code, results.read(report)


def _checks() -> Row:
    row = Row("lint")
    started = time.monotonic()
    for name, command in CHECKS.items():
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        print(f"{'ok  ' if done.returncode == 0 else 'FAIL'} {name}", flush=True)
        if done.returncode == 0:
            row.passed += 1
        else:
            row.failed += 1
            row.note = "; ".join(filter(None, (row.note, name)))
            print((done.stdout + done.stderr)[-6000:])
    row.seconds = time.monotonic() - started
    return row


def _table(rows: list[Row]) -> None:
    print(f"\n{'tier':<12} {'passed':>7} {'failed':>7} {'skipped':>8} {'time':>7}  why, and what adds them")
    for row in rows:
        counts = f"{row.name:<12} {row.passed:>7} {row.failed:>7} {row.skipped:>8} {row.seconds:>6.0f}s"
        print(f"{counts}  {row.note}".rstrip())
    for title, found in (
        ("FAILED", [one for row in rows for one in row.failures]),
        ("unsteady", [one for row in rows for one in row.unsteady]),
    ):
        for one in found:
            print(f"{title} {one.name}: {one.words}")
    absent = [tier.name for tier in TIERS if not tier.has_tests]
    if absent:
        print(f"no tests yet: {', '.join(absent)}")
    total = Row("", *(sum(getattr(row, key) for row in rows) for key in ("passed", "failed", "skipped")))
    print(f"\n{total.passed} passed, {total.failed} failed, {total.skipped} skipped")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
