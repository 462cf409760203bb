"""`speedctl dlp`: find, redact and explain personal data in recordings; show what a rule leaves, and tighten it.

Called by the root command. The engine is the forwarder's; keys are those of SPEEDSCALE_HOME, so that tokens agree
with what was recorded here. Values that are taken out are never printed, but by `reveal --show`. `explain` is in
`dlp_explain`, what concerns coverage in `dlp_coverage`.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from speedscale_runtime.rrpair import recording
from speedscale_schemas.errors import ConfigError

from . import dlp_coverage, dlp_explain, dlp_reveal, documents
from .output import Progress, add_output_flag, emit, fail

_EPILOG = """examples:
  speedctl dlp scan --in recorded-2026-06-12                     what the rule standard would take out
  speedctl dlp scan --in recorded-2026-06-12 -o json | jq .kinds
  speedctl dlp redact --in recorded-2026-06-12 --out redacted    a redacted copy of the recording
  speedctl dlp redact --in raw --out redacted --dlp-config my-rule.yaml
  speedctl dlp redact --in raw --dry-run                         the same without writing anything
  speedctl dlp explain 'card 4111 1111 1111 1111, order 4111111111111112'
  speedctl dlp explain body.json
  speedctl dlp explain recorded-2026-06-12                       each decision over each pair
  speedctl dlp coverage recorded-2026-06-12                      fields never redacted that look personal
  speedctl dlp recommend recorded-2026-06-12 --out proposed.yaml
  speedctl dlp accept proposed.yaml --into my-rule.yaml          a new file begins as a copy of the rule
  speedctl dlp accept proposed.yaml --into values.yaml --at rules.dlp.my-rule
  speedctl dlp reveal body.json --key-file dlp-keys.json --out plain.json

A rule is a built-in one (standard), a JSON or YAML file, or an id in $SPEEDSCALE_HOME/data/dlp/<id>.json.
Tokens are made with the key in $SPEEDSCALE_HOME/dlp-keys.json, which is made when it is missing.

exit codes: 0 nothing found (scan, coverage), or done; 1 something was found (scan, coverage), files were broken, or
tokens are left (reveal);
2 error in use
"""
_PLACES_SHOWN = 20


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.epilog = _EPILOG
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    scan = commands.add_parser(
        "scan", aliases=["test"], help="count what would be redacted, by kind and place; change nothing"
    )
    redact = commands.add_parser("redact", aliases=["apply"], help="write a redacted copy of a recording")
    for command in (scan, redact):
        command.add_argument("--in", dest="source", type=Path, required=True, help="recording folder, file or *.jsonl")
    redact.add_argument("--out", type=Path, help="folder for the copy; it must be empty or new")
    redact.add_argument("--dry-run", action="store_true", help="say what would be redacted and write nothing")
    redact.add_argument(
        "--format", choices=("markdown", "json", "jsonl"), default="markdown", help="of the copy's files"
    )
    explain = commands.add_parser("explain", help="say why each candidate is taken or left")
    dlp_explain.configure(explain)
    coverage = commands.add_parser("coverage", help="show fields never redacted that look personal")
    recommend = commands.add_parser("recommend", help="propose changes of a rule for such fields, as a file to review")
    dlp_coverage.configure(coverage, recommend)
    for command in (scan, redact, explain, coverage, recommend):
        command.add_argument("--dlp-config", default="standard", metavar="ID|FILE", help="the rule (default: standard)")
        add_output_flag(command)
    accept = commands.add_parser("accept", help="write what was proposed into a rule")
    dlp_coverage.configure_accept(accept)
    add_output_flag(accept)
    reveal = commands.add_parser("reveal", help="undo reversible tokens with the key that made them")
    dlp_reveal.configure(reveal)
    add_output_flag(reveal)
    for command, function in (
        (scan, _scan),
        (redact, _redact),
        (explain, dlp_explain.run),
        (coverage, dlp_coverage.run_coverage),
        (recommend, dlp_coverage.run_recommend),
        (accept, dlp_coverage.run_accept),
        (reveal, dlp_reveal.run),
    ):
        command.set_defaults(function=function)


def run(args: argparse.Namespace) -> int:
    """Run the command and return the exit code."""
    try:
        return int(args.function(args))
    except ConfigError as error:
        return fail("; ".join(error.problems))
    except OSError as error:
        return fail(str(error))


def _outcomes(args: argparse.Namespace, broken: list[dict[str, str]]) -> Iterator[Any]:
    """Yield (entry, outcome) of every pair that can be read; add the others to `broken`."""
    redactor = documents.redactor(args.dlp_config)
    progress = Progress("pairs")
    done = 0
    for entry in dlp_explain.entries(args.source):
        if entry.pair is None:
            broken.append({"file": str(entry.path), "error": entry.error})
            continue
        yield entry, redactor.redact_pair(entry.pair)
        done += 1
        progress.update(done)
    progress.close()


def _scan(args: argparse.Namespace) -> int:
    places: Counter[tuple[str, str, str]] = Counter()
    files: set[str] = set()
    broken: list[dict[str, str]] = []
    pairs = 0
    for entry, outcome in _outcomes(args, broken):
        pairs += 1
        for finding in outcome.findings:
            places[(finding.kind, finding.detector, finding.place)] += 1
            files.add(str(entry.path))
    kinds: Counter[str] = Counter()
    detectors: Counter[str] = Counter()
    for (kind, detector, _), n in places.items():
        kinds[kind] += n
        detectors[detector] += n
    data = {
        "rule": args.dlp_config,
        "pairs": pairs,
        "findings": sum(kinds.values()),
        "files": len(files),
        "kinds": dict(_ranked(kinds)),
        "detectors": dict(_ranked(detectors)),
        "places": [{"kind": k, "detector": d, "place": p, "count": n} for (k, d, p), n in _ranked(places)],
        "broken": broken,
    }
    emit(args, data, _scan_text(data))
    return 1 if kinds or broken else 0


def _ranked(counted: Counter[Any]) -> list[tuple[Any, int]]:
    """Return what was counted, most first, equal numbers by name: the same recording prints the same report."""
    return sorted(counted.items(), key=lambda item: (-item[1], item[0]))


def _scan_text(data: dict[str, Any]) -> str:
    lines = [f"{data['pairs']} pairs, {data['findings']} findings in {data['files']} files"]
    lines += [f"  {n:>7}  {kind}" for kind, n in data["kinds"].items()]
    shown = data["places"][:_PLACES_SHOWN]
    if shown:
        lines += ["", "where:"]
        lines += [f"  {p['count']:>7}  {p['kind']:<16} {p['place']}  ({p['detector']})" for p in shown]
    if len(data["places"]) > len(shown):
        lines.append(f"  … and {len(data['places']) - len(shown)} more places (-o json lists all)")
    return "\n".join(lines + _broken_lines(data["broken"]))


def _redact(args: argparse.Namespace) -> int:
    kinds: Counter[str] = Counter()
    broken: list[dict[str, str]] = []
    pairs = changed = 0
    with _writer(args) as write:
        for _, outcome in _outcomes(args, broken):
            write(outcome.pair)
            pairs += 1
            changed += outcome.modified
            kinds.update(outcome.kinds)
    data = {
        "pairs": pairs,
        "modified": changed,
        "kinds": dict(_ranked(kinds)),
        "out": "" if args.dry_run else str(args.out),
        "dryRun": args.dry_run,
        "broken": broken,
    }
    done = f"{pairs} pairs read, {changed} would be redacted; nothing was written"
    text = [done if args.dry_run else f"{pairs} pairs written to {args.out}, {changed} of them redacted"]
    text += [f"  {n:>7}  {kind}" for kind, n in _ranked(kinds)]
    emit(args, data, "\n".join(text + _broken_lines(broken)))
    return 1 if broken else 0


class _writer:
    """The recording that is written to, or nothing; ConfigError where its folder is not fit."""

    def __init__(self, args: argparse.Namespace) -> None:
        self._writer: recording.Writer | None = None
        if args.dry_run:
            return
        if args.out is None:
            raise ConfigError(["redact: --out is missing; name an empty or new folder, or look first with --dry-run"])
        if args.out.exists() and (not args.out.is_dir() or any(args.out.iterdir())):
            raise ConfigError([f"{args.out}: is not an empty folder; give another --out, so that nothing is mixed"])
        if args.source.is_dir() and args.source.resolve() in (args.out.resolve(), *args.out.resolve().parents):
            raise ConfigError([f"{args.out}: lies in {args.source}; give another --out, so that nothing is mixed"])
        self._writer = recording.Writer(args.out, args.format)

    def __enter__(self) -> Any:
        return self._writer.write if self._writer is not None else lambda pair: None

    def __exit__(self, *exc: object) -> None:
        if self._writer is not None:
            self._writer.close()


def _broken_lines(broken: list[dict[str, str]]) -> list[str]:
    return [f"left out, cannot be read: {b['file']}: {b['error']}" for b in broken]
