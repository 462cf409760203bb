"""`speedctl files`: validate, convert, compare and filter recordings.

Called by the root command. Each action reads pairs one by one, names every file that it cannot use and why, and
goes on with the rest. What a pair is, and how files are written, is `rrpair`'s business.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from speedscale_runtime.rrpair import RRPair, comparison, jsonform, recording
from speedscale_schemas import validation
from speedscale_schemas.errors import ConfigError

from .output import Progress, add_output_flag, emit, fail

_EPILOG = """examples:
  speedctl files validate recorded-2026-06-12
  speedctl files convert --in recorded-2026-06-12 --out as-json --out-format json
  speedctl files convert --in recorded-2026-06-12 --out-format json          (in place; --keep-original keeps both)
  speedctl files compare recorded-2026-06-12 as-json
  speedctl files filter --in recorded-2026-06-12 --out logins --query '(location CONTAINS "login")'
  speedctl files filter --in recorded-2026-06-12 --out quiet --filter-config drop-probes.json --drop

exit codes: 0 good, 1 something is invalid, different or could not be read, 2 error in use
"""

_ELSEWHERE = "give --in a recording, and --out a folder that is empty or new and lies elsewhere"
_FORMATS = ("markdown", "json", "jsonl")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the actions and their arguments."""
    parser.epilog = _EPILOG
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    one = _action(actions, "validate", "say what is wrong in recordings", validate)
    one.add_argument("paths", nargs="+", type=Path, metavar="DIR", help="recording, file or *.jsonl")

    one = _action(actions, "convert", "write a recording in another format", convert)
    one.add_argument("--in", dest="source", type=Path, required=True, help="recording, file or *.jsonl")
    one.add_argument("--out", type=Path, help="folder to write to (default: in place)")
    one.add_argument("--out-format", choices=_FORMATS, default="markdown", help="default: markdown")
    one.add_argument("--keep-original", action="store_true", help="keep the files that were converted in place")

    one = _action(actions, "compare", "say which pairs two recordings do not share", compare)
    one.add_argument("a", type=Path, metavar="A", help="recording, file or *.jsonl")
    one.add_argument("b", type=Path, metavar="B", help="recording, file or *.jsonl")

    one = _action(actions, "filter", "write the pairs that a filter rule matches", filter_pairs)
    one.add_argument("--in", dest="source", type=Path, required=True, help="recording, file or *.jsonl")
    one.add_argument("--out", type=Path, required=True, help="folder to write to")
    one.add_argument("--out-format", choices=_FORMATS, default="markdown", help="default: markdown")
    rule = one.add_mutually_exclusive_group(required=True)
    rule.add_argument("--filter-config", type=Path, metavar="FILE", help="filter rule as JSON")
    rule.add_argument("--query", metavar="STRING", help='filter rule as a query, e.g. (direction IS "IN")')
    one.add_argument("--drop", action="store_true", help="write the pairs that do not match, as the forwarder does")


def _action(actions: Any, name: str, help: str, act: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(
        name,
        help=help,
        description=help,
        epilog="\n".join(line for line in _EPILOG.splitlines() if f"files {name}" in line or line.startswith("ex")),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_output_flag(parser)
    parser.set_defaults(act=act)
    return parser


def run(args: argparse.Namespace) -> int:
    """Do the action and return its exit code."""
    try:
        return int(args.act(args))
    except ConfigError as error:
        return fail(str(error))
    except OSError as error:
        return fail(f"{error.filename or 'disk'}: {error.strerror}", "is the folder there, writable, and not full?")


def validate(args: argparse.Namespace) -> int:
    """Read everything and check it against the schema of pairs."""
    problems: list[str] = []
    skipped: list[str] = []
    count = 0
    progress = Progress("pairs read")
    for path in args.paths:
        for entry in recording.read(path, skipped=lambda file, why: skipped.append(f"{file}: {why}")):
            if entry.pair is None:
                problems.append(entry.error)
                continue
            count += 1
            source = f"{entry.path}:{entry.line}" if entry.path.suffix == ".jsonl" else str(entry.path)
            found = validation.check("rrpair", jsonform.document(entry.pair), source=source)
            problems += [str(problem) for problem in found]
            progress.update(count)
    progress.close()
    if not count and not problems:
        problems.append(f"{', '.join(map(str, args.paths))}: no pairs; a recording holds *.md, *.json or *.jsonl files")
    lines = [*problems, *(f"skipped: {line}" for line in skipped)]
    lines.append(f"{count:,} pairs are readable, {len(problems):,} problems")
    emit(args, {"pairs": count, "problems": problems, "skipped": skipped}, "\n".join(lines))
    return 1 if problems else 0


def convert(args: argparse.Namespace) -> int:
    """Write every pair in the wanted format, in place or elsewhere."""
    source: Path = args.source
    in_place = args.out is None
    if in_place and not source.is_dir():
        return fail(f"{source}: no folder; only a folder is converted in place", "give --out FOLDER")
    if not in_place and (bad := _bad_target(args.out, source)):
        return fail(bad, _ELSEWHERE)
    suffix = {"markdown": ".md", "json": ".json", "jsonl": ".jsonl"}[args.out_format]
    out = source if in_place else args.out
    paths = recording.files(source)
    if in_place:
        paths = [path for path in paths if path.suffix != suffix]
    return _write(args, out, paths, lambda _: True, remove=in_place and not args.keep_original)


def filter_pairs(args: argparse.Namespace) -> int:
    """Write the pairs that the rule matches; with --drop those that it does not match."""
    from speedscale_runtime import filters

    if bad := _bad_target(args.out, args.source):
        return fail(bad, _ELSEWHERE)
    if args.query is not None:
        document: Any = filters.parse_query(args.query)
    else:
        document = validation.load("filter-rule", args.filter_config.read_bytes(), source=str(args.filter_config))
    rule = filters.compile_rule(document)
    return _write(args, args.out, recording.files(args.source), lambda pair: rule.matches(pair) is not args.drop)


def _bad_target(out: Path, source: Path) -> str:
    """Return why pairs read from `source` cannot be written to `out`; empty when they can."""
    if not source.exists():
        return f"{source}: no such file or folder"
    if source.is_dir() and out.resolve().is_relative_to(source.resolve()):
        return f"{out} lies in {source}, so it would be read while it is written"
    if out.is_dir() and any(out.iterdir()):
        return f"{out} is not empty, and its pairs would be mixed with others"
    return ""


def _write(
    args: argparse.Namespace,
    out: Path,
    paths: list[Path],
    wanted: Callable[[RRPair], bool],
    *,
    remove: bool = False,
) -> int:
    errors: list[str] = []
    written = left = 0
    progress = Progress("files", len(paths))
    with recording.Writer(out, args.out_format) as writer:
        for number, path in enumerate(paths, 1):
            whole = True
            for entry in recording.read(path):
                if entry.pair is None:
                    errors.append(entry.error)
                    whole = False
                elif wanted(entry.pair):
                    written += 1
                    whole = writer.write(entry.pair, replacing=path) != path and whole
                else:
                    left += 1
            if remove and whole:
                path.unlink()
            progress.update(number)
    progress.close()
    lines = [*errors, f"{written:,} pairs written to {out}, {left:,} left out, {len(errors):,} errors"]
    emit(args, {"written": written, "leftOut": left, "out": str(out), "errors": errors}, "\n".join(lines))
    return 1 if errors else 0


def compare(args: argparse.Namespace) -> int:
    """Compare two recordings pair by pair; pairs belong together by uuid, else by time, direction and endpoint."""
    for path in (args.a, args.b):
        if not path.exists():
            return fail(f"{path}: no such file or folder")
    errors: list[str] = []
    result = comparison.compare(_pairs(args.a, errors), _pairs(args.b, errors))
    lines = [*errors]
    lines += [f"only in {args.a}: {name}" for name in result.only_a]
    lines += [f"only in {args.b}: {name}" for name in result.only_b]
    for name, differences in result.changed.items():
        lines.append(f"differs: {name}")
        lines += [f"  {difference}" for difference in differences]
    lines.append(
        f"{result.same:,} pairs are the same, {len(result.changed):,} differ, "
        f"{len(result.only_a):,} only in {args.a}, {len(result.only_b):,} only in {args.b}"
    )
    data = {
        "same": result.same,
        "changed": {name: list(differences) for name, differences in result.changed.items()},
        "onlyA": result.only_a,
        "onlyB": result.only_b,
        "errors": errors,
    }
    emit(args, data, "\n".join(lines))
    return 1 if errors or result.changed or result.only_a or result.only_b else 0


def _pairs(path: Path, errors: list[str]) -> Iterator[RRPair]:
    progress = Progress(f"pairs of {path}")
    for number, entry in enumerate(recording.read(path), 1):
        if entry.pair is None:
            errors.append(entry.error)
        else:
            yield entry.pair
        progress.update(number)
    progress.close()
