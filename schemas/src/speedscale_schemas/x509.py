"""X.509 as this project uses it: a root, an intermediate per namespace, leaves per name. P-256 throughout.

Used by `tls.authority` (local CA, leaves per SNI) and by whoever makes a cluster's Secrets. Pure: time and serial
are arguments and signatures are deterministic (RFC 6979), so the same input gives the same bytes; nothing here
reads a clock, a file or randomness, but for `new_key`. `cryptography` costs 20 MB of memory and is imported only
inside functions. Profile: RFC 5280.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from .truststore import pem_to_der, split_pem

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
    PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey

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


def new_key() -> bytes:
    """Return a new P-256 private key, PKCS #8 PEM without password. The only source of randomness here."""
    from cryptography.hazmat.primitives.asymmetric import ec

    return _key_pem(ec.generate_private_key(ec.SECP256R1()))


def serial_from(seed: bytes) -> int:
    """Return a valid serial number for these bytes: positive, at most 159 bits."""
    return (int.from_bytes(hashlib.sha256(seed).digest(), "big") >> (256 - _SERIAL_BITS)) | 1


class Issuer:
    """A CA certificate with its key, loaded once; signs intermediates and leaves.

    `certificate` and `key` are PEM; of a chain the first certificate signs. The key may be RSA, for CAs that users
    bring. ValueError when one cannot be read, they do not belong together, or the certificate is no CA.
    """

    def __init__(self, certificate: bytes, key: bytes) -> None:

        self._certificate = _load_certificate(certificate)
        self._key = _load_key(key)
        if self._certificate.public_key() != self._key.public_key():
            raise ValueError("the private key does not belong to the certificate")
        if not _is_ca(self._certificate):
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
        return self.leaf_for(names, _public(public_key), validity, serial, client=client)

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
        key = _public(public_key)
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

    private = _load_key(key)
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


def public_key(key: bytes) -> PublicKey:
    """Return the loaded public key of a PEM key, public or private, for `Issuer.leaf_for`."""
    return _public(key)


def key_digest(key: bytes) -> str:
    """Return the hex SHA-256 of a PEM key's public half (DER), to tell CAs apart by name."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    der = _public(key).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


def summary(certificate: bytes) -> Summary:
    """Return what the first certificate of a PEM says; ValueError when there is none."""

    loaded = _load_certificate(certificate)
    return Summary(
        subject=loaded.subject.rfc4514_string(),
        issuer=loaded.issuer.rfc4514_string(),
        serial=loaded.serial_number,
        not_before=loaded.not_valid_before_utc,
        not_after=loaded.not_valid_after_utc,
        is_ca=_is_ca(loaded),
        names=_names(loaded),
        sha256=hashlib.sha256(pem_to_der(_first(certificate))).hexdigest(),
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

    loaded = _load_certificate(certificate)
    problems = []
    if now < loaded.not_valid_before_utc:
        problems.append(f"not valid before {_iso(loaded.not_valid_before_utc)}")
    if now >= loaded.not_valid_after_utc:
        problems.append(f"expired at {_iso(loaded.not_valid_after_utc)}")
    if key is not None and _public(key) != loaded.public_key():
        problems.append("the private key does not belong to it")
    if issuer is not None and not _signed_by(loaded, _load_certificate(issuer)):
        problems.append("not signed by the given issuer")
    if ca and not _is_ca(loaded):
        problems.append("not a CA (basic constraints)")
    have = _names(loaded)
    problems += [f"not valid for {name}" for name in names if not any(_covers(h, name) for h in have)]
    return problems


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _first(pem: bytes) -> bytes:
    found = split_pem(pem)
    if not found:
        raise ValueError("no PEM certificate found")
    return found[0]


def _load_certificate(pem: bytes) -> x509.Certificate:
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificate(_first(pem))
    except ValueError as error:
        raise ValueError(f"certificate: cannot be read ({error})") from error


def _load_key(pem: bytes) -> PrivateKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem, password=None)
    except (TypeError, ValueError, UnsupportedAlgorithm) as error:  # encrypted, damaged, of an unknown kind
        raise ValueError(f"private key: cannot be read ({error})") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise ValueError("private key: expected an elliptic curve (P-256) or RSA key")
    return key


def _public(pem: bytes) -> PublicKey:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    if b"PRIVATE KEY" in pem:
        return _load_key(pem).public_key()
    key = load_pem_public_key(pem)
    if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        raise ValueError("public key: expected an elliptic curve (P-256) or RSA key")
    return key


def _key_pem(key: PrivateKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


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


def _is_ca(certificate: x509.Certificate) -> bool:
    from cryptography import x509

    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _path_length(certificate: x509.Certificate) -> int | None:
    from cryptography import x509

    return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length


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
