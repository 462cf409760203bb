"""A certificate with its key from two files that may come late and change, and how a context takes them.

Used by the proxy (the workload's own pair, client certificates) and by whoever serves TLS with a mounted Secret.
"""

from __future__ import annotations

import os
import ssl
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from speedscale_runtime.telemetry.watched import Watched, read_bytes


def watched_pair(
    certificate: Path | str, key: Path | str, clock: Callable[[], float] = time.monotonic
) -> Watched[bytes]:
    """Return the pair as one PEM for `load_chain`, taken only where both belong together."""

    def load(path: Path) -> bytes:
        pem = read_bytes(path) + b"\n" + read_bytes(Path(key))
        load_chain(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), pem)
        return pem

    return Watched(certificate, load, clock, beside=(key,))


def load_chain(context: ssl.SSLContext, pem: bytes) -> None:
    """Load certificate, chain and key, which the ssl module takes from files only: from memory where Linux allows.

    ValueError when they do not do: no PEM, or a key of another certificate.
    """
    try:
        if hasattr(os, "memfd_create"):
            handle = os.memfd_create("leaf", os.MFD_CLOEXEC)
            try:
                os.write(handle, pem)
                context.load_cert_chain(f"/proc/self/fd/{handle}", password=_no_password)
            finally:
                os.close(handle)
            return
        with tempfile.NamedTemporaryFile() as file:  # mode 0600
            file.write(pem)
            file.flush()
            context.load_cert_chain(file.name, password=_no_password)
    except ssl.SSLError as error:
        raise ValueError(f"no certificate with its key in PEM ({error.reason})") from error


def _no_password() -> str:
    """An encrypted key must fail; without this OpenSSL would ask on the terminal."""
    raise ValueError("the key is encrypted")
