"""TLS of exporters: whom they trust, the certificate they show. Files may come late; they are read when asked for."""

from __future__ import annotations

import ssl
from pathlib import Path

from speedscale_runtime.forwarder.exporter_specs import Tls
from speedscale_schemas.errors import TransientError


def context(tls: Tls) -> ssl.SSLContext:
    """Return a client's context; TransientError while a file that it needs cannot be used."""
    try:
        made = ssl.create_default_context(cafile=tls.ca_file or None)
        if tls.client_cert_path:
            made.load_cert_chain(Path(tls.client_cert_path) / "tls.crt", Path(tls.client_cert_path) / "tls.key")
    except (OSError, ssl.SSLError) as error:
        raise TransientError(f"TLS files: {type(error).__name__}", 0.0) from error
    return made


def pem(path: Path) -> bytes:
    """Return a PEM file's bytes; TransientError while it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise TransientError(f"TLS files: {type(error).__name__}", 0.0) from error
