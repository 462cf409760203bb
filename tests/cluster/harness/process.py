"""One process of a cluster: started in a group of its own, never left behind, stopped only when it is really ours.

- Attached (tests): the kernel kills it when its parent dies, however that dies (`prctl(PR_SET_PDEATHSIG)`).
- Detached (`make cluster-up`): it lives on; a record beside its log names pid and command line, and `stop` signals a
  pid only while that pid still runs that command: numbers are used again.

Linux only.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

STOP_S = 10.0
GO = {"GOGC": "400", "GOMEMLIMIT": "1GiB"}
"""For programs in Go that live for minutes: their memory is collected less often; a fifth of their time went there."""
_POLL_S = 0.02
_PR_SET_PDEATHSIG = 1
_TAIL = 15


class NotReady(Exception):
    """A process ended or did not become ready; the text has the end of its log."""


class Process:
    """One program with its log and its record, both in `folder`."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._record = folder / f"{name}.pid"
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs and is ours, else None."""
        if self._child is not None:
            return self._child.pid if self._child.poll() is None else None
        try:
            record = json.loads(self._record.read_text(encoding="utf-8"))
            pid, command = int(record["pid"]), list(record["command"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return pid if _command_line(pid) == command else None

    def start(
        self, command: Sequence[str], *, detached: bool = False, environment: Mapping[str, str] | None = None
    ) -> None:
        """Start the program; its output goes to its log. `environment` comes in the place of ours."""
        arm = None if detached else die_with(os.getpid())
        with self.log.open("ab") as out:
            child = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=environment,
                start_new_session=True,
                preexec_fn=arm,  # only calls prctl and getppid
            )
        self._record.write_text(json.dumps({"pid": child.pid, "command": list(command)}), encoding="utf-8")
        self._child = child

    def wait(self, ready: Callable[[], bool], deadline_s: float) -> None:
        """Ask `ready` until it says yes; NotReady when the process ends before, or after `deadline_s` seconds."""
        until = time.monotonic() + deadline_s
        while not ready():
            if self.pid is None:
                raise NotReady(f"{self.name} ended before it was ready; the end of {self.log}:\n{self.tail()}")
            if time.monotonic() > until:
                raise NotReady(
                    f"{self.name} was not ready in {deadline_s:.0f} s; the end of {self.log}:\n{self.tail()}"
                )
            time.sleep(_POLL_S)

    def stop(self, deadline_s: float = STOP_S) -> None:
        """End the process and its group: politely, after `deadline_s` seconds by force."""
        pid = self.pid
        if pid is not None:
            _signal_group(pid, signal.SIGTERM)
            until = time.monotonic() + deadline_s
            while self.pid is not None and time.monotonic() < until:
                time.sleep(_POLL_S)
            if self.pid is not None:
                _signal_group(pid, signal.SIGKILL)
        if self._child is not None:
            self._child.wait()
        self._record.unlink(missing_ok=True)

    def tail(self) -> str:
        """Return the last lines of the log."""
        try:
            return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL:])
        except OSError:
            return ""


def _command_line(pid: int) -> list[str]:
    """Return a process's command line, empty when it is gone or a zombie."""
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return []
    return raw.decode(errors="replace").rstrip("\0").split("\0") if raw else []


def _signal_group(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)  # start_new_session: the pid is its group's
    except ProcessLookupError:
        return


def die_with(parent: int) -> Callable[[], None]:
    """Return what a child runs before its program: from then on it is killed when process `parent` dies."""
    library = ctypes.CDLL(None, use_errno=True)

    def arm() -> None:
        library.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the kernel was told
            os._exit(1)

    return arm
