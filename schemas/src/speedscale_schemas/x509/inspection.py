"""What a certificate says, and what is wrong with it at a given time."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from speedscale_schemas.truststore import pem_to_der

from .pem import first, is_ca, load_certificate, public_key

if TYPE_CHECKING:
    from cryptography import x509


@dataclass(frozen=True, slots=True)
class Summary:
    """What a certificate says; `names` are its subject alternative names, `sha256` the digest of its DER."""

    subject: str
    issuer: str
    serial: int
    not_before: datetime
    not_after: datetime
    is_ca: bool
    names: tuple[str, ...]
    sha256: str


def summary(certificate: bytes) -> Summary:
    """Return what the first certificate of a PEM says; ValueError when there is none."""
    loaded = load_certificate(certificate)
    return Summary(
        subject=loaded.subject.rfc4514_string(),
        issuer=loaded.issuer.rfc4514_string(),
        serial=loaded.serial_number,
        not_before=loaded.not_valid_before_utc,
        not_after=loaded.not_valid_after_utc,
        is_ca=is_ca(loaded),
        names=_names(loaded),
        sha256=hashlib.sha256(pem_to_der(first(certificate))).hexdigest(),
    )


def check(
    certificate: bytes,
    now: datetime,
    *,
    key: bytes | None = None,
    issuer: bytes | None = None,
    names: Sequence[str] = (),
    ca: bool = False,
) -> list[str]:
    """Return what is wrong with a certificate at `now`, empty when nothing is.

    Looks at its validity, and where given: that `key` belongs to it, that `issuer` signed it, that it is valid for
    all `names`, that it is a CA. ValueError when the PEM cannot be read.
    """
    loaded = load_certificate(certificate)
    problems = []
    if now < loaded.not_valid_before_utc:
        problems.append(f"not valid before {_iso(loaded.not_valid_before_utc)}")
    if now >= loaded.not_valid_after_utc:
        problems.append(f"expired at {_iso(loaded.not_valid_after_utc)}")
    if key is not None and public_key(key) != loaded.public_key():
        problems.append("the private key does not belong to it")
    if issuer is not None and not _signed_by(loaded, load_certificate(issuer)):
        problems.append("not signed by the given issuer")
    if ca and not is_ca(loaded):
        problems.append("not a CA (basic constraints)")
    have = _names(loaded)
    problems += [f"not valid for {name}" for name in names if not any(_covers(h, name) for h in have)]
    return problems


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    from cryptography import x509

    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return (
        *found.get_values_for_type(x509.DNSName),
        *(str(address) for address in found.get_values_for_type(x509.IPAddress)),
    )


def _signed_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _covers(pattern: str, name: str) -> bool:
    """Match as RFC 6125 section 6.4.3 does: a star stands for the whole leftmost label."""
    pattern, name = pattern.lower(), name.lower().rstrip(".")
    if pattern.startswith("*."):
        return name.partition(".")[2] == pattern[2:]
    return pattern == name
