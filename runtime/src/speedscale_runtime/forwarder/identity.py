"""The certificate that the forwarder shows: loaded at the start, and anew when its files change.

In a cluster the certificate lives for days and is renewed while the forwarder runs. A new pair is tried apart first, so
that files which do not belong together never reach the context that serves; the last good pair stays then.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from speedscale_schemas.errors import ConfigError

from .stamps import stamp


class ServerIdentity:
    """A TLS context for `cert_file` and `key_file` (PEM); without a name `context` is None."""

    def __init__(self, cert_file: str, key_file: str) -> None:
        """Load the pair; ConfigError when it cannot be used."""
        self._files = (cert_file, key_file)
        self._seen = self._stamps()
        self.context = _context(*self._files) if cert_file else None

    def refresh(self) -> bool:
        """Load the pair if its files changed; say whether it did. ConfigError when it is wrong, told once a change."""
        stamps = self._stamps()
        if self.context is None or stamps == self._seen:
            return False
        self._seen = stamps
        _context(*self._files)
        try:
            # Handshakes from now on get the new pair; connections that are open go on.
            self.context.load_cert_chain(*self._files)
        except (ssl.SSLError, OSError) as error:
            self._seen = ()  # replaced between two looks: look again at once
            raise ConfigError([f"FORWARDER_TLS_CERT_FILE: {self._files[0]}: {error}"]) from error
        return True

    def _stamps(self) -> tuple[object, ...]:
        return tuple(stamp(Path(name)) for name in self._files if name)


def _context(cert_file: str, key_file: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(cert_file, key_file)
    except (ssl.SSLError, OSError) as error:
        raise ConfigError([f"FORWARDER_TLS_CERT_FILE: {cert_file}: {error}"]) from error
    return context
