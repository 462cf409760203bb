"""A recording's forwarder, started again when it ends before its time.

Used by `record`. The new process takes the port and the spool of the one before it: the proxy sends again what was
not acknowledged, and what was acknowledged is in the spool, so the recording goes on without a gap. A forwarder that
keeps ending is given up after `RESTARTS_MAX` times.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from speedscale_schemas.errors import ConfigError

from . import child

RESTARTS_MAX = 5


class Keeper:
    """The forwarder of one recording; `process` is the one that runs now."""

    def __init__(
        self, stack: contextlib.ExitStack, environment: Callable[[Path, int], dict[str, str]], folder: Path, log: Path
    ) -> None:
        """Start it. `environment(status file, port)` returns its settings; port 0 is any; ConfigError."""
        self._stack, self._environment, self._log = stack, environment, log
        self._status = folder / "forwarder.json"
        self.restarts = 0
        self.process, self.document = self._start(0)
        if self.document.get("problem"):
            raise ConfigError([str(self.document["problem"])])

    @property
    def port(self) -> int:
        """Where it listens, over all restarts."""
        return int(self.document["port"])

    def keep(self) -> bool:
        """Start it again if it ended; return False when it was given up."""
        if self.process.running:
            return True
        if self.restarts >= RESTARTS_MAX:
            return False
        self.restarts += 1
        code = self.process.process.returncode
        print(f"speedctl: the forwarder ended with code {code}; it is started again", file=sys.stderr, flush=True)
        with contextlib.suppress(ConfigError):
            self.process, self.document = self._start(self.port)
        return True

    def _start(self, port: int) -> tuple[child.Child, dict[str, Any]]:
        self._status.unlink(missing_ok=True)
        service = child.service("forwarder", self._environment(self._status, port), log=self._log)
        started = self._stack.enter_context(service)
        return started, child.wait_for_status(started, self._status, "the forwarder")
