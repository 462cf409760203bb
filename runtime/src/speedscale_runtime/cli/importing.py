"""`speedctl import`: turn files of other tools into a recording."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Mapping
from pathlib import Path

from speedscale_runtime import interchange, signatures
from speedscale_runtime.cli import documents
from speedscale_runtime.cli.output import Progress, add_output_flag, emit, fail
from speedscale_runtime.rrpair import recording
from speedscale_schemas.errors import ConfigError

_EXAMPLES = """\
examples:
  speedctl import har session.har --out proxymock/imported-session --service-name shop
  speedctl import postman shop.postman_collection.json --out proxymock/imported-shop
  speedctl import wiremock ./wiremock --out proxymock/imported-mocks
  speedctl import curl commands.sh --out proxymock/imported-curl

exit code: 0 something was taken over, 2 nothing was, or the file is not of that format

What cannot be taken over is listed with its reason. A curl command is a request without an answer: it can be sent, and
has nothing to be compared with. Nothing is redacted on import unless you say so: --dlp-config standard.
"""
_SHOWN = 20
_BESIDE_MAX = 256 * 1024 * 1024


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.epilog = _EXAMPLES
    parser.add_argument("form", nargs="?", metavar="FORMAT", help=f"one of {', '.join(interchange.IMPORTS)}")
    parser.add_argument(
        "file", nargs="?", metavar="FILE", help="the file (WireMock: a mapping, or a folder with mappings/)"
    )
    parser.add_argument("--type", dest="kind", metavar="FORMAT", help="the format, in place of the first argument")
    parser.add_argument("--from", dest="source", metavar="FILE", help="the file, in place of the second argument")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder of the recording; it is made")
    parser.add_argument("--out-format", choices=recording.FORMATS, default="markdown", help="default: markdown")
    parser.add_argument("--service-name", default="", metavar="NAME", help="service of the pairs (default: their host)")
    parser.add_argument(
        "--direction",
        choices=("IN", "OUT"),
        default="",
        help="IN: tests, OUT: mocks (default: OUT for wiremock, IN for the others)",
    )
    parser.add_argument(
        "--dlp-config", default="none", metavar="ID|FILE", help="redact what is imported by this rule (default: none)"
    )
    add_output_flag(parser)


def run(args: argparse.Namespace) -> int:
    """Read, convert, write; return 0 when something was taken over."""
    form, source = _arguments(args)
    if not form or not source:
        return fail("import needs a format and a file", "e.g. speedctl import har session.har --out recorded")
    path = Path(source)
    pairs = 0
    problems: list[str] = []
    count = 0
    progress = Progress("importing")
    try:
        redactor = None if args.dlp_config == "none" else documents.redactor(args.dlp_config)
        with recording.Writer(Path(args.out), args.out_format) as writer:
            for file, beside in _files(form, path):
                found = interchange.load(
                    form,
                    file.read_bytes(),
                    file=file.name,
                    service=args.service_name,
                    direction=args.direction,
                    beside=beside,
                )
                problems += [f"{file.name}: {p}" for p in found.problems]
                count += found.problem_count
                for imported in found.pairs:
                    pair = redactor.redact_pair(imported).pair if redactor else imported
                    signatures.annotate(pair)
                    writer.write(pair)
                    pairs += 1
                    progress.update(pairs)
    except ConfigError as error:
        return fail("\n  ".join(error.problems))
    except OSError as error:
        return fail(f"{error.filename or path}: {error.strerror}", "check the path and its permissions")
    finally:
        progress.close()
        if not pairs:  # the writer made it; a folder that is not empty stays
            with contextlib.suppress(OSError):
                Path(args.out).rmdir()
    emit(
        args,
        {"pairs": pairs, "out": args.out, "notTakenOver": problems, "notTakenOverCount": count},
        _text(pairs, args.out, problems, count),
    )
    return 0 if pairs else 2


def _arguments(args: argparse.Namespace) -> tuple[str, str]:
    """Return format and file; with --type the first positional argument is the file."""
    if args.kind:
        return args.kind, args.source or args.form or ""
    return args.form or "", args.source or args.file or ""


def _files(form: str, path: Path) -> list[tuple[Path, Mapping[str, bytes]]]:
    """Return the files to read, with those they may refer to; a folder counts for WireMock alone."""
    if not path.is_dir():
        around = path.parent.parent if path.parent.name == "mappings" else path.parent
        return [(path, _beside(around / "__files") if form == "wiremock" else {})]
    if form != "wiremock":
        raise ConfigError([f"{path}: is a folder; {form} is read from a file"])
    root = path / "mappings" if (path / "mappings").is_dir() else path
    beside = _beside((root.parent if root.name == "mappings" else root) / "__files")
    files = sorted(p for p in root.rglob("*.json") if "__files" not in p.parts)
    if not files:
        raise ConfigError([f"{path}: no *.json mappings in it"])
    return [(file, beside) for file in files]


def _beside(folder: Path) -> dict[str, bytes]:
    if not folder.is_dir():
        return {}
    found: dict[str, bytes] = {}
    size = 0
    for file in sorted(p for p in folder.rglob("*") if p.is_file()):
        size += file.stat().st_size
        if size > _BESIDE_MAX:
            raise ConfigError([f"{folder}: more than {_BESIDE_MAX:,} bytes; import the mappings in parts"])
        found[file.relative_to(folder).as_posix()] = file.read_bytes()
    return found


def _text(pairs: int, out: str, problems: list[str], count: int) -> str:
    lines = [f"{pairs:,} pairs written to {out}"]
    if count:
        lines += ["", f"not taken over, or not whole ({count:,}):", *(f"  {p}" for p in problems[:_SHOWN])]
        if count > _SHOWN:
            lines.append(f"  … {count - _SHOWN:,} more; --output json lists them")
    return "\n".join(lines)
