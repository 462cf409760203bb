"""The certificate that the backend shows: taken when it appears, and anew when it changes.

Connections that are open go on with the one they know.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from speedscale_runtime.telemetry.watched import Watched


class ServerIdentity:
    """A TLS context for `cert_file` and `key_file` (PEM); `context` is None before there is a pair that can be used."""

    def __init__(self, cert_file: str, key_file: str) -> None:
        self._key_file = key_file
        self._pair = Watched(cert_file, self._load, beside=(key_file,)) if cert_file else None
        self.context: ssl.SSLContext | None = None

    def refresh(self) -> ssl.SSLContext | None:
        """Look at the files; return the context in force."""
        if self._pair is not None:
            self._pair.get()
        return self.context

    def _load(self, cert_file: Path) -> ssl.SSLContext:
        """Try the pair apart, so that files which do not belong together never reach the context that serves."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(cert_file, self._key_file)
        if self.context is None:
            self.context = context
        else:
            self.context.load_cert_chain(cert_file, self._key_file)
        return context
