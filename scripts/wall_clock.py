"""A wall clock that can be set, for one process that we start: libfaketime (Debian's package `faketime`).

    clock = WallClock(folder / "clock")
    subprocess.Popen(command, env={**os.environ, **clock.environment()})
    clock.step(-3600)       # from now on the process thinks that it is an hour earlier

Used by the tests of the forwarder and by `python -m bench.forwarder_kills`. Clocks that count from the machine's start
stay right, as they do on a machine whose clock is set.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_LIBRARY = "faketime/libfaketimeMT.so.1"


def missing() -> str:
    """Return why clocks cannot be set here, an empty string where they can."""
    return "" if _library() else "libfaketime is not installed: apt-get install faketime"


class WallClock:
    """The clock of processes that are started with `environment()`; `file` is ours."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.step(0)

    def step(self, seconds: int) -> None:
        """Set the clock to `seconds` after the machine's (before it where less than 0)."""
        half = self._file.with_suffix(".half")
        half.write_text(f"{seconds:+d}\n")
        half.replace(self._file)

    def environment(self) -> Mapping[str, str]:
        """Return what a process is started with."""
        return {
            "LD_PRELOAD": str(_library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_RESET": "1",
        }


def _library() -> Path | None:
    return next(iter(sorted(Path("/usr/lib").glob(f"*/{_LIBRARY}"))), None)
