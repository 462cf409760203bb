"""`speedctl dlp`: find, redact and explain personal data and secrets in recordings.

Called by the root command. The engine is the forwarder's; keys are those of SPEEDSCALE_HOME, so that tokens agree
with what was recorded here. Values are never printed.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from speedscale_runtime import home as homes
from speedscale_runtime import rules
from speedscale_runtime.rrpair import recording
from speedscale_schemas.errors import ConfigError

from .output import Progress, add_output_flag, emit, fail

_EPILOG = """examples:
  speedctl dlp scan --in recorded-2026-06-12                     what the rule standard would take out
  speedctl dlp scan --in recorded-2026-06-12 -o json | jq .kinds
  speedctl dlp redact --in recorded-2026-06-12 --out redacted    a redacted copy of the recording
  speedctl dlp redact --in raw --out redacted --dlp-config my-rule.json
  speedctl dlp explain 'card 4111 1111 1111 1111, order 4111111111111112'
  speedctl dlp explain body.json

A rule is a built-in one (standard), a file, or an id in $SPEEDSCALE_HOME/data/dlp/<id>.json.
Tokens are made with the key in $SPEEDSCALE_HOME/dlp-keys.json, which is made when it is missing.

exit codes: 0 nothing found (scan), or done; 1 something was found (scan), or files were broken; 2 error in use
"""
_PLACES_SHOWN = 20


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.epilog = _EPILOG
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    scan = commands.add_parser("scan", help="count what would be redacted, by kind and place; change nothing")
    redact = commands.add_parser("redact", help="write a redacted copy of a recording")
    for command in (scan, redact):
        command.add_argument("--in", dest="source", type=Path, required=True, help="recording folder, file or *.jsonl")
    redact.add_argument("--out", type=Path, required=True, help="folder for the copy; it must be empty or new")
    redact.add_argument(
        "--format", choices=("markdown", "json", "jsonl"), default="markdown", help="of the copy's files"
    )
    explain = commands.add_parser("explain", help="say why each candidate is taken or left")
    explain.add_argument("text", metavar="TEXT|FILE", help="a text, a file's name, or - for standard input")
    for command in (scan, redact, explain):
        command.add_argument("--dlp-config", default="standard", metavar="ID|FILE", help="the rule (default: standard)")
        add_output_flag(command)


def run(args: argparse.Namespace) -> int:
    """Run the command and return the exit code."""
    try:
        return {"scan": _scan, "redact": _redact, "explain": _explain}[args.command](args)
    except ConfigError as error:
        return fail("; ".join(error.problems))
    except OSError as error:
        return fail(str(error))


def _redactor(name: str) -> Any:
    return rules.redactor(name, homes.folder(), files=True)


def _outcomes(args: argparse.Namespace, broken: list[dict[str, str]]) -> Iterator[Any]:
    """Yield (entry, outcome) of every pair that can be read; add the others to `broken`."""
    if not args.source.exists():
        raise ConfigError([f"{args.source}: no such file or folder; give a recording's folder or one of its files"])
    redactor = _redactor(args.dlp_config)
    progress = Progress("pairs")
    done = 0
    for entry in recording.read(args.source):
        if entry.pair is None:
            broken.append({"file": str(entry.path), "error": entry.error})
            continue
        yield entry, redactor.redact_pair(entry.pair)
        done += 1
        progress.update(done)
    progress.close()


def _scan(args: argparse.Namespace) -> int:
    kinds: Counter[str] = Counter()
    places: Counter[tuple[str, str]] = Counter()
    files: set[str] = set()
    broken: list[dict[str, str]] = []
    pairs = 0
    for entry, outcome in _outcomes(args, broken):
        pairs += 1
        for finding in outcome.findings:
            kinds[finding.kind] += 1
            places[(finding.kind, finding.place)] += 1
            files.add(str(entry.path))
    data = {
        "pairs": pairs,
        "findings": sum(kinds.values()),
        "files": len(files),
        "kinds": dict(kinds.most_common()),
        "places": [{"kind": k, "place": p, "count": n} for (k, p), n in places.most_common()],
        "broken": broken,
    }
    emit(args, data, _scan_text(data))
    return 1 if kinds or broken else 0


def _scan_text(data: dict[str, Any]) -> str:
    lines = [f"{data['pairs']} pairs, {data['findings']} findings in {data['files']} files"]
    lines += [f"  {n:>7}  {kind}" for kind, n in data["kinds"].items()]
    shown = data["places"][:_PLACES_SHOWN]
    if shown:
        lines += ["", "where:"] + [f"  {p['count']:>7}  {p['kind']:<16} {p['place']}" for p in shown]
    if len(data["places"]) > len(shown):
        lines.append(f"  … and {len(data['places']) - len(shown)} more places (-o json lists all)")
    return "\n".join(lines + _broken_lines(data["broken"]))


def _redact(args: argparse.Namespace) -> int:
    if args.out.exists() and (not args.out.is_dir() or any(args.out.iterdir())):
        return fail(f"{args.out}: is not an empty folder", "give another --out, so that nothing is mixed")
    kinds: Counter[str] = Counter()
    broken: list[dict[str, str]] = []
    pairs = changed = 0
    with recording.Writer(args.out, args.format) as writer:
        for _, outcome in _outcomes(args, broken):
            writer.write(outcome.pair)
            pairs += 1
            changed += outcome.modified
            kinds.update(f.kind for f in outcome.findings)
    data = {
        "pairs": pairs,
        "modified": changed,
        "kinds": dict(kinds.most_common()),
        "out": str(args.out),
        "broken": broken,
    }
    text = [f"{pairs} pairs written to {args.out}, {changed} of them redacted"]
    text += [f"  {n:>7}  {kind}" for kind, n in kinds.most_common()]
    emit(args, data, "\n".join(text + _broken_lines(broken)))
    return 1 if broken else 0


def _broken_lines(broken: list[dict[str, str]]) -> list[str]:
    return [f"left out, cannot be read: {b['file']}: {b['error']}" for b in broken]


def _explain(args: argparse.Namespace) -> int:
    redactor = _redactor(args.dlp_config)
    data = _input(args.text)
    redacted, findings = redactor.redact_text(data)
    candidates = redactor.explain(data)
    rows = [dataclasses.asdict(c) for c in candidates]
    fields = ("kind", "place", "length", "token", "detector", "why")
    taken = [{name: getattr(f, name) for name in fields} for f in findings]
    text = [_candidate(c) for c in candidates] or ["no candidate"]
    shown = redacted.decode("utf-8", "replace")
    emit(args, {"candidates": rows, "findings": taken, "redacted": shown}, "\n".join([*text, "", "result:", shown]))
    return 0


def _candidate(c: Any) -> str:
    verdict = "taken" if c.taken else "left"
    return f"{verdict:<6} {c.kind:<14} bytes {c.start}-{c.end} of {c.layer}: {c.why} ({c.detector})"


def _input(text: str) -> bytes:
    if text == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(text).read_bytes() if len(text) < 4096 and Path(text).is_file() else text.encode("utf-8")
    except (OSError, ValueError):
        return text.encode("utf-8")
