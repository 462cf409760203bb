"""`speedctl values`: look at values, check, change, begin and import them. Needs neither cdk8s nor Node."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .failing import fail, told

if TYPE_CHECKING:
    from speedscale_manifests.values import Refusal, Values, Warned

_EPILOG = """examples:
  speedctl values init --preset eks                        a small values.yaml to begin with
  speedctl values check                                    every problem, with line, reason and remedy
  speedctl values show forwarder --origin                  what holds, and which file or preset set it
  speedctl values set values.yaml forwarder.replicas=2     one line changes, comments stay
  speedctl values import chart-values.yaml --out values.yaml   from the vendor's chart, with notes

Without --values: the files in SPEEDSCALE_VALUES, else values.yaml here, else cdk8s/values.yaml of the project.
"""
_DEFAULT_FILE = Path("values.yaml")
_SCHEMA_FILE = "values.schema.json"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the actions and their arguments."""
    parser.epilog = _EPILOG
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    show = _action(actions, "show", "print the merged values")
    show.add_argument(
        "path", nargs="?", default="", metavar="PATH", help="only what stands there, e.g. forwarder.resources"
    )
    _add_layers(show)
    show.add_argument("--origin", action="store_true", help="say who set each value")
    show.add_argument("--changed", action="store_true", help="only what a file, a preset or --set says")

    check = _action(actions, "check", "tell everything that is wrong with values; exit code 1 when something is")
    _add_layers(check)
    check.add_argument("--strict", action="store_true", help="end with 1 for warnings, too")

    change = _action(actions, "set", "change a values file in place; comments, order and quotes stay")
    change.add_argument("file", type=Path, metavar="FILE", help="the values file")
    change.add_argument("assignments", nargs="+", metavar="PATH=VALUE", help="settings; null takes one away")
    change.add_argument(
        "--values", "-f", action="append", default=[], metavar="FILE", help="files below it (repeatable)"
    )

    init = _action(actions, "init", "write a small values file to begin with")
    init.add_argument("--out", type=Path, default=_DEFAULT_FILE, metavar="FILE", help="where (default: values.yaml)")
    init.add_argument("--cluster-name", default="my-cluster", metavar="NAME", help="name of the cluster in each record")
    init.add_argument("--profile", choices=("gitops", "operator"), default="", help="who owns the managed components")
    init.add_argument("--preset", default="", metavar="NAME", help="settings for a kind of cluster")
    init.add_argument(
        "--schema", action="store_true", help=f"write {_SCHEMA_FILE} beside it, for completion in editors"
    )
    init.add_argument("--force", action="store_true", help="overwrite a file that is there")

    chart = _action(actions, "import", "make values of a values file of the vendor's chart; notes say what changed")
    chart.add_argument("file", type=Path, metavar="CHART_VALUES", help="the file given to helm with -f")
    chart.add_argument("--out", type=Path, metavar="FILE", help="where the values go (default: printed)")
    chart.add_argument("--force", action="store_true", help="overwrite a file that is there")

    schema = _action(actions, "schema", "print the JSON Schema of values, for completion in editors")
    schema.add_argument("--out", type=Path, metavar="FILE", help="where it goes (default: printed)")


def _action(actions: Any, name: str, about: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(name, help=about, description=about)
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="how results are printed")
    return parser


def _add_layers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--values", "-f", action="append", default=[], metavar="FILE", help="a values file; later ones win"
    )
    parser.add_argument("--set", action="append", default=[], metavar="PATH=VALUE", help="one setting; wins over files")
    parser.add_argument("--profile", choices=("gitops", "operator"), help="who owns the managed components")


def run(args: argparse.Namespace) -> int:
    """Do the action; 0 good, 1 when `check` finds something, 2 when use or environment is wrong."""
    actions: dict[str, Callable[[argparse.Namespace], int]] = {
        "show": _show,
        "check": _check,
        "set": _set,
        "init": _init,
        "import": _import,
        "schema": _schema,
    }
    return told(lambda: actions[args.action](args))


def _files(args: argparse.Namespace) -> tuple[Path, ...]:
    from speedscale_manifests.synth.sources import sources

    return sources(Path.cwd(), os.environ, args.values).files


def _load(args: argparse.Namespace) -> Values:
    from speedscale_manifests.values import load

    return load(_files(args), args.set, args.profile)


# show


def _show(args: argparse.Namespace) -> int:
    from speedscale_manifests.values import showing
    from speedscale_manifests.values.arguments import split

    values = _load(args)
    tree = values.tree()
    if args.path:
        try:
            tree = showing.at(tree, split(f"{args.path}=")[0])
        except KeyError as error:
            return fail(f"there is no value at {error.args[0]}", remedy="docs/reference/values.md lists every setting")
    if args.changed:
        tree = showing.changed(tree, values.origin)
    if args.output == "json":
        _print_json({"values": tree, "sources": dict(values.sources)} if args.origin else tree)
    else:
        print(showing.shown(tree, values.origin if args.origin else None), end="")
    return 0


# check


def _check(args: argparse.Namespace) -> int:
    from speedscale_manifests.values import ValuesError

    files = _files(args)
    refusals: Sequence[Refusal] = ()
    warnings: Sequence[Warned] = ()
    try:
        warnings = _load(args).warnings
    except ValuesError as error:
        refusals = error.refusals
    failed = bool(refusals) or (args.strict and bool(warnings))
    if args.output == "json":
        _print_json({"refusals": [_refusal(r) for r in refusals], "warnings": [_warned(w) for w in warnings]})
    else:
        for refusal in refusals:
            print(refusal)
        for warning in warnings:
            print(f"warning: {warning}")
        named = ", ".join(map(str, files)) or "the defaults"
        print(f"{named}: {_counted(len(refusals), 'problem')}, {_counted(len(warnings), 'warning')}")
    missing = any(refusal.rule == "file" for refusal in refusals)
    return 2 if missing else int(failed)


def _refusal(refusal: Refusal) -> dict[str, Any]:
    place = refusal.place
    found = {"source": place.source, "line": place.line, "column": place.column, "path": refusal.path}
    return {**found, "rule": refusal.rule, "reason": refusal.reason, "remedy": refusal.remedy}


def _warned(warned: Warned) -> dict[str, Any]:
    found = {"source": warned.place, "path": warned.path, "rule": warned.rule}
    return {**found, "reason": warned.reason, "remedy": warned.remedy}


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


# set


def _set(args: argparse.Namespace) -> int:
    from speedscale_manifests.values import changing, reading

    before = reading.decoded(args.file.read_bytes(), str(args.file))
    after = changing.changed(before, str(args.file), args.assignments, args.values)
    if after == before:
        _tell(args, {"file": str(args.file), "changed": False}, f"{args.file}: nothing to change")
        return 0
    _write(args.file, after)
    _tell(args, {"file": str(args.file), "changed": True}, f"{args.file}: {', '.join(args.assignments)}")
    return 0


# init, import, schema


def _init(args: argparse.Namespace) -> int:
    from speedscale_manifests.values import from_mapping
    from speedscale_manifests.values.starting import starting

    chosen = {"clusterName": args.cluster_name, "profile": args.profile or None, "preset": args.preset}
    from_mapping({key: value for key, value in chosen.items() if value is not None}, "speedctl values init")
    schema = args.out.with_name(_SCHEMA_FILE)
    for path in (args.out, schema) if args.schema else (args.out,):
        if path.exists() and not args.force:
            return fail(f"{path} is there already", remedy="use another --out, or --force")
    if args.schema:
        _write(schema, _schema_text())
    _write(args.out, starting(args.cluster_name, args.profile, args.preset, with_schema=args.schema))
    _tell(args, {"file": str(args.out)}, f"{args.out} written; next: speedctl synth --values {args.out}")
    return 0


def _import(args: argparse.Namespace) -> int:
    from speedscale_manifests.values import from_mapping
    from speedscale_manifests.values.chart_file import import_text

    if args.out and args.out.exists() and not args.force:
        return fail(f"{args.out} is there already", remedy="use another --out, or --force")
    imported = import_text(args.file.read_bytes(), str(args.file))
    values = from_mapping(imported.values)
    if args.out:
        _write(args.out, imported.text)
    if args.output == "json":
        notes = [note._asdict() for note in imported.notes]
        _print_json({"values": imported.values, "notes": notes, "warnings": [_warned(w) for w in values.warnings]})
        return 0
    if not args.out:
        print(imported.text, end="")
    for note in imported.notes:
        print(note, file=sys.stderr)
    counts = {kind: sum(note.kind == kind for note in imported.notes) for kind in ("left out", "changed", "check")}
    said = f"{counts['left out']} left out, {counts['changed']} changed, {counts['check']} to check"
    print(f"{args.file}: {said}" + (f"; values in {args.out}" if args.out else ""), file=sys.stderr)
    return 0


def _schema(args: argparse.Namespace) -> int:
    if args.out:
        _write(args.out, _schema_text())
        _tell(args, {"file": str(args.out)}, f"{args.out} written")
    else:
        print(_schema_text(), end="")
    return 0


def _schema_text() -> str:
    from speedscale_schemas import validation

    return json.dumps(validation.schema("values"), ensure_ascii=False, indent=2) + "\n"


# Printing and writing


def _write(path: Path, content: str) -> None:
    """Replace a file as a whole: a reader sees the old or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    target = path.resolve()  # a link stays one
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as out:
            out.write(content)
        os.chmod(name, target.stat().st_mode & 0o7777 if target.exists() else 0o644)
        os.replace(name, target)
    except BaseException:
        os.unlink(name)
        raise


def _tell(args: argparse.Namespace, data: dict[str, Any], said: str) -> None:
    if args.output == "json":
        _print_json(data)
    else:
        print(said)


def _print_json(data: Any) -> None:
    print(json.dumps(data, ensure_ascii=False, indent=2))
