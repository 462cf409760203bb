"""`speedctl export`: turn a recording or a snapshot into files of other tools."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from speedscale_runtime import home as homes
from speedscale_runtime import interchange, snapshot
from speedscale_runtime.cli.output import add_output_flag, emit, fail
from speedscale_runtime.rrpair import RRPair
from speedscale_schemas.errors import ConfigError

_EXAMPLES = """\
examples:
  speedctl export har --in proxymock/recorded-2026-01-03 --out session.har
  speedctl export k6 --in proxymock/recorded-2026-01-03 --out script.js --inbound-only
  speedctl export wiremock --in snapshots/5f0c --out wiremock/mappings --limit 500
  speedctl export --type curl --in proxymock/recorded-2026-01-03 --out requests.sh

exit code: 0 something was written, 2 nothing was

--in is a recording, a snapshot, or the id of one. --out is a file, or a folder that gets a file of the usual name.
WireMock takes what the application asked of others (mocks), the other formats what it was asked (tests) and then the
rest; --inbound-only and --outbound-only choose.
"""
_SHOWN = 20


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.epilog = _EXAMPLES
    parser.add_argument("form", nargs="?", metavar="FORMAT", help=f"one of {', '.join(interchange.EXPORTS)}")
    parser.add_argument("--type", dest="kind", metavar="FORMAT", help="the format, in place of the argument")
    parser.add_argument("--in", dest="source", required=True, metavar="DIR", help="recording or snapshot")
    parser.add_argument("--out", required=True, metavar="FILE|DIR", help="where to write")
    parser.add_argument("--limit", type=int, default=0, metavar="N", help="take the first N pairs (default: all)")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--inbound-only", action="store_true", help="only what came in (tests)")
    which.add_argument("--outbound-only", action="store_true", help="only what went out (mocks)")
    parser.add_argument("--name", default="", help="name of the collection (default: the name of the source)")
    add_output_flag(parser)


def run(args: argparse.Namespace) -> int:
    """Read, convert, write; return 0 when something was written."""
    form = args.kind or args.form
    if not form:
        return fail("export needs a format", f"one of {', '.join(interchange.EXPORTS)}")
    if args.limit < 0:
        return fail(f"--limit {args.limit}: expected 1 or more")
    out = Path(args.out)
    home = homes.folder()
    try:
        source = snapshot.resolve(args.source, home)
        taken = _pairs(source, form, inbound=args.inbound_only, outbound=args.outbound_only)
        pairs = islice(taken, args.limit) if args.limit else taken
        exported = interchange.dump(form, pairs, name=args.name or source.resolve().name)
        if not exported.pairs:
            return fail(f"{source}: nothing to export", "speedctl inspect --in DIR lists what it holds")
        written = _write(exported, out)
    except ConfigError as error:
        return fail("\n  ".join(error.problems))
    except OSError as error:
        return fail(f"{error.filename or args.source}: {error.strerror}", "check the path and its permissions")
    data = {
        "pairs": exported.pairs,
        "files": [str(p) for p in written],
        "notTakenOver": list(exported.problems),
        "notTakenOverCount": exported.problem_count,
    }
    emit(args, data, _text(exported, written))
    return 0


def _pairs(source: Path, form: str, *, inbound: bool, outbound: bool) -> Iterator[RRPair]:
    opened = snapshot.open(source)
    mocks_wanted = outbound or (
        form == "wiremock" and not inbound and any(p.direction == "OUT" for p in opened.pairs())
    )
    if mocks_wanted:
        yield from (pair for pair in opened.pairs() if pair.direction == "OUT")
        return
    yield from (pair for pair in opened.pairs() if pair.direction != "OUT")
    if not inbound:
        yield from (pair for pair in opened.pairs() if pair.direction == "OUT")


def _write(exported: interchange.Exported, out: Path) -> list[Path]:
    """Write the one file, or all of them into a folder; return what was written."""
    if len(exported.files) == 1 and not out.is_dir() and out.suffix:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(next(iter(exported.files.values())))
        return [out]
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for name, data in exported.files.items():
        (out / name).write_bytes(data)
        written.append(out / name)
    return written


def _text(exported: interchange.Exported, written: list[Path]) -> str:
    lines = [f"{exported.pairs:,} pairs", *(f"  {path}" for path in written)]
    if exported.problem_count:
        lines += ["", f"not taken over, or not whole ({exported.problem_count:,}):"]
        lines += [f"  {p}" for p in exported.problems[:_SHOWN]]
        if exported.problem_count > _SHOWN:
            lines.append(f"  … {exported.problem_count - _SHOWN:,} more; --output json lists them")
    return "\n".join(lines)
