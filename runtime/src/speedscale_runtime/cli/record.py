"""`speedctl record`: proxy and forwarder around an application, until Ctrl-C, a time limit, or the command's end.

Starts the same two services that run in a cluster, on loopback; nothing unredacted is written (docs/adr/0003). At the
end the application is stopped first, then the proxy hands over what it holds, then the forwarder writes what it has.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import signal
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from speedscale_runtime import home as homes
from speedscale_runtime.rrpair import recording
from speedscale_runtime.telemetry import statusfile
from speedscale_runtime.tls.authority import Authority
from speedscale_schemas.errors import ConfigError

from . import child, units
from .keeper import Keeper
from .output import Progress, add_output_flag, counted, emit, fail
from .trouble import Trouble

_SPILL_BYTES = 4 << 30
_CATCH_UP_S = 3600
_SPOOL = ".spool"
_LOOK_S = 2.0

_WHY = {
    "client_rejects": "; a client does not trust the CA: `speedctl certs` prints the variables and files for it",
    "not_http": "; another protocol: addresses and sizes are recorded",
    "upgraded": "; WebSocket or another upgrade: the handshake is recorded",
    "worker_restarting": "; passed on while the proxy's worker was started again",
    "upstream_unverified": "; the server's certificate is not trusted: name its CA in SSL_CERT_FILE",
    "client_certificate": "; the server asks for a client certificate",
    "no_http1_alpn": "; the client speaks HTTP/2 only",
    "tls_not_intercepted": "; TLS, and --no-tls was given",
}
"""What a reason for not looking into a connection means to the user; a reason without an entry speaks for itself."""

_WHY_REFUSED = {
    "connect_failed": "; the application (--app-host, --app-port) or a dependency does not listen where it was called",
    "loop": "; the destination was this proxy itself: is --app-port the application's own port?",
}

_EPILOG = """examples:
  speedctl record --app-port 8080 --out recording -- ./my-app
      starts ./my-app with its outbound calls going through port 4140; send your requests to port 4143
  speedctl record --app-port 8080 --timeout 5m
      the application runs already; set HTTP_PROXY, HTTPS_PROXY and `speedctl certs` in its environment yourself
  speedctl record --app-port 8080 --filter-rule none --out-format jsonl -- npm start

exit codes: 0 recorded; the command's own when it ended by itself with another; 2 could not record"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    add = parser.add_argument
    add("--app-host", default="127.0.0.1", help="where the application listens (default: 127.0.0.1)")
    add("--app-port", type=int, default=8080, help="the application's port (default: 8080)")
    add("--proxy-in-port", type=int, default=4143, help="requests to the application go here (default: 4143; 0 any)")
    add("--proxy-out-port", type=int, default=4140, help="its own calls go here (default: 4140; 0 any free port)")
    add("--out", type=Path, help="folder of the recording (default: proxymock/recorded-<time>)")
    add("--out-format", choices=("markdown", "json", "jsonl"), default="markdown", help="how pairs are written")
    add("--svc-name", default="my-app", help="name of the service in the recording (default: my-app)")
    add("--timeout", type=units.seconds, default=units.seconds("12h"), help="longest recording (default: 12h)")
    add("--filter-rule", default="standard", help="pairs that it matches are left out; `none` keeps all")
    add("--dlp-config", default="standard", help="redaction rule; `none` records secrets as they are")
    add("--max-body", type=units.size, default=units.size("8MiB"), help="longest body kept (default: 8MiB)")
    add("--no-tls", action="store_true", help="do not look into outbound TLS; record names and sizes only")
    add("--status-file", type=Path, help="write ports and process ids here, as JSON, when ready")
    add("--log-to", type=Path, help="file for the services' own logs (default: <out>/.logs/)")
    add("command", nargs="*", metavar="-- CMD", help="start this application and stop when it ends")
    add_output_flag(parser)
    parser.epilog = _EPILOG


def run(args: argparse.Namespace) -> int:
    """Record; return the exit code."""
    out = args.out or Path("proxymock") / f"recorded-{datetime.now(UTC):%Y-%m-%d_%H-%M-%S.%fZ}"
    try:
        out.mkdir(parents=True, exist_ok=True)
        with _Recording(args, out) as session, child.Interrupt() as interrupt:
            code = session.run(interrupt)
            summary = session.finish()
            problem = session.problem
    except ConfigError as error:
        return fail("; ".join(error.problems), "the services' logs are in " + str(_logs(args, out)))
    except OSError as error:
        return fail(f"{error.filename or out}: {error.strerror}")
    emit(args, summary, _text(summary))
    return fail(problem, "the services' logs are in " + str(_logs(args, out))) if problem else code


class _Recording:
    """The services of one recording, started in `__init__`, gone after `__exit__`."""

    def __init__(self, args: argparse.Namespace, out: Path) -> None:
        self.args, self.out = args, out
        self.home = homes.folder()
        self.authority = Authority.load_or_create(self.home)
        self._stack = contextlib.ExitStack()
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="speedscale-")))
        self._logs = _logs(args, out)
        self._logs.mkdir(parents=True, exist_ok=True)
        self.problem = ""  # why the recording ended before its time, or is not whole
        self._trouble = Trouble()
        self._looked_at = time.monotonic()

    def __enter__(self) -> _Recording:
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start(self) -> None:
        args = self.args
        self.forwarder = Keeper(self._stack, self._forwarder_environment, self._folder, self._logs / "forwarder.log")
        status = self._folder / "goproxy.json"
        self.proxy = self._stack.enter_context(
            child.service(
                "proxy",
                self._proxy_environment(status),
                log=self._logs / "goproxy.log",
                orphaned=signal.SIGKILL,  # asked politely it would wait for a forwarder that has ended
            )
        )
        self.ports = child.wait_for_status(self.proxy, status, "the proxy")
        self.ready = {
            **self.ports,
            "forwarderPort": self.forwarder.port,
            "forwarderPid": self.forwarder.document["pid"],
            "out": str(self.out),
        }
        if args.status_file:
            statusfile.write(args.status_file, self.ready)

    def _forwarder_environment(self, status: Path, port: int) -> dict[str, str]:
        args = self.args
        exporter = {"type": "files", "path": str(self.out.absolute()), "format": args.out_format}
        redacting = args.dlp_config != "none"
        return {
            "FORWARDER_HOST": "127.0.0.1",
            "FORWARDER_PORT": str(port),
            "METRICS_HTTP_PORT": "0",
            "STATUS_FILE": str(status),
            "SPEEDSCALE_HOME": str(self.home),
            "SPEEDSCALE_FILTER_RULE": "" if args.filter_rule == "none" else args.filter_rule,
            "SPEEDSCALE_DLP_CONFIG": args.dlp_config if redacting else "standard",
            "WITH_DLP": str(redacting).lower(),
            "SPOOL_DIR": str((self.out / _SPOOL).absolute()),
            "SPOOL_MAX_BYTES": str(2 * _SPILL_BYTES),
            "DRAIN_TIMEOUT_S": str(_CATCH_UP_S),
            "EXPORTERS": json.dumps({"recording": exporter}),
        }

    def _proxy_environment(self, status: Path) -> dict[str, str]:
        args = self.args
        return {
            "PROXY_TYPE": "dual",
            "PROXY_IN_HOST": "127.0.0.1",
            "PROXY_IN_PORT": str(args.proxy_in_port),
            "PROXY_OUT_HOST": "127.0.0.1",
            "PROXY_OUT_PORT": str(args.proxy_out_port),
            "REVERSE_PROXY_HOST": args.app_host,
            "REVERSE_PROXY_PORT": str(args.app_port),
            "HEALTH_HOST": "127.0.0.1",
            "HEALTH_PORT": "0",
            "METRICS_HTTP_PORT": "0",
            "SERVICE_NAME": args.svc_name,
            "FORWARDER_ADDR": f"127.0.0.1:{self.forwarder.port}",
            "TLS_OUT_UNWRAP": str(not args.no_tls).lower(),
            "SPEEDSCALE_HOME": str(self.home),
            "MAX_BODY_BYTES": str(args.max_body),
            "QUEUE_MAX_BYTES": str(64 << 20),
            "SPILL_MAX_BYTES": str(_SPILL_BYTES),
            "DRAIN_TIMEOUT_S": "2",
            "FLUSH_TIMEOUT_S": str(_CATCH_UP_S),
            "STATUS_FILE": str(status),
            "STATS_FILE": str(self._folder / "stats.json"),
        }

    def run(self, interrupt: child.Interrupt) -> int:
        """Record until the command ends, a signal comes or the time is over; return the exit code so far."""
        self._say()
        if not self.args.command:
            self._watch(lambda: False, interrupt)
            return 0
        environment = child.proxy_environment(self.ports["outPort"], self.authority)
        with child.Child(self.args.command, environment) as application:
            self._watch(lambda: not application.running, interrupt)
            ended = not application.running
            code = application.stop()
        return (128 - code if code < 0 else code) if ended else 0

    def _watch(self, done: Callable[[], bool], interrupt: child.Interrupt) -> None:
        def over() -> bool:
            if time.monotonic() - self._looked_at > _LOOK_S:
                self._looked_at = time.monotonic()
                self._status()
            return done() or not self.proxy.running or not self.forwarder.keep()

        child.watch(over, interrupt, self.args.timeout)
        for service, name in ((self.proxy, "the proxy"), (self.forwarder.process, "the forwarder")):
            if not service.running and not interrupt.seen:
                self.problem = f"{name} ended with code {service.process.returncode} while recording"

    def finish(self) -> dict[str, Any]:
        """Let the proxy hand over and the forwarder write what they hold; return the summary.

        Ctrl-C gives up what is not handed over or written by then; what was handed over stays in the spool.
        """
        with child.Interrupt() as impatient:
            return self._finish(impatient)

    def _finish(self, impatient: child.Interrupt) -> dict[str, Any]:
        self.proxy.terminate()
        progress = Progress("handing over pairs")
        child.watch(lambda: self._step(progress, lambda s: s["received"]["pairs"], self.proxy), impatient)
        self.proxy.stop()
        stats = statusfile.read(self._folder / "stats.json")
        progress.close()
        last = self._status() or {}
        progress = Progress("writing pairs", last.get("stored", {}).get("pairs"))

        def written() -> bool:
            nonlocal last
            last = self._status() or last
            progress.update(_exported(last))
            return not self.forwarder.keep() or _behind(last) == 0

        child.watch(written, impatient)
        progress.close()
        code = self.forwarder.process.stop()
        if waiting := _behind(last):
            again = f"`speedctl record --out {self.out}` with the same flags writes them"
            self.problem = f"{waiting:,} pairs are not written yet; they are in {self.out / _SPOOL}: {again}"
        elif code == 0:
            shutil.rmtree(self.out / _SPOOL, ignore_errors=True)
        return self._summary(stats, last)

    def _step(self, progress: Progress, count: Callable[[dict[str, Any]], int], service: child.Child) -> bool:
        status = self._status()
        if status:
            progress.update(count(status))
        return not self.forwarder.keep() or not service.group_running

    def _status(self) -> dict[str, Any] | None:
        url = f"http://127.0.0.1:{self.forwarder.port}/v1/status"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(url, timeout=5) as answer:
                status: dict[str, Any] = json.load(answer)
        except (OSError, ValueError):
            return None
        self._trouble.look(status)
        return status

    def _summary(self, stats: dict[str, Any], status: dict[str, Any]) -> dict[str, Any]:
        dropped = {k: v for k, v in stats.get("dropped", {}).items() if v}
        opaque = {k: v for k, v in stats.get("opaque", {}).items() if v}
        if passed := sum(stats.get("supervised", {}).values()):
            opaque["worker_restarting"] = passed
        recorded = status.get("stored", {}).get("pairs", 0) - _behind(status)
        if self.forwarder.restarts:  # the counts of those before are gone
            recorded = sum(e.pair is not None for e in recording.read(self.out))
        return {
            "out": str(self.out),
            "seen": stats.get("seen", 0),
            "captured": stats.get("captured", 0),
            "dropped": dropped,
            "recorded": recorded,
            "filtered": status.get("filtered", {}),
            "redacted": status.get("redacted", {}),
            "lost": status.get("dropped", {}),
            "opaque": opaque,
            "refused": {k: v for k, v in stats.get("refused", {}).items() if v},
            "connectionsCut": sum(stats.get("cut", {}).values()),
            "forwarderRestarts": self.forwarder.restarts,
        }

    def _say(self) -> None:
        inbound, outbound = self.ports["inPort"], self.ports["outPort"]
        print(
            f"recording into {self.out}\n"
            f"  requests to the application: http://127.0.0.1:{inbound} (forwarded to port {self.args.app_port})\n"
            f"  its own calls:               proxy http://127.0.0.1:{outbound}\n"
            "  Ctrl-C ends the recording and keeps it",
            file=sys.stderr,
            flush=True,
        )


def _exported(status: dict[str, Any]) -> int:
    return sum(e["exported"] + e["deduplicated"] for e in status.get("exporters", {}).values())


def _behind(status: dict[str, Any]) -> int:
    return sum(e["lagPairs"] for e in status.get("exporters", {}).values())


def _logs(args: argparse.Namespace, out: Path) -> Path:
    return args.log_to.parent if args.log_to else out / ".logs"


def _text(summary: dict[str, Any]) -> str:
    lines = [f"{counted(summary['recorded'], 'pair')} in {summary['out']}"]
    for rule, count in summary["filtered"].items():
        lines.append(f"  {count:,} left out by filter rule {rule}")
    for name in ("dropped", "lost"):
        for cause, count in summary[name].items():
            lines.append(f"  {count:,} dropped: {cause}")
    for cause, count in summary["opaque"].items():
        lines.append(f"  {count:,} connections not looked into: {cause}{_WHY.get(cause, '')}")
    for cause, count in summary["refused"].items():
        lines.append(f"  {count:,} connections had nowhere to go: {cause}{_WHY_REFUSED.get(cause, '')}")
    if summary["connectionsCut"]:
        lines.append(f"  {summary['connectionsCut']:,} connections cut: the proxy's worker ended and was started again")
    if summary["forwarderRestarts"]:
        lines.append("  the forwarder was started again; what is filtered and redacted is counted since then")
    total = sum(summary["redacted"].values())
    kinds = ", ".join(f"{kind} {n:,}" for kind, n in sorted(summary["redacted"].items(), key=lambda kv: -kv[1]))
    lines.append(f"  {counted(total, 'value')} redacted" + (f": {kinds}" if kinds else ""))
    if summary["seen"]:
        lines.append(f"next: speedctl inspect --in {summary['out']}")
    elif not summary["refused"]:
        lines.append("  nothing came through the proxy: send requests to its inbound port, and start the application")
        lines.append("  with `-- CMD` or set HTTP_PROXY and HTTPS_PROXY for it (speedctl certs prints the rest)")
    return "\n".join(lines)
