"""Does each fault test miss its guard? Take the guard out of a copy of the sources and run the test: it must fail.

    python scripts/guards.py [--list] [WORDS…]

WORDS choose by parts of a test's name. The table is tests/cluster/operator/faults/guards.toml. A test that still passes
without its guard, or that does not come to the point (an error outside of the test), ends this with 1: the test has to
be made sharper, or the row in docs/faults.md has to say what else must go. Not part of CI: an hour for all of them.

The copy has every file that git knows; processes that tests start import from it by PYTHONPATH. Nothing of the clone is
written.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "tests" / "cluster" / "operator" / "faults" / "guards.toml"
SOURCES = ("schemas/src", "controller/kube/src", "controller/src", "cdk8s/src", "runtime/src")
DEADLINE_S = 900.0


@dataclass(frozen=True)
class Edit:
    """In `file` the text `old`, which stands there once, becomes `new`."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Guard:
    """A guard: the test that must miss it (below tests/cluster), what is taken out in words, and how."""

    test: str
    out: str
    edits: tuple[Edit, ...]


@dataclass(frozen=True)
class Seen:
    """What came of one: the test `failed` (good), `passed` (bad), or ended in another way; its last words."""

    guard: Guard
    result: str
    said: str


def guards(table: Path = TABLE) -> tuple[Guard, ...]:
    """Return the table's rows."""
    rows = tomllib.loads(table.read_text("utf-8"))["guard"]
    return tuple(Guard(row["test"], row["out"], tuple(Edit(**edit) for edit in row["edit"])) for row in rows)


def problems(guard: Guard, root: Path = ROOT) -> list[str]:
    """Return why a row does not fit the sources: a text that is not there once, a test that is not there."""
    file, _, test = guard.test.partition("::")
    path = root / "tests" / "cluster" / file
    found = [] if path.is_file() and f"def {test}(" in path.read_text("utf-8") else [f"no such test: {guard.test}"]
    for edit in guard.edits:
        source = root / edit.file
        count = source.read_text("utf-8").count(edit.old) if source.is_file() else 0
        if count != 1:
            found.append(f"{guard.test}: {edit.file} has {count} times, not once: {edit.old!r}")
    return found


@contextlib.contextmanager
def copied() -> Iterator[Path]:
    """Yield a folder with every file that git knows, as it is now."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout.decode()
    with tempfile.TemporaryDirectory(prefix="guards-") as folder:
        for name in filter(None, names.split("\0")):
            if (ROOT / name).is_file():
                (Path(folder) / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, Path(folder) / name)
        yield Path(folder)


def see(guard: Guard, folder: Path) -> Seen:
    """Run a guard's test in the copy without the guard, and put the guard back."""
    before = {edit.file: (folder / edit.file).read_text("utf-8") for edit in guard.edits}
    try:
        for edit in guard.edits:
            path = folder / edit.file
            path.write_text(path.read_text("utf-8").replace(edit.old, edit.new), encoding="utf-8")
        return _run(guard, folder)
    finally:
        for file, text in before.items():
            (folder / file).write_text(text, encoding="utf-8")


def _run(guard: Guard, folder: Path) -> Seen:
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(str(folder / part) for part in SOURCES)}
    environ |= {"PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200"}
    command = [sys.executable, "-m", "pytest", f"tests/cluster/{guard.test}", "-x", "-q", "-p", "no:cacheprovider"]
    try:
        done = subprocess.run(
            command, cwd=folder, env=environ, capture_output=True, text=True, timeout=DEADLINE_S, check=False
        )
    except subprocess.TimeoutExpired:
        return Seen(guard, "hung", f"not over after {DEADLINE_S:.0f} s")
    lines = done.stdout.splitlines()
    said = next((line[2:].strip() for line in lines if line.startswith("E  ")), lines[-1] if lines else "")
    if done.returncode == 1 and any(line.startswith("FAILED ") for line in lines):
        return Seen(guard, "failed", said)
    return Seen(guard, {0: "passed", 1: "broke"}.get(done.returncode, f"ended with {done.returncode}"), said)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("words", nargs="*", help="parts of tests' names; all without")
    parser.add_argument("--list", action="store_true", help="only say which there are")
    args = parser.parse_args()
    chosen = [one for one in guards() if not args.words or any(word in one.test for word in args.words)]
    if args.list:
        print(*(f"{one.test}: {one.out}" for one in chosen), sep="\n")
        return 0
    stale = [problem for one in chosen for problem in problems(one)]
    if stale or not chosen:
        print(*(stale or ["no test is called so; --list says which there are"]), sep="\n", file=sys.stderr)
        return 2
    bad = 0
    print("| test | taken out | result | the test said |\n| --- | --- | --- | --- |", flush=True)
    with copied() as folder:
        for one in chosen:
            seen = see(one, folder)
            bad += seen.result != "failed"
            said = seen.said.replace("|", "\\|")[:160]
            print(f"| `{one.test.partition('::')[2]}` | {one.out} | {seen.result} | {said} |", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
