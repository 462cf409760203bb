"""`speedctl synth`: values → manifests on disk, once or whenever values change.

Reads values, calls `synth`, writes with `output.Writer`, prints what happened. cdk8s (and so Node) is imported only
where something is synthesised.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .failing import fail, told

if TYPE_CHECKING:
    from speedscale_manifests.output import Changes
    from speedscale_manifests.synth.sources import Sources
    from speedscale_manifests.values import Values
    from speedscale_manifests.watch import Cycle

_EPILOG = """examples:
  speedctl synth                                   values.yaml → dist/, only what changed is written
  speedctl synth --values values.yaml --values values.prod.yaml --set image.tag=v0.2.1
  speedctl synth --watch                           again after each change, until Ctrl-C
  speedctl synth --format helm --out chart         the same objects as a Helm chart
  speedctl synth --against origin/main             what applying this would change; writes nothing

Without --values: the files in SPEEDSCALE_VALUES, else values.yaml here, else cdk8s/values.yaml of the project.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.epilog = _EPILOG
    parser.add_argument(
        "--values", "-f", action="append", default=[], metavar="FILE", help="a values file; later ones win (repeatable)"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="PATH=VALUE", help="one setting, wins over files (repeatable)"
    )
    parser.add_argument("--profile", choices=("gitops", "operator"), help="who owns the managed components")
    parser.add_argument(
        "--out", metavar="DIR", help="where files go (default: dist, for Helm chart, in the project or here)"
    )
    parser.add_argument("--format", choices=("yaml", "helm"), default="yaml", help="plain manifests, or a Helm chart")
    parser.add_argument("--watch", action="store_true", help="synthesise again whenever a values file changes")
    parser.add_argument("--against", metavar="REF", help="show what changes since a git revision; write nothing")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="results as JSON on stdout")
    form.add_argument("--markdown", action="store_true", help="with --against: for a pull request or a job's summary")


def run(args: argparse.Namespace) -> int:
    """Synthesise; 0 when done, 2 when values, files or Node are wrong."""
    from speedscale_manifests.synth.sources import sources

    if args.watch and (args.against or args.json):
        return fail("--watch goes with neither --against nor --json; leave one of them out")
    if args.markdown and not args.against:
        return fail("--markdown is a form of --against; name a revision")
    found = sources(Path.cwd(), os.environ, args.values, args.out, "chart" if args.format == "helm" else "dist")
    action = _watch if args.watch else _against if args.against else _once
    return told(lambda: action(args, found))


def _load(args: argparse.Namespace, found: Sources, told: set[str] | None = None) -> Values:
    """Return the values; warnings go to stderr, those in `told` not again."""
    from speedscale_manifests.values import load

    values = load(found.files, args.set, args.profile)
    warnings = [str(warning) for warning in values.warnings]
    for warning in warnings:
        if told is None or warning not in told:
            print(f"warning: {warning}", file=sys.stderr)
    if told is not None:
        told.clear()
        told.update(warnings)
    return values


def _files(args: argparse.Namespace, values: Values) -> dict[str, bytes]:
    from speedscale_manifests import synth

    if args.format == "helm":
        from speedscale_manifests.output import helm

        return dict(helm.chart(values, synth.placed(values)))
    return synth.synthesise(values)


def _once(args: argparse.Namespace, found: Sources) -> int:
    from speedscale_manifests.output import Writer

    started = time.monotonic()
    files = _files(args, _load(args, found))
    changes = Writer(found.output).write(files)
    seconds = time.monotonic() - started
    if args.json:
        _print(json.dumps(_data(found, files, changes), indent=2, ensure_ascii=False))
    else:
        if args.format == "yaml":
            _print(_table(files, changes) + "\n")
        _print(f"{_summary(changes)} in {found.output}/, {seconds:.1f} s; values: {_named(found)}")
    _tell_kept(found, changes)
    return 0


def _against(args: argparse.Namespace, found: Sources) -> int:
    from speedscale_manifests import synth, upgrade

    report = upgrade.against(args.against, found.output, synth.objects(_load(args, found)))
    if args.json:
        _print(json.dumps(upgrade.as_data(report), indent=2, ensure_ascii=False))
    else:
        _print(upgrade.render_markdown(report) if args.markdown else upgrade.render_text(report))
    return 0


def _watch(args: argparse.Namespace, found: Sources) -> int:
    from speedscale_manifests.output import Writer
    from speedscale_manifests.watch import Fingerprints, Notifier, watch

    if not found.files:
        return fail("no values file to watch; name one with --values (it may be made later)")
    writer = Writer(found.output)
    warned: set[str] = set()

    def build() -> Changes:
        return writer.write(_files(args, _load(args, found, warned)))

    def tell(cycle: Cycle) -> None:
        print(_told(cycle, found), file=sys.stderr, flush=True)

    print(f"watching {_named(found)}; Ctrl-C ends it", file=sys.stderr, flush=True)
    fingerprints = Fingerprints(found.files)
    with Notifier(found.files) as notifier:
        watch(build, fingerprints.changed, notifier, tell, time.monotonic)
    print("\nended", file=sys.stderr)
    return 0


def _told(cycle: Cycle, found: Sources) -> str:
    if cycle.changes is None:
        return "\n".join((*cycle.problems, f"nothing written; waiting for {_named(found)} to change"))
    names = [*cycle.changes.written, *(f"{path} (deleted)" for path in cycle.changes.deleted)]
    shown = f": {', '.join(names[:6])}{' …' if len(names) > 6 else ''}" if names else ""
    kept = "".join(f"\n{_kept(found, path)}" for path in cycle.changes.kept)
    return f"{_summary(cycle.changes)} in {found.output}/, {cycle.seconds:.1f} s{shown}{kept}"


def _table(files: Iterable[str], changes: Changes) -> str:
    """Return objects and changed files by chart; a kustomization is a file, but no object."""
    names = {"written": changes.written, "unchanged": changes.unchanged, "deleted": changes.deleted}
    counts = {name: Counter(_chart(path) for path in paths) for name, paths in names.items()}
    objects = Counter(_chart(path) for path in files if _is_object(path))
    charts = sorted({chart for count in counts.values() for chart in count} | objects.keys())
    width = max([len(chart) for chart in charts] + [5])
    lines = [f"{'chart':<{width}}  {'objects':>7}  " + "  ".join(f"{name:>9}" for name in counts)]
    for chart in charts:
        cells = "  ".join(f"{count[chart]:>9}" for count in counts.values())
        lines.append(f"{chart or '.':<{width}}  {objects[chart]:>7}  {cells}")
    return "\n".join(lines)


def _chart(path: str) -> str:
    return path.partition("/")[0] if "/" in path else "."


def _is_object(path: str) -> bool:
    return "/" in path and path.endswith(".yaml") and not path.endswith("/kustomization.yaml")


def _summary(changes: Changes) -> str:
    return f"{len(changes.written)} written, {len(changes.unchanged)} unchanged, {len(changes.deleted)} deleted"


def _named(found: Sources) -> str:
    return ", ".join(str(file) for file in found.files) or "the defaults"


def _data(found: Sources, files: Mapping[str, bytes], changes: Changes) -> dict[str, Any]:
    return {
        "values": [str(file) for file in found.files],
        "out": str(found.output),
        "files": sorted(files),
        "written": list(changes.written),
        "unchanged": list(changes.unchanged),
        "deleted": list(changes.deleted),
        "kept": list(changes.kept),
    }


def _tell_kept(found: Sources, changes: Changes) -> None:
    for path in changes.kept:
        print(_kept(found, path), file=sys.stderr)


def _kept(found: Sources, path: str) -> str:
    return f"{found.output / path}: is stale, but was edited since it was written, so it stays; delete it yourself"


def _print(text: str) -> None:
    print(text, flush=True)
