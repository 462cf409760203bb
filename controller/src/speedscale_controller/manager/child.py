"""One child of the supervisor: a process of the same interpreter, its socket, its end.

A child ends when its supervisor does, however that dies: it reads from a pipe that nobody writes to, and the kernel
closes the other end.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import structlog

from speedscale_controller.telemetry.health import Page, ask
from speedscale_controller.telemetry.labels import Process
from speedscale_controller.telemetry.status import Status

from .restarts import Cause, Restarts

LIFELINE = "OPERATOR_LIFELINE_FD"
SOCKET = "OPERATOR_STATUS_SOCKET"
START_S, SILENT_S = 60.0, 30.0
_log = structlog.get_logger("speedscale_controller")


class Child:
    """The process `role`, started again and again. Called by one thread; `page` by any."""

    def __init__(
        self, role: Process, folder: Path, environ: Mapping[str, str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.role, self.socket = role, str(folder / f"{role.value}.sock")
        self._environ, self._clock = dict(environ), clock
        self._process: subprocess.Popen[bytes] | None = None
        self._lifeline: int | None = None
        self._started_at = self._heard_at = 0.0
        self._killed_for: Cause | None = None
        self._history = Restarts()
        self.due_at = 0.0  # when it is to be started

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None

    @property
    def hopeless(self) -> bool:
        """Whether starting it anew has not helped three times in a row."""
        return self._history.stuck >= 3

    def start(self) -> None:
        """Start the process; OSError when that is impossible."""
        reading, writing = os.pipe()
        environ = {**self._environ, SOCKET: self.socket, LIFELINE: str(reading)}
        command = [sys.executable, "-m", "speedscale_controller.manager", self.role.value]
        try:
            self._process = subprocess.Popen(command, env=environ, stdin=subprocess.DEVNULL, pass_fds=(reading,))
        except OSError:
            os.close(writing)
            raise
        finally:
            os.close(reading)
        self._lifeline, self._killed_for = writing, None
        self._started_at = self._clock()
        self._heard_at = self._started_at + START_S - SILENT_S
        _log.info("process_started", of=self.role.value, pid=self._process.pid)

    def ended(self) -> Cause | None:
        """Return why it ended, once for each end; None while it runs. Sets when it is due again."""
        if self._process is None or (code := self._process.poll()) is None:
            return None
        lived = self._clock() - self._started_at
        cause, wait = self._history.ended(code, lived, self._killed_for)
        self._close()
        self.due_at = self._clock() + wait
        _log.warning("process_ended", of=self.role.value, cause=cause.value, code=code, again_in_s=round(wait, 1))
        return cause

    def check(self) -> None:
        """Ask how it is; one that hangs is killed."""
        if self._process is None:
            return
        now = self._clock()
        try:
            status = Status.read(ask(self.socket, "/status").body)
        except (OSError, ValueError):
            if now - self._heard_at > SILENT_S:
                self._kill(Cause.SILENT, f"no answer for {now - self._heard_at:.0f} s")
            return
        self._heard_at = now
        if status.stuck:
            self._kill(Cause.STUCK, status.stuck)
        elif now - self._started_at > SILENT_S:
            self._history.stuck = 0

    def page(self, what: str) -> Page | None:
        """Return one of its pages, None when it does not answer."""
        try:
            return ask(self.socket, what)
        except OSError:
            return None

    def status(self) -> Status | None:
        """Return how it is, None when it does not say."""
        page = self.page("/status")
        try:
            return None if page is None else Status.read(page.body)
        except ValueError:
            return None

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it is there."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def gone(self) -> bool:
        """Say whether it has ended, without starting it again."""
        if self._process is not None and self._process.poll() is not None:
            self._close()
        return self._process is None

    def _kill(self, cause: Cause, why: str) -> None:
        _log.error("process_hangs", of=self.role.value, cause=cause.value, why=why)
        self._killed_for = cause
        self.signal(signal.SIGKILL)

    def _close(self) -> None:
        self._process = None
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None


def die_with_parent(environ: Mapping[str, str]) -> None:
    """In a child: end at once when the supervisor is gone."""
    descriptor = int(environ[LIFELINE])

    def wait() -> None:
        os.read(descriptor, 1)  # nobody writes: it returns when the other end is closed
        os._exit(1)

    threading.Thread(target=wait, name="lifeline", daemon=True).start()
