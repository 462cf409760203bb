"""The steps `values` and `output`: are the values good, and is the output theirs.

Called by `run`. Values are read by `values`, and the output is made anew without cdk8s (a test elsewhere holds both
ways equal); nothing is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path as File

from speedscale_manifests import synth
from speedscale_manifests.output import render
from speedscale_manifests.values import Values, ValuesError, load
from speedscale_schemas.errors import ConfigError

from .findings import Found, State, Step

VALUES = "values"
OUTPUT = "output"


def values_step(files: Sequence[File], sets: Sequence[str], profile: str | None) -> tuple[Step, Values | None]:
    """Read the values; every refusal is a problem, what is allowed but hardly meant a warning."""
    title = f"values: {', '.join(map(str, files)) or 'the defaults'}"
    try:
        values = load(files, sets, profile)
    except ValuesError as error:
        found = [
            Found(
                VALUES,
                refusal.place.source,
                refusal.place.line,
                "",
                refusal.path,
                f"{refusal.reason}{f'; {refusal.remedy}' if refusal.remedy else ''}",
            )
            for refusal in error.refusals
        ]
        return Step.of(VALUES, title, found, len(files), "file"), None
    warned = [Found(VALUES, w.place, 0, "", w.path, f"{w.reason}; {w.remedy}", warning=True) for w in values.warnings]
    return Step.of(VALUES, title, warned, len(files), "file"), values


def output_step(values: Values | None, root: File | None) -> Step:
    """Compare what the values give with the files of a folder: missing, stale, edited."""
    title = "the files are what the values give"
    if values is None:
        return Step(OUTPUT, title, State.NOT_RUN, notes=("the values are refused",))
    if root is None:
        return Step.skipped(OUTPUT, title, "no folder of a whole output was named")
    try:
        wanted = render(synth.placed(values), values.namespace)
    except ConfigError as error:
        return Step.of(OUTPUT, title, [Found(OUTPUT, "", 0, "", "", problem) for problem in error.problems], 0, "file")
    found: list[Found] = []
    present = {path.relative_to(root).as_posix() for path in root.rglob("*.yaml") if path.is_file()}
    for path, content in wanted.items():
        if path not in present:
            found.append(Found(OUTPUT, str(root / path), 0, "", "", "missing; synthesise again: speedctl synth"))
        elif (root / path).read_bytes() != content:
            line = _first_difference((root / path).read_bytes(), content)
            reason = (
                "is not what the values give (edited, or the values changed since); synthesise again: speedctl synth"
            )
            found.append(Found(OUTPUT, str(root / path), line, "", "", reason))
    extra = "the values give no such file; delete it, or speedctl synth"
    found += [Found(OUTPUT, str(root / path), 0, "", "", extra) for path in sorted(present - wanted.keys())]
    return Step.of(OUTPUT, title, found, len(wanted), "file")


def _first_difference(old: bytes, new: bytes) -> int:
    """Return the first line of `old` that differs."""
    before, after = old.splitlines(), new.splitlines()
    for number, (a, b) in enumerate(zip(before, after, strict=False), 1):
        if a != b:
            return number
    return min(len(before), len(after)) + 1
