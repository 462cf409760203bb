"""`speedctl replay`: send recorded requests to an application and report what changed.

The generator runs as a child process; the report is built from the results file that it leaves.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from speedscale_runtime import home as homes
from speedscale_runtime import report, snapshot
from speedscale_runtime.generator.targets import parse_overrides
from speedscale_runtime.report import goals
from speedscale_runtime.report.model import EXIT_CODES
from speedscale_schemas.errors import ConfigError

from . import child
from .output import Progress, add_output_flag, emit, fail
from .replay_config import config_of

_EXAMPLES = """examples:
  speedctl replay --in ./recorded --test-against http://localhost:8080
  speedctl replay --in ./recorded --test-against :9090 --fail-if "latency.p95 > 200"
  speedctl replay --in ./recorded --test-against api=http://localhost:8080 --test-against web=:8081
  speedctl replay --in ./recorded --test-against :8080 --load-test --vus 32 --for 30s
  speedctl replay --in ./recorded --test-against :8080 --load-test --stage vus=10,for=30s --stage rps=500,for=1m

exit code: 0 passed, 1 goals missed or stopped before the end, 2 error in use or no answer at all.
"""

_FILES: tuple[tuple[report.Format, str], ...] = (
    ("html", "report.html"),
    ("json", "report.json"),
    ("junit", "report.xml"),
    ("markdown", "report.md"),
)
_POLL_S = 0.1
_STOP_S = 30.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.epilog = _EXAMPLES
    parser.usage = "speedctl replay --in DIR|SNAPSHOT --test-against [SVC=]URL [OPTIONS]"
    parser.add_argument("--in", dest="source", required=True, metavar="DIR|SNAPSHOT", help="recording or snapshot")
    parser.add_argument(
        "--test-against",
        action="append",
        default=[],
        metavar="[SVC=]URL",
        help="where requests go instead; scheme, host and port are replaced independently, so :8080 will do; "
        "may be given more than once",
    )
    parser.add_argument(
        "--out", type=Path, default=None, help="folder for results and report (default: results/replayed-<time>)"
    )
    parser.add_argument("--no-out", action="store_true", help="write nothing, only print the summary")
    parser.add_argument("-f", "--for", dest="duration", default="", metavar="D", help="keep replaying for 30s, 5m, …")
    parser.add_argument(
        "-n", "--times", type=int, default=None, metavar="N", help="replay the recording N times for each vUser"
    )
    parser.add_argument(
        "-u", "--vus", type=int, default=None, metavar="N", help="virtual users (default: the config's)"
    )
    parser.add_argument("--sessions", action="store_true", help="give each vUser one recorded session, not all of them")
    parser.add_argument(
        "--stage",
        action="append",
        default=[],
        metavar="vus=N,for=D,ramp=D",
        help="one stage of load, also rps=N,for=D,ramp=D,vus=N; may be given more than once",
    )
    parser.add_argument(
        "--load-test", "--performance", action="store_true", help="full speed, counters only, no comparison of answers"
    )
    parser.add_argument(
        "--timing",
        default="",
        metavar="recorded|full-speed|2x",
        help="think time between requests (default: the config's)",
    )
    parser.add_argument(
        "--rewrite-host", action="store_true", help="send the target's name as Host instead of the recorded one"
    )
    parser.add_argument(
        "--fail-if",
        action="append",
        default=[],
        metavar="EXPR",
        help='for example "latency.p99 > 200"; may be repeated',
    )
    parser.add_argument("--test-config", default="standard", metavar="ID|FILE", help="test config (default: standard)")
    parser.add_argument(
        "--transform-set", default="", metavar="FILE", help="transform set or blueprint to apply to what is sent"
    )
    parser.add_argument("--build-tag", default="", metavar="TAG", help="version of the application, for the report")
    parser.add_argument("--mocks", type=Path, default=None, metavar="MOCKS.jsonl", help="what mocks answered meanwhile")
    parser.add_argument("--timeout", default="", metavar="D", help="stop the whole run after this long")
    parser.add_argument("--seed", type=int, default=-1, metavar="N", help="seed of every random choice")
    parser.add_argument(
        "--processes", type=int, default=0, metavar="N", help="processes that send (default: as needed)"
    )
    parser.add_argument("--ca", default="", metavar="FILE", help="certificates to trust when a target speaks TLS")
    parser.add_argument("--insecure", action="store_true", help="accept any certificate of a target")
    parser.add_argument("--readiness-url", default="", metavar="URL", help="wait until this answers before starting")
    parser.add_argument(
        "--log-level", default="warn", choices=("debug", "info", "warn", "error"), help="of the generator"
    )
    add_output_flag(parser)


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    work = Path(tempfile.mkdtemp(prefix="speedctl-replay-"))
    try:
        return _replay(args, work)
    except ConfigError as error:
        return fail("\n  ".join(error.problems))
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _replay(args: argparse.Namespace, work: Path) -> int:
    home = homes.folder()
    source = snapshot.resolve(args.source, home)
    config = config_of(args, home, source)
    for expression in args.fail_if:
        goals.parse(expression)
    parse_overrides(args.test_against)
    if args.mocks is not None and not args.mocks.is_file():
        raise ConfigError([f"--mocks {args.mocks}: no such file"])
    if args.ca and not Path(args.ca).is_file():
        raise ConfigError([f"--ca {args.ca}: no such file"])
    out = work / "results" if args.no_out else args.out or _default_out()
    out.mkdir(parents=True, exist_ok=True)
    results = out / "results.jsonl"
    results.unlink(missing_ok=True)
    config_file = work / "testconfig.json"
    config_file.write_text(json.dumps(config), "utf-8")
    code = _generate(_environment(args, source, results, config_file, work), work / "progress.json")
    if not results.exists():
        return fail(f"the generator ended with code {code} and left no results", "its messages stand above")
    return _report(args, out, results)


def _environment(
    args: argparse.Namespace, source: Path, results: Path, config_file: Path, work: Path
) -> dict[str, str]:
    environment = {
        "SNAPSHOT_ID": str(source),
        "TEST_CONFIG_ID": str(config_file),
        "CUSTOM_URL": ",".join(args.test_against),
        "BUILD_TAG": args.build_tag,
        "RESULTS_FILE": str(results),
        "PROGRESS_FILE": str(work / "progress.json"),
        "LOCAL_REPLAY_MODE": "true",
        "TIMEOUT": args.timeout,
        "SEED": str(args.seed),
        "PROCESSES": str(args.processes),
        "TLS_CA_FILE": args.ca,
        "TLS_SKIP_VERIFY": "true" if args.insecure else "false",
        "READINESS_URL": args.readiness_url,
        "LOG_LEVEL": args.log_level,
    }
    if args.rewrite_host:
        environment["REWRITE_HOST"] = "true"
    return environment


def _generate(environment: dict[str, str], progress_file: Path) -> int:
    """Run the generator to its end, or until the first Ctrl-C, which stops it cleanly."""
    progress: Progress | None = None
    with child.Interrupt() as interrupt, child.service("generator", environment) as process:
        while process.running and not interrupt.seen:
            time.sleep(_POLL_S)
            state = _state(progress_file)
            if state is None:
                continue
            by_time = state["totalSeconds"] > 0
            if progress is None:
                total = int(state["totalSeconds"]) if by_time else state["totalRequests"] or None
                progress = Progress("seconds" if by_time else "requests", total)
            progress.update(int(state["seconds"]) if by_time else state["requests"])
        code = process.stop(_STOP_S) if process.running else int(process.process.returncode)
    if progress is not None:
        progress.close()
    return code


def _state(path: Path) -> dict[str, Any] | None:
    try:
        state: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return state


def _report(args: argparse.Namespace, out: Path, results: Path) -> int:
    made = report.build(results, args.mocks)
    wanted = tuple(report.fail_if(made, expression) for expression in args.fail_if)
    if wanted:
        made = report.with_goals(made, wanted)
    if not args.no_out:
        for form, name in _FILES:
            (out / name).write_bytes(report.render(made, form))
    document = json.loads(report.render(made, "json"))
    emit(args, document, _summary(made, None if args.no_out else out))
    return EXIT_CODES[made.status]


def _summary(made: report.Report, out: Path | None) -> str:
    requests, latency = made.requests, made.latency
    lines = [f"{made.status}: {made.reason}" if made.reason else made.status]
    lines.append(f"  requests  {requests.total:,}, {requests.failed:,} without an answer, {requests.per_second:,.1f}/s")
    if requests.compared:
        lines.append(f"  answers   {requests.matched:,} of {requests.compared:,} as recorded")
    if latency.count:
        lines.append(f"  latency   p50 {latency.p50:.1f} ms, p95 {latency.p95:.1f} ms, p99 {latency.p99:.1f} ms")
    for goal in made.goals:
        note = f" ({goal.reason})" if goal.reason else ""
        lines.append(f"  {goal.status}      {goal.command}: {goal.actual}, wanted {goal.expected}{note}")
    lines += [f"  {notice}" for notice in made.notifications]
    if out is not None:
        lines.append(f"  report    {out / 'report.html'}")
    return "\n".join(lines)


def _default_out() -> Path:
    return Path("results") / f"replayed-{datetime.now(UTC):%Y-%m-%d_%H-%M-%S.%fZ}"
