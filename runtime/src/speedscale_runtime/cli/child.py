"""Run the user's own command, or one of our services, beside a verb.

Used by `record`, `mock` and `replay`. A child gets the proxy and trust variables that make its runtime send its
calls through us; signals reach it; its exit code is passed on.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from speedscale_runtime.tls.authority import Authority
from speedscale_runtime.tls.trust import trust_environment
from speedscale_schemas.errors import ConfigError

_POLL_S = 0.02
_PR_SET_PDEATHSIG = 1
_TAIL_BYTES = 64 * 1024


def proxy_environment(port: int, authority: Authority) -> dict[str, str]:
    """Return the variables that send a process's HTTP and HTTPS calls to the proxy on `port` and trust it.

    Both letter cases, because curl reads only the lower one for HTTP and Java tools read neither;
    `NODE_USE_ENV_PROXY` and `JAVA_TOOL_OPTIONS` cover those runtimes.
    """
    address = f"http://127.0.0.1:{port}"
    environment = dict(trust_environment(authority, os.environ))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "GLOBAL_AGENT_HTTP_PROXY", "GLOBAL_AGENT_HTTPS_PROXY"):
        environment[name] = address
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        environment[name] = address
    environment["NO_PROXY"] = environment["no_proxy"] = ""
    environment["JAVA_TOOL_OPTIONS"] += (
        f" -Dhttp.proxyHost=127.0.0.1 -Dhttp.proxyPort={port}"
        f" -Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort={port} -Dhttp.nonProxyHosts="
    )
    return environment


class Child:
    """One process with its output passed through; a context manager that never leaves it behind."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        log: Path | None = None,
        orphaned: signal.Signals | None = None,
    ) -> None:
        """Start it; `orphaned` is the signal it gets when we are killed (Linux). ConfigError when it cannot start."""
        self.command = list(command)
        self._log = log.open("ab") if log else None
        self._log_path, self._log_start = log, self._log.tell() if self._log else 0
        try:
            self.process = subprocess.Popen(
                self.command,
                env={**os.environ, **environment},
                stdout=self._log,
                stderr=self._log,
                start_new_session=True,
                preexec_fn=_follow(orphaned),
            )
        except OSError as error:
            raise ConfigError([f"cannot start {self.command[0]!r}: {error.strerror}"]) from error

    @property
    def running(self) -> bool:
        """Whether the process has not ended yet."""
        return self.process.poll() is None

    def last_words(self) -> str:
        """Return why a service of ours gave up: the last error in what it logged so far, or an empty string."""
        if self._log_path is None:
            return ""
        with contextlib.suppress(OSError), self._log_path.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(self._log_start, size - _TAIL_BYTES))
            lines = log.read().decode("utf-8", "replace").splitlines()
            return next((said for line in reversed(lines) if (said := _complaint(line))), "")
        return ""

    @property
    def group_running(self) -> bool:
        """Whether anything that the process started in its group is still there, the process gone or not."""
        if self.running:
            return True
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True

    def terminate(self) -> None:
        """Ask the process to end; do not wait."""
        self._signal(signal.SIGTERM)

    def stop(self, timeout_s: float = 10.0) -> int:
        """Ask the whole process group to end, insist after `timeout_s` seconds, return the exit code."""
        self._signal(signal.SIGTERM)
        try:
            code = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            code = -signal.SIGKILL
        finally:  # also when the user would not wait any longer: nothing is left behind
            self._signal(signal.SIGKILL)
            self.process.wait()
            if self._log:
                self._log.close()
        return code

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self.process.pid, number)
        except (ProcessLookupError, PermissionError):
            if self.running:
                self.process.send_signal(number)

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def service(
    module: str,
    environment: Mapping[str, str],
    *,
    log: Path | None = None,
    orphaned: signal.Signals = signal.SIGTERM,
) -> Child:
    """Start one of our services, `speedscale_runtime.<module>`, as a child that does not outlive us."""
    command = [sys.executable, "-m", f"speedscale_runtime.{module}"]
    return Child(command, environment, log=log, orphaned=orphaned)


def _follow(orphaned: signal.Signals | None) -> Callable[[], None] | None:
    """Return what a new process does to be signalled when its parent is gone, however that went (prctl(2))."""
    if orphaned is None or sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    number = int(orphaned)
    return lambda: prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)


def wait_for_status(child: Child, path: Path, what: str, timeout_s: float = 30.0) -> dict[str, Any]:
    """Return the JSON that a service writes to its status file once it is ready.

    Raises ConfigError when it ends first or is not ready within `timeout_s` seconds.
    """
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if path.exists():
            status: dict[str, Any] = json.loads(path.read_text())
            return status
        if not child.running:
            said = child.last_words()
            if said:
                hint = "; choose another port (0 takes any free one)" if "in use" in said else ""
                raise ConfigError([f"{what} cannot start: {said}{hint}"])
            raise ConfigError([f"{what} ended with code {child.process.returncode} before it was ready"])
        time.sleep(_POLL_S)
    raise ConfigError([f"{what} was not ready after {timeout_s:.0f} s"])


def _complaint(line: str) -> str:
    """Return the message of a log line that reports an error (structlog's JSON, or `speedscale-…: message`)."""
    if line.startswith("speedscale-"):
        return line.partition(": ")[2]
    try:
        entry = json.loads(line)
    except ValueError:
        return ""
    return str(entry.get("error") or "") if isinstance(entry, dict) else ""


class Interrupt:
    """SIGINT and SIGTERM, turned into a flag so that a verb can end cleanly; the second one is taken at its word."""

    def __init__(self) -> None:
        self.seen = False
        self._old: dict[int, Any] = {}

    def __enter__(self) -> Interrupt:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._old[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.seen:
            raise KeyboardInterrupt
        self.seen = True


def watch(done: Callable[[], bool], interrupt: Interrupt, timeout_s: float | None = None) -> None:
    """Wait until `done()` holds, a signal came, or `timeout_s` seconds passed."""
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    while not done() and not interrupt.seen and (deadline is None or time.monotonic() < deadline):
        time.sleep(_POLL_S)


def run(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run the user's command to its end and return its exit code (128 + n when signal n ended it).

    Ctrl-C ends the command, not us: the caller still prints its summary.
    """
    with Interrupt() as interrupt, Child(command, environment) as child:
        watch(lambda: not child.running, interrupt)
        code = child.process.returncode if not child.running else child.stop()
    return 128 - code if code is not None and code < 0 else int(code or 0)
