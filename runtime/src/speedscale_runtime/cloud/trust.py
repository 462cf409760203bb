"""The TLS context for the backend: public roots, or the CA of a file that may come late and change.

Used by `transport` for each request. A file that cannot be read is no reason to trust more: without any context yet
the request fails as transient, else the last good one stays.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from pathlib import Path

from speedscale_schemas.errors import TransientError

_LOOK_S = 1.0


class Trust:
    """Contexts for one CA file (None: the system's roots); `clock` is monotonic seconds."""

    def __init__(self, ca_file: Path | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._file, self._clock = ca_file, clock
        self._context: ssl.SSLContext | None = None
        self._seen: object = None
        self._looked = float("-inf")

    def context(self) -> ssl.SSLContext:
        """Return the context in force; TransientError while the CA file is missing or unusable."""
        now = self._clock()
        if self._context is not None and (self._file is None or now - self._looked < _LOOK_S):
            return self._context
        self._looked = now
        if self._file is None:
            self._context = ssl.create_default_context()
            return self._context
        stamp = _stamp(self._file)
        if self._context is None or (stamp is not None and stamp != self._seen):
            self._load(stamp)
        assert self._context is not None
        return self._context

    def _load(self, stamp: object) -> None:
        try:
            self._context = ssl.create_default_context(cafile=str(self._file))
            self._seen = stamp
        except (ssl.SSLError, OSError) as error:
            if self._context is None:
                raise TransientError(f"BACKEND_CA_FILE: {self._file}: {error}", 2.0) from error


def _stamp(path: Path) -> object:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
