"""`speedctl lint`: wrong annotations and TrafficReplays in manifests, before they reach a cluster.

Finds the files, hands them to `speedscale_manifests.lint`, prints what that found. Nothing else is decided here.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from .failing import fail

if TYPE_CHECKING:
    from speedscale_manifests.lint import Document, Problem

EPILOG = """
examples:
  speedctl lint manifests/
  helm template shop ./chart | speedctl lint -
  kustomize build overlays/prod | speedctl lint - --format github
  speedctl lint --format sarif manifests/ > lint.sarif
  speedctl lint --disable SPD007,SPD014 --strict deployment.yaml
"""
STDIN = "-"
MAX_BYTES = 64 << 20
_SUFFIXES = (".yaml", ".yml")
_KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_SKIPPED_FOLDERS = ("node_modules", "__pycache__")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.epilog = EPILOG
    parser.add_argument("files", nargs="+", metavar="FILE", help="files or folders of YAML; - reads standard input")
    parser.add_argument(
        "--format",
        choices=("text", "json", "sarif", "github"),
        default="text",
        help="how findings are printed; github writes workflow commands",
    )
    parser.add_argument(
        "--disable",
        action="append",
        default=[],
        metavar="RULE",
        help="leave a rule out, by id or name; several with commas or by repeating it",
    )
    parser.add_argument("--strict", action="store_true", help="end with 1 for warnings, too")


def run(args: argparse.Namespace) -> int:
    """Lint; 0 nothing wrong, 1 findings, 2 no such file or rule."""
    from speedscale_manifests import lint  # PyYAML is not needed for --help

    disabled, unknown = _rules([part.strip() for text in args.disable for part in text.split(",") if part.strip()])
    if unknown:
        return fail(unknown)
    missing = [name for name in args.files if name != STDIN and not Path(name).exists()]
    if missing:
        return fail(f"{missing[0]}: no such file or folder")
    documents: list[Document] = []
    problems: list[Problem] = []
    sources = list(dict.fromkeys(_sources(args.files)))
    for source in sources:
        found, wrong = _read(source)
        documents += found
        problems += wrong
    patches = lint.patch_files(_kustomizations(sources))
    problems = [p for p in problems if p.rule not in disabled]
    problems = sorted([*problems, *lint.lint(documents, disabled=disabled, patches=patches)])
    _show(args.format, problems, len(sources))
    failing = ("error", "warning") if args.strict else ("error",)
    return 1 if any(p.severity in failing for p in problems) else 0


def _rules(names: list[str]) -> tuple[set[str], str]:
    """Return the ids of the rules that are named, and what is wrong with a name."""
    from speedscale_manifests.lint import RULES
    from speedscale_schemas.validation import nearest

    ids = {**{rule.id: rule.id for rule in RULES}, **{rule.name: rule.id for rule in RULES}}
    by_fold = {name.casefold(): rule for name, rule in ids.items()}
    for name in names:
        if name.casefold() not in by_fold:
            near = nearest(name, ids)
            hint = f"; did you mean {near[0]}?" if near else ""
            return set(), f"--disable {name}: no such rule{hint}\n  the rules are in docs/lint.md"
    return {by_fold[name.casefold()] for name in names}, ""


def _sources(names: list[str]) -> Iterator[str]:
    """Yield every file, folders taken apart in the order of their names."""
    for name in names:
        if name == STDIN or not Path(name).is_dir():
            yield name if name == STDIN else _shown(name)
            continue
        for folder, inner, files in os.walk(name):
            inner[:] = sorted(d for d in inner if not d.startswith(".") and d not in _SKIPPED_FOLDERS)
            for file in sorted(files):
                if file.endswith(_SUFFIXES) or file in _KUSTOMIZATIONS:
                    yield _shown(os.path.join(folder, file))


def _shown(name: str) -> str:
    """Return a path relative to where we are when it is inside, with forward slashes."""
    path = os.path.normpath(name)
    if os.path.isabs(path):
        inside = os.path.relpath(path)
        path = path if inside.startswith(os.pardir) else inside
    return path.replace(os.sep, "/")


def _read(source: str) -> tuple[list[Document], list[Problem]]:
    """Return a file's documents and what could not be read of it."""
    from speedscale_manifests.lint import read, unreadable

    try:
        if source == STDIN:
            return read(sys.stdin.buffer.read(), "stdin")
        if os.path.getsize(source) > MAX_BYTES:
            return [], [unreadable(source, f"larger than {MAX_BYTES >> 20} MiB")]
        return read(Path(source).read_bytes(), source)
    except OSError as error:
        return [], [unreadable(source, error.strerror or str(error))]


def _kustomizations(sources: list[str]) -> Iterator[Document]:
    """Yield the kustomizations beside the files: they say which of these are patches."""
    known = set(sources)
    for folder in sorted({os.path.dirname(source) for source in sources if source != STDIN}):
        for name in _KUSTOMIZATIONS:
            path = os.path.join(folder, name).replace(os.sep, "/")
            if path not in known and os.path.isfile(path):
                yield from _read(path)[0]


def _show(style: str, problems: list[Problem], files: int) -> None:
    from speedscale_manifests.lint import formats, sarif

    if style == "json":
        sys.stdout.write(formats.as_json(problems, files))
    elif style == "sarif":
        sys.stdout.write(sarif.as_sarif(problems, version("speedscale-manifests")))
    elif style == "github":
        sys.stdout.write(formats.as_github(problems))
    else:
        sys.stdout.write(formats.as_text(problems))
        print(formats.summary(problems, files), file=sys.stderr)
    sys.stdout.flush()
