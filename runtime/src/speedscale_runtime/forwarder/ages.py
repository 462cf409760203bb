"""How old things are, by a clock that does not step.

The wall clock of a machine is set, forwards and backwards, while we run and between two runs. What is deleted or given
up for its age must not go because of that. So batches are stamped with a time that only goes on: the wall clock when
the spool was first opened since the machine booted, and what the machine's own clock measured since. It is written
down beside the spool: the next process of the same boot goes on with it. What is exported is the wall clock's again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import structlog

from speedscale_runtime.telemetry import statusfile

log = structlog.get_logger()

NOTE = "clock.json"
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_STEP_NS = 1_000_000_000  # wall clocks are slewed all the time; less than this is no step


def _since_boot() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


def _boot() -> str:
    """Return what names this boot of this machine; empty where nothing does."""
    try:
        return _BOOT.read_text("ascii").strip()
    except OSError:
        return ""


class Clock:
    """Time that only goes on, in seconds near those since 1970.

    `folder` is the spool's, None where nothing outlives the process. `since_boot` goes on over processes of one boot.
    """

    def __init__(
        self,
        folder: Path | None = None,
        wall: Callable[[], float] = time.time,
        since_boot: Callable[[], float] = _since_boot,
        boot: Callable[[], str] = _boot,
    ) -> None:
        self._wall, self._since_boot = wall, since_boot
        self._offset = wall() - since_boot()
        if folder is not None and (name := boot()):
            self._go_on(folder / NOTE, name)

    def now(self) -> float:
        """Return seconds, never less than before; ages are differences of these."""
        return self._offset + self._since_boot()

    def now_ns(self) -> int:
        """Return `now` in nanoseconds."""
        return int(self.now() * 1e9)

    def wall_ns(self, stamp_ns: int) -> int:
        """Return when that was by the wall clock as it stands now, ns since 1970; the stamp itself without a step."""
        step_ns = int((self._wall() - self.now()) * 1e9)
        return stamp_ns if abs(step_ns) < _STEP_NS else stamp_ns + step_ns

    def _go_on(self, note: Path, boot: str) -> None:
        """Take up the time of an earlier process of this boot; after another boot, or none, note ours."""
        known = statusfile.read(note)
        try:
            same, offset, begun = known["boot"] == boot, float(known["offset"]), float(known["begun"])
        except (KeyError, TypeError, ValueError):
            same, offset, begun = False, 0.0, float("-inf")
        if same:
            self._offset = offset
            return
        if begun > self.now():  # the wall clock was set back while the machine was down: time still goes on
            self._offset += begun - self.now()
        try:
            statusfile.write(note, {"boot": boot, "offset": self._offset, "begun": self.now()})
        except OSError as error:  # a full disk: this process has its time all the same
            log.warning("clock_not_noted", reason=error.strerror)
