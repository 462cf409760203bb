"""Run the checks and test tiers that this machine can, and end with a table of what ran and what did not.

Called by `make test` and `make lint`. Arguments: `default`, `all`, `lint`, or tier names (comma or space). With
CI=true the tools a tier needs are installed first, and a tier that has tests is never skipped.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import go_tools
import tools

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
PYTHON = str(BIN / "python")
RESULTS = ROOT / ".cache" / "tiers"
CI = os.environ.get("CI", "").lower() == "true"


@dataclass(frozen=True)
class Tier:
    """One tier: where its tests lie, which programs it needs, whether it runs without being asked for."""

    name: str
    folder: str
    programs: dict[str, str] = field(default_factory=dict)
    root: bool = False
    heavy: bool = False
    asked: bool = False  # only by name: it takes what other work on the machine would need
    workers: str = "2"
    together: bool = False  # the tests of a file share what is costly, so one worker runs them
    builds: tuple[str, ...] = ()  # programs of go_tools
    some: dict[str, str] = field(default_factory=dict)  # programs that some of its tests skip without

    @property
    def built(self) -> bool:
        return all(go_tools.find(program) for program in self.builds)

    @property
    def has_tests(self) -> bool:
        return any((ROOT / self.folder).rglob("test_*.py"))


TIERS = (
    Tier("unit", "tests/unit", workers="auto"),
    Tier("contract", "tests/contract"),
    Tier("fuzz", "tests/fuzz"),
    Tier("integration", "tests/integration", tools.INTEGRATION),
    Tier("network", "tests/network", tools.NETWORK, root=True),
    Tier("browser", "tests/browser", tools.BROWSER, workers="0"),
    Tier(
        "cluster",
        "tests/cluster",
        {"go": "golang-go"},
        heavy=True,
        together=True,
        builds=go_tools.CONTROL_PLANE,
        some=tools.CLUSTER,
    ),
    Tier(
        "e2e",
        "tests/e2e",
        {"go": "golang-go", **tools.NODE},
        root=True,
        heavy=True,
        asked=True,
        workers="0",
        builds=go_tools.NODE,
        some=tools.E2E,
    ),
    Tier("kernel", "tests/kernel", {"clang": "clang"}, root=True, heavy=True, workers="0"),
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
    if tier.asked and not named:
        return Row(tier.name, note=f"not run unless asked for: {command}")
    programs = {name: package for name, package in tier.programs.items() if name != "go" or not tier.built}
    if CI:
        tools.install({**programs, **tier.some})
    lacking = tools.missing(programs)
    if tier.root and os.geteuid() != 0:
        return Row(tier.name, note=f"not run: needs root; sudo {command}")
    if lacking and (tier.heavy or tier.name == "browser") and not CI:
        packages = " ".join(sorted(lacking.values()))
        return Row(tier.name, note=f"not run: needs {', '.join(lacking)}; apt-get install {packages}, then {command}")
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


def _run(tier: Tier) -> Row:
    print(f"\n── {tier.name} ──", flush=True)
    report = RESULTS / f"{tier.name}.xml"
    report.unlink(missing_ok=True)
    command = [PYTHON, "-m", "pytest", tier.folder, "-q", f"--junitxml={report}", "-n", tier.workers]
    command += ["--dist", "loadfile"] if tier.together else []
    started = time.monotonic()
    environment = {**os.environ, "HYPOTHESIS_PROFILE": "ci" if CI else "default"}
    code = subprocess.call(command, cwd=ROOT, env=environment)
    row = Row(tier.name, seconds=time.monotonic() - started)
    if not report.exists():
        row.failed, row.note = 1, f"pytest ended with {code} and left no result"
        return row
    suite = ElementTree.parse(report).getroot().find("testsuite")
    assert suite is not None
    count = {key: int(suite.get(key, "0")) for key in ("tests", "failures", "errors", "skipped")}
    row.failed, row.skipped = count["failures"] + count["errors"], count["skipped"]
    row.passed = count["tests"] - row.failed - row.skipped
    reasons = Counter(s.get("message", "").removeprefix("Skipped: ") for s in suite.iter("skipped"))
    row.note = "; ".join(f"{n} × {reason}" for reason, n in reasons.most_common(3))
    if code not in (0, 1) or (code == 1 and not row.failed):
        row.failed, row.note = max(row.failed, 1), f"pytest ended with {code}"
    return row


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
    absent = [tier.name for tier in TIERS if not tier.has_tests]
    if absent:
        print(f"no tests yet: {', '.join(absent)}")
    total = Row("", *(sum(getattr(row, key) for row in rows) for key in ("passed", "failed", "skipped")))
    print(f"\n{total.passed} passed, {total.failed} failed, {total.skipped} skipped")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
