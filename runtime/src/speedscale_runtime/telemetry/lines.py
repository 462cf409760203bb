"""Log lines like those of `logs`, of processes for which structlog is too large (13 MB): standard library alone.

For the sidecar's supervisor and its init programs, whose memory is the user's. The same rules: constant event names
with keys, never payload; one JSON object a line on stderr. A line that cannot be written is left out: who logs goes on.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from typing import Final

_LEVELS: Final = {"trace": 0, "debug": 0, "info": 1, "warn": 2, "warning": 2, "error": 3}


class Lines:
    """Writes lines of one service from `level` on; of a level that nobody knows, info."""

    def __init__(self, service: str, level: str = "info") -> None:
        self._service, self._from = service, _LEVELS.get(level.lower(), 1)

    def info(self, event: str, **keys: object) -> None:
        """Say what was done."""
        self._say("info", event, keys)

    def warning(self, event: str, **keys: object) -> None:
        """Say what is not as it should be."""
        self._say("warning", event, keys)

    def error(self, event: str, **keys: object) -> None:
        """Say what failed."""
        self._say("error", event, keys)

    def exception(self, event: str, **keys: object) -> None:
        """Say what failed, with the exception that is being handled."""
        import traceback  # rare, and 1 MB

        self._say("error", event, {**keys, "exception": traceback.format_exc().rstrip()})

    def _say(self, level: str, event: str, keys: dict[str, object]) -> None:
        if _LEVELS[level] < self._from:
            return
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        line = {"service": self._service, **keys, "event": event, "level": level, "timestamp": stamp}
        with contextlib.suppress(OSError):
            sys.stderr.write(json.dumps(line, default=str) + "\n")
            sys.stderr.flush()
