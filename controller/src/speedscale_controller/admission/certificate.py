"""The certificate that admission shows, and whether the API server will believe it.

`Serving` holds the one SSLContext of the server; a certificate is loaded into it while it serves, and the next
handshake shows it. A pair that does not fit is refused before the context is touched, and the one of before goes on.
The key is handed to OpenSSL through memory, never through a disk. `believed` answers for the CA bundles of the webhook
configurations.
"""

from __future__ import annotations

import contextlib
import os
import ssl
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from speedscale_kube import Object

CERTIFICATE, KEY, AUTHORITY = "tls.crt", "tls.key", "ca.crt"


@dataclass(frozen=True, slots=True)
class Pair:
    """What Secret speedscale-webhook-certs holds: the chain, its key, the CA's certificates (PEM, base64 as stored)."""

    chain: str
    key: str = field(repr=False)
    authority: str


def pair_of(secret: Object) -> Pair | None:
    """Return the pair of a Secret, None where it holds none (yet)."""
    data = secret.get("data") or {}
    if not data.get(CERTIFICATE) or not data.get(KEY):
        return None
    return Pair(str(data[CERTIFICATE]), str(data[KEY]), str(data.get(AUTHORITY, "")))


class Serving:
    """The server's SSLContext; TLS 1.2 or newer."""

    def __init__(self) -> None:
        self.context = _context()
        self._chain: tuple[x509.Certificate, ...] = ()

    @property
    def loaded(self) -> bool:
        """Whether there is a certificate to show."""
        return bool(self._chain)

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        """What is shown, the leaf first."""
        return self._chain

    @property
    def not_after(self) -> datetime | None:
        """When the leaf ends, None without one."""
        return self._chain[0].not_valid_after_utc if self._chain else None

    def load(self, chain: bytes, key: bytes) -> None:
        """Show this pair from the next handshake on; ValueError when it is none, and nothing has changed then.

        Call it in the thread that makes handshakes.
        """
        try:
            certificates = tuple(x509.load_pem_x509_certificates(chain))
            with _readable(chain) as chain_path, _readable(key) as key_path:
                _context().load_cert_chain(chain_path, key_path, password=_no_password)
                self.context.load_cert_chain(chain_path, key_path, password=_no_password)
        except (ssl.SSLError, ValueError, OSError) as error:
            raise ValueError(f"certificate and key cannot be used: {error}") from error
        self._chain = certificates


def believed(chain: Sequence[x509.Certificate], bundle: bytes, now: datetime) -> str:
    """Return why a client that trusts `bundle` (PEM) would not believe `chain`; empty when it would."""
    if not bundle:
        return "the CA bundle is empty"
    try:
        trusted = x509.load_pem_x509_certificates(bundle)
    except ValueError:
        return "the CA bundle is no PEM"
    if not chain:
        return "there is no certificate"
    leaf = chain[0]
    if not leaf.not_valid_before_utc <= now <= leaf.not_valid_after_utc:
        return f"the certificate holds from {leaf.not_valid_before_utc:%F %T} to {leaf.not_valid_after_utc:%F %T} UTC"
    if leaf in trusted:
        return ""
    for certificate, above in zip(chain, (*chain[1:], None), strict=True):
        if any(_signed(certificate, one) and one.not_valid_after_utc >= now for one in trusted):
            return ""
        if above is None or not _signed(certificate, above):
            break
    return "the CA bundle does not hold the CA of our certificate"


def _signed(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    with contextlib.suppress(ValueError, TypeError, InvalidSignature):
        certificate.verify_directly_issued_by(issuer)
        return True
    return False


def utc_now() -> datetime:
    """Return the time of day."""
    return datetime.now(UTC)


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def _no_password() -> str:
    raise ValueError("the key is encrypted")


@contextlib.contextmanager
def _readable(content: bytes) -> Iterator[str]:
    """Yield a path that OpenSSL can read `content` at."""
    if not hasattr(os, "memfd_create"):  # not Linux: a developer's machine
        with tempfile.NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            yield file.name
        return
    descriptor = os.memfd_create("pem", os.MFD_CLOEXEC)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(content)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
