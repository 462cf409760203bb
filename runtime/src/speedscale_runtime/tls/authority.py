"""The local CA on disk, and server contexts with a leaf per name."""

from __future__ import annotations

import ssl
from pathlib import Path


class Authority:
    """A certificate authority with its key; mints leaves that live one hour."""

    @classmethod
    def load_or_create(cls, home: Path) -> Authority:
        """Load certs/tls.crt and tls.key under `home`, or make them; safe for two processes at once."""
        raise NotImplementedError

    def context_for(self, sni: str) -> ssl.SSLContext:
        """Return a server context for a DNS name or IP address, cached."""
        raise NotImplementedError

    @property
    def certificate_path(self) -> Path:
        """The CA certificate alone, PEM."""
        raise NotImplementedError

    @property
    def bundle_path(self) -> Path:
        """Public roots and ours in one PEM file."""
        raise NotImplementedError

    def java_trust_store(self) -> Path:
        """Public roots and ours as a JKS file, password `changeit`."""
        raise NotImplementedError


def client_context(*, alpn: tuple[str, ...] = ()) -> ssl.SSLContext:
    """Return a context that verifies upstream as the application would: system roots and SSL_CERT_FILE."""
    raise NotImplementedError
