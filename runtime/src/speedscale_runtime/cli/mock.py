"""`speedctl mock`: recorded answers in place of the dependencies; alone, or around a command or test runner."""

from __future__ import annotations

import argparse
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from speedscale_runtime import home as homes
from speedscale_runtime.telemetry import statusfile
from speedscale_runtime.tls.authority import Authority
from speedscale_schemas.errors import ConfigError

from . import child
from .output import add_output_flag, counted, emit, fail

_EXAMPLES = """examples:
  speedctl mock --in ./recorded -- python app.py
  speedctl mock --in ./recorded --strict -- pytest tests/        fails when a call had no recorded answer
  speedctl mock --in ./recorded --on-miss record -- go test ./...
  speedctl mock --in ./recorded --proxy-out-port 4140            until Ctrl-C; point HTTP_PROXY at it

exit code: that of the command; 0 without one. With --strict 1 when a call had no recorded answer and the
command was content; 2 for an error in use.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.epilog = _EXAMPLES
    parser.usage = "speedctl mock --in DIR|SNAPSHOT [OPTIONS] [-- COMMAND …]"
    parser.add_argument("--in", dest="source", required=True, metavar="DIR|SNAPSHOT", help="recording or snapshot")
    parser.add_argument(
        "--out", type=Path, default=None, help="folder for mocks.jsonl (default: results/mocked-<time>)"
    )
    parser.add_argument("--no-out", action="store_true", help="write no results")
    parser.add_argument(
        "--proxy-out-port",
        type=int,
        default=None,
        metavar="N",
        help="port of the forward proxy; 0: any (default: any with a command, else 4140)",
    )
    parser.add_argument(
        "--http-port",
        type=int,
        default=-1,
        metavar="N",
        help="also take direct requests, plain or TLS, on this port; 0: any",
    )
    parser.add_argument(
        "--on-miss",
        choices=("safe", "fail", "passthrough", "record"),
        default="safe",
        help="a call without a recorded answer: safe (default) asks the real destination for GET and "
        "HEAD and answers 404 to the rest, fail answers 404, passthrough always asks, record also records",
    )
    parser.add_argument(
        "--record-to",
        type=Path,
        default=None,
        metavar="DIR",
        help="with --on-miss record: folder for new pairs (default: the recording itself)",
    )
    parser.add_argument("--no-passthrough", action="store_true", help="the same as --on-miss fail")
    parser.add_argument("--mock-timing", default="none", metavar="none|recorded|5x", help="when answers go out")
    parser.add_argument(
        "--response-selection",
        choices=("cycle", "round-robin", "stick", "miss", "random"),
        default="cycle",
        help="which of several answers to one request comes next",
    )
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="REGEX:ACTION=VALUE",
        help="inject a fault: rate=F/N, body=corrupt|truncate[:n], connection=refuse|reset|stall|drop, "
        "status=NNN, latency=NNms; may be given more than once",
    )
    parser.add_argument(
        "--mock",
        action="append",
        default=[],
        metavar="SELECTOR",
        help="mock only this: service:host:port, svc:…, host:… or glob:…; may be given more than once",
    )
    parser.add_argument("--transform-set", default="", metavar="FILE|ID", help="transform set with responder chains")
    parser.add_argument(
        "--dlp-config",
        default="standard",
        metavar="RULE",
        help="redaction of what is written about live calls, where the recording names no rule",
    )
    parser.add_argument("--strict", action="store_true", help="exit 1 when a call had no recorded answer")
    parser.add_argument("--status-file", type=Path, default=None, help="gets the ports as JSON once ready")
    parser.add_argument(
        "--log-level", default="warn", choices=("debug", "info", "warn", "error"), help="of the responder"
    )
    parser.add_argument(
        "command", nargs=argparse.REMAINDER, metavar="-- COMMAND", help="run with the proxy's environment"
    )
    add_output_flag(parser)


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    command = args.command[1:] if args.command[:1] == ["--"] else args.command
    work = Path(tempfile.mkdtemp(prefix="speedctl-mock-"))
    try:
        return _serve(args, command, work)
    except ConfigError as error:
        return fail("; ".join(error.problems))
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _serve(args: argparse.Namespace, command: list[str], work: Path) -> int:
    out = work / "results" if args.no_out else args.out or _default_out()
    status_file = work / "status.json"
    environment = _environment(args, out, status_file, bool(command))
    with child.service("responder", environment) as responder:
        status = child.wait_for_status(responder, status_file, "the responder")
        if args.status_file is not None:
            statusfile.write(args.status_file, status)
        if not status["mocks"] and args.on_miss not in ("passthrough", "record"):
            raise ConfigError([_nothing_to_serve(args.source, status)])
        _announce(args, status)
        if command:
            authority = Authority.load_or_create(homes.folder())
            code = child.run(command, child.proxy_environment(status["proxyPort"], authority))
        else:
            with child.Interrupt() as interrupt:
                child.watch(lambda: not responder.running, interrupt)
            code = 0 if responder.running else 2
        if responder.stop() != 0 and code == 0:
            code = 2  # it said why on stderr
    summary = _summary(out)
    data = {**summary, "exitCode": code, "results": None if args.no_out else str(out / "mocks.jsonl")}
    emit(args, data, _text(data))
    missed = summary["verdicts"].get("NO_MATCH", 0) + summary["verdicts"].get("PASSTHROUGH", 0)
    return 1 if args.strict and code == 0 and missed else code


def _environment(args: argparse.Namespace, out: Path, status_file: Path, has_command: bool) -> dict[str, str]:
    port = args.proxy_out_port if args.proxy_out_port is not None else (0 if has_command else 4140)
    return {
        "SNAPSHOT_ID": args.source,
        "SPEEDSCALE_HOME": str(homes.folder()),
        "PROXY_OUT_PORT": str(port),
        "SERVICE_HTTP_PORT": str(args.http_port),
        "ON_MISS": "fail" if args.no_passthrough else args.on_miss,
        "RESPONSE_TIMING": args.mock_timing,
        "RESPONSE_SELECTION": args.response_selection,
        "FAULTS": "\n".join(args.fault),
        "MOCKS": ",".join(args.mock),
        "TRANSFORM_SET": args.transform_set,
        "SPEEDSCALE_DLP_CONFIG": args.dlp_config,
        "RECORD_DIR": str(args.record_to or ""),
        "OUT_DIR": str(out),
        "STATUS_FILE": str(status_file),
        "LOG_LEVEL": args.log_level,
    }


def _nothing_to_serve(source: str, status: dict[str, Any]) -> str:
    why = [f"{n:,} {reason}" for reason, n in sorted(status["unservable"].items())]
    if status["skipped"]:
        why.append(f"{status['skipped']:,} skipped")
    reasons = f" ({', '.join(why)})" if why else ""
    return (
        f"{source}: holds no answer to serve{reasons}; mocks are pairs with direction OUT: "
        f"record an application that calls its dependencies through the proxy, or say --on-miss record"
    )


def _announce(args: argparse.Namespace, status: dict[str, Any]) -> None:
    import sys

    text = f"mocking {counted(status['mocks'], 'recorded answer')}; proxy on 127.0.0.1:{status['proxyPort']}"
    if "httpPort" in status:
        text += f", direct on 127.0.0.1:{status['httpPort']}"
    if status["unservable"]:
        counts = ", ".join(f"{n} {why}" for why, n in sorted(status["unservable"].items()))
        text += f"; not servable: {counts}"
    if status["skipped"]:
        text += f"; {status['skipped']} pairs skipped (speedctl snapshot show {args.source} lists them)"
    print(text, file=sys.stderr)


def _summary(out: Path) -> dict[str, Any]:
    """Read the counts, the misses and the unused mocks out of mocks.jsonl."""
    missed: dict[str, dict[str, Any]] = {}
    unused: list[str] = []
    end: dict[str, Any] = {"requests": 0, "verdicts": {}, "mocks": 0, "unused": 0}
    try:
        with (out / "mocks.jsonl").open("rb") as lines:
            for raw in lines:
                line = orjson.loads(raw)
                name = f"{line.get('command')} {line.get('host')}{line.get('location')}"
                if line["type"] == "end":
                    end = line
                elif line["type"] == "unused":
                    unused.append(name)
                elif line["type"] == "mock" and line["verdict"] != "MATCH":
                    entry = missed.setdefault(name, {"request": name, "verdict": line["verdict"], "count": 0})
                    entry["count"] += 1
                    entry.setdefault("nearest", (line.get("nearest") or [None])[0])
    except (OSError, orjson.JSONDecodeError) as error:
        raise ConfigError([f"{out / 'mocks.jsonl'}: the responder left no results: {error}"]) from error
    counts = {key: end.get(key) for key in ("requests", "verdicts", "reasons", "faults", "matchPct", "mocks", "unused")}
    return {**counts, "missed": list(missed.values()), "unusedMocks": unused}


def _text(data: dict[str, Any]) -> str:
    verdicts = data["verdicts"]
    rate = "" if data["matchPct"] is None else f" ({data['matchPct']:g} % matched)"
    lines = [
        f"{counted(data['requests'], 'call')}{rate}: {verdicts.get('MATCH', 0):,} from the recording, "
        f"{verdicts.get('PASSTHROUGH', 0):,} passed through, {verdicts.get('NO_MATCH', 0):,} without an answer"
    ]
    if data["faults"]:
        lines.append("faults: " + ", ".join(f"{n:,} {name}" for name, n in data["faults"].items()))
    for entry in data["missed"][:10]:
        lines.append(f"  {entry['verdict']} {entry['count']:,}x {entry['request']}")
        near = entry["nearest"]
        for d in (near or {}).get("differences", [])[:3]:
            place = d["path"] or d["key"]
            lines.append(f"      {place}: asked {_shown(d['asked'])}, nearest recording {_shown(d['recorded'])}")
    lines.append(f"{data['unused']:,} of {data['mocks']:,} mocks were never used")
    lines += [f"  {name}" for name in data["unusedMocks"][:10]]
    if len(data["unusedMocks"]) > 10:
        lines.append(f"  … and {len(data['unusedMocks']) - 10:,} more")
    if data["results"]:
        lines.append(f"results: {data['results']}")
    return "\n".join(lines)


def _shown(value: object) -> str:
    return "without it" if value is None else repr(value)


def _default_out() -> Path:
    stamp = datetime.now(UTC).strftime("%Y-%m-%d_%H-%M-%S.%fZ")
    return Path("results") / f"mocked-{stamp}"
