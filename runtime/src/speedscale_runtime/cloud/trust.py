"""The TLS context for the backend: public roots, or the CA of a file that may come late and change.

Used by `transport` for each request. A file that cannot be read is no reason to trust more: without any context yet
the request fails as transient, else the last good one stays.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from speedscale_runtime.telemetry.watched import Watched
from speedscale_schemas.errors import TransientError


class Trust:
    """The context in force for one CA file (None: the system's roots)."""

    def __init__(self, ca_file: Path | None) -> None:
        self._file = Watched(ca_file, _load) if ca_file is not None else None
        self._public: ssl.SSLContext | None = None

    def context(self) -> ssl.SSLContext:
        """Return it; TransientError while the CA file is missing or unusable."""
        if self._file is None:
            self._public = self._public or ssl.create_default_context()
            return self._public
        found = self._file.get()
        if found is None:
            raise TransientError(f"BACKEND_CA_FILE: {self._file.path}: {self._file.reason}", 2.0)
        return found


def _load(path: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(path))
