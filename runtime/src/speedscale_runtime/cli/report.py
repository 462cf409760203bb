"""`speedctl report`: write the report of a replay again, in any format, and say whether it passed.

The report is a pure function of the results file: running this on another day gives the same bytes. `write_all` and
`summary` are also what `speedctl replay` ends with.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from speedscale_runtime import report as reports
from speedscale_runtime.cli.output import add_output_flag, emit, fail
from speedscale_runtime.report.render import FILE_NAMES, FORMATS, Format, words
from speedscale_runtime.report.render.document import as_json
from speedscale_schemas.errors import ConfigError

_EXAMPLES = """\
examples:
  speedctl report --in results/replayed-2026-01-03
  speedctl report --in results/replayed-2026-01-03 --format html,junit --out public
  speedctl report --in results.jsonl --fail-if 'latency.p99 > 200' --fail-if 'requests.result-match-pct < 99'

exit code: 0 passed, 1 missed goals or canceled, 2 error

A run passes when its goals are met: those of its test config, or, where it has none, that every assertion passes.
--fail-if adds goals; METRIC OPERATOR NUMBER states what fails. Metrics: latency.{avg,min,max,p50,p75,p90,p95,p99} in
ms, requests.{total,succeeded,failed,per-second,per-minute,response-pct,result-match-pct}, passAssertPct.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.epilog = _EXAMPLES
    parser.add_argument(
        "--in", dest="source", required=True, metavar="DIR", help="folder of a replay, or its results.jsonl"
    )
    parser.add_argument("--out", metavar="DIR", help="where the report is written (default: the folder of the results)")
    parser.add_argument(
        "--format",
        default="html,json,junit,markdown",
        metavar="LIST",
        help=f"comma-separated: {', '.join(FORMATS)} (default: all)",
    )
    parser.add_argument(
        "--fail-if", action="append", default=[], metavar="EXPR", help="a goal; may be given repeatedly"
    )
    parser.add_argument(
        "--mocks", metavar="FILE", help="mocks.jsonl of the responder (default: the one beside the results)"
    )
    add_output_flag(parser)


def run(args: argparse.Namespace) -> int:
    """Build, write, print; return the report's exit code, or 2 when it could not be built."""
    source = Path(args.source)
    try:
        forms = formats(args.format)
        report = reports.build(source, Path(args.mocks) if args.mocks else None)
        report = reports.with_goals(report, tuple(reports.fail_if(report, text) for text in args.fail_if))
        written = write_all(report, Path(args.out) if args.out else source if source.is_dir() else source.parent, forms)
    except ConfigError as error:
        return fail("\n  ".join(error.problems))
    except OSError as error:
        return fail(f"{error.filename or source}: {error.strerror}", "check the path and its permissions")
    emit(args, {**digest(report), "files": [str(path) for path in written]}, summary(report, written))
    return report.exit_code


def formats(text: str) -> list[Format]:
    """Read a comma-separated list of formats; ConfigError names an unknown one."""
    wanted = [part.strip().lower() for part in text.split(",") if part.strip()]
    unknown = [name for name in wanted if name not in FORMATS]
    if unknown or not wanted:
        named = f"unknown format {unknown[0]!r}" if unknown else "no format"
        raise ConfigError([f"--format: {named}; there are {', '.join(FORMATS)}"])
    return [form for form in FORMATS if form in wanted]


def write_all(report: reports.Report, folder: Path, forms: Sequence[Format]) -> list[Path]:
    """Write the report in each format into a folder (made if absent); return the files. OSError when it cannot."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for form in forms:
        path = folder / FILE_NAMES[form]
        path.write_bytes(reports.render(report, form))
        written.append(path)
    return written


def digest(report: reports.Report) -> dict[str, object]:
    """Return what a script wants to know, in the report's own names."""
    wanted = ("id", "status", "reason", "successRate", "goals", "requests", "latency", "recordedLatency", "load")
    everything = as_json(report)
    return {key: everything[key] for key in wanted} | {"exitCode": report.exit_code}


def summary(report: reports.Report, written: Sequence[Path]) -> str:
    """Return the verdict, the goals, the worst endpoints and the files as text."""
    r = report.requests
    lines = [
        f"{report.status}: {report.reason}",
        "",
        f"{words.headline(report)}, {words.pct(r.result_match_pct)} match",
    ]
    if report.latency.count:
        recorded = report.recorded_latency
        beside = f" (recorded {words.ms(recorded.p50)}, {words.ms(recorded.p99)})" if recorded.count else ""
        lines.append(f"latency p50 {words.ms(report.latency.p50)}, p99 {words.ms(report.latency.p99)}{beside}")
    if report.mocks is not None and report.mocks.total:
        lines.append(f"mocks: {words.mocked(report.mocks)}")
    lines.append("")
    for goal in report.goals:
        mark = "met   " if goal.status == "PASS" else "MISSED"
        lines.append(f"  {mark}  {goal.command}: {goal.actual}, wanted {goal.expected}")
    failing = [e for e in report.endpoints if e.requests.matched < e.requests.compared][:10]
    if failing:
        lines += ["", "endpoints that differ:"]
        width = min(60, max(len(e.name) for e in failing))
        for e in failing:
            wrong = e.requests.compared - e.requests.matched
            lines.append(f"  {e.name:<{width}}  {wrong:,} of {e.requests.compared:,}")
    lines += [f"note: {note}" for note in report.notifications]
    lines += ["", *(str(path) for path in written)]
    return "\n".join(lines)
