"""Certificates are made: a root, what it signs, and what these may be used for."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from . import pem
from .pem import is_ca, load_certificate, load_key

if TYPE_CHECKING:
    from cryptography import x509

    from .pem import PrivateKey, PublicKey

_CN_MAX = 64  # RFC 5280 appendix A.1, ub-common-name
_SERIAL_BITS = 159  # RFC 5280 section 4.1.2.2: at most 20 octets, positive


@dataclass(frozen=True, slots=True)
class Validity:
    """From when to when a certificate holds; both ends in UTC, whole seconds."""

    not_before: datetime
    not_after: datetime

    def __post_init__(self) -> None:
        """ValueError when an end is without time zone, or the end is not after the start."""
        if self.not_before.tzinfo is None or self.not_after.tzinfo is None:
            raise ValueError("validity: times need a time zone")
        if self.not_after <= self.not_before:
            raise ValueError("validity: not_after must be later than not_before")


def serial_from(seed: bytes) -> int:
    """Return a valid serial number for these bytes: positive, at most 159 bits."""
    return (int.from_bytes(hashlib.sha256(seed).digest(), "big") >> (256 - _SERIAL_BITS)) | 1


class Issuer:
    """A CA certificate with its key, loaded once; signs intermediates and leaves.

    `certificate` and `key` are PEM; of a chain the first certificate signs. The key may be RSA, for CAs that users
    bring. ValueError when one cannot be read, they do not belong together, or the certificate is no CA.
    """

    def __init__(self, certificate: bytes, key: bytes) -> None:
        self._certificate = load_certificate(certificate)
        self._key = load_key(key)
        if self._certificate.public_key() != self._key.public_key():
            raise ValueError("the private key does not belong to the certificate")
        if not is_ca(self._certificate):
            raise ValueError("the certificate is not a CA (basic constraints)")
        self._identifier = _authority_identifier(self._certificate)
        self.validity = Validity(self._certificate.not_valid_before_utc, self._certificate.not_valid_after_utc)

    @property
    def self_signed(self) -> bool:
        """Say whether this is a root."""
        return self._certificate.subject == self._certificate.issuer

    def leaf(
        self, names: Sequence[str], public_key: bytes, validity: Validity, serial: int, *, client: bool = False
    ) -> bytes:
        """Return the PEM of a server certificate for DNS names and IP addresses; `client` allows that use too.

        `public_key` is PEM, of a public or private key. ValueError for no names or one that is neither.
        """
        return self.leaf_for(names, pem.public_key(public_key), validity, serial, client=client)

    def leaf_for(
        self,
        names: Sequence[str],
        public_key: PublicKey,
        validity: Validity,
        serial: int,
        *,
        client: bool = False,
    ) -> bytes:
        """`leaf` with a loaded key: the fast way for many leaves of one key."""
        from cryptography import x509
        from cryptography.x509.oid import ExtendedKeyUsageOID

        general = [_general_name(name) for name in names]
        if not general:
            raise ValueError("a leaf needs at least one name")
        first = names[0] if len(names[0]) <= _CN_MAX else ""
        uses = [ExtendedKeyUsageOID.SERVER_AUTH, *([ExtendedKeyUsageOID.CLIENT_AUTH] if client else [])]
        builder = (
            _builder(_name(first), self._certificate.subject, public_key, validity, serial)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(ca=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
            # RFC 5280 section 4.2.1.6: critical when the subject is empty
            .add_extension(x509.SubjectAlternativeName(general), critical=not first)
            .add_extension(self._identifier, critical=False)
        )
        return _sign(builder, self._key)

    def intermediate(
        self,
        common_name: str,
        public_key: bytes,
        validity: Validity,
        serial: int,
        *,
        permitted: Sequence[str] = (),
    ) -> bytes:
        """Return the PEM of a CA that may sign leaves only.

        `permitted` limits it (name constraints, RFC 5280 section 4.2.1.10) to DNS subtrees and networks:
        `shop.svc`, `10.0.0.0/8`. ValueError when this issuer may sign leaves only (RFC 5280 section 4.2.1.9).
        """
        from cryptography import x509

        if _path_length(self._certificate) == 0:
            raise ValueError("this CA may sign leaves only (path length 0), no other CA")
        key = pem.public_key(public_key)
        builder = (
            _builder(_name(common_name), self._certificate.subject, key, validity, serial)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(ca=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(self._identifier, critical=False)
        )
        if permitted:
            subtrees = [_subtree(item) for item in permitted]
            builder = builder.add_extension(x509.NameConstraints(subtrees, None), critical=True)
        return _sign(builder, self._key)


def root(common_name: str, key: bytes, validity: Validity, serial: int) -> bytes:
    """Return the PEM of a self-signed CA for the private key `key` (PEM); it may sign one level of CAs."""
    from cryptography import x509

    private = load_key(key)
    name, public = _name(common_name), private.public_key()
    identifier = x509.SubjectKeyIdentifier.from_public_key(public)
    builder = (
        _builder(name, name, public, validity, serial)
        .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
        .add_extension(_key_usage(ca=True), critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
    )
    return _sign(builder, private)


def _name(common_name: str) -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    if not common_name:
        return x509.Name([])
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: PublicKey, validity: Validity, serial: int
) -> x509.CertificateBuilder:
    from cryptography import x509

    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(serial)
        .not_valid_before(validity.not_before)
        .not_valid_after(validity.not_after)
    )


def _sign(builder: x509.CertificateBuilder, key: PrivateKey) -> bytes:
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding

    deterministic = None if isinstance(key, rsa.RSAPrivateKey) else True  # PKCS #1 v1.5 always is
    return builder.sign(key, SHA256(), ecdsa_deterministic=deterministic).public_bytes(Encoding.PEM)


def _key_usage(*, ca: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        pass
    if not re.fullmatch(r"(?:\*\.)?[0-9A-Za-z_](?:[0-9A-Za-z._-]{0,251}[0-9A-Za-z_])?", name) or ".." in name:
        raise ValueError(f"{name!r} is neither a DNS name nor an IP address")
    return x509.DNSName(name)


def _subtree(item: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ip_network(item))
    except ValueError:
        return _general_name(item.removeprefix("."))


def _authority_identifier(certificate: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    from cryptography import x509

    try:
        own = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        key = certificate.public_key()
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(key)  # type: ignore[arg-type]
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)


def _path_length(certificate: x509.Certificate) -> int | None:
    from cryptography import x509

    return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length
