"""Keys and certificates from PEM and to it. Called by `issuing`, `inspection` and whoever has keys to tell apart."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from speedscale_schemas.truststore import split_pem

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
    PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


def new_key() -> bytes:
    """Return a new P-256 private key, PKCS #8 PEM without password. The only source of randomness here."""
    from cryptography.hazmat.primitives.asymmetric import ec

    return _key_pem(ec.generate_private_key(ec.SECP256R1()))


def key_digest(key: bytes) -> str:
    """Return the hex SHA-256 of a PEM key's public half (DER), to tell CAs apart by name."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    der = public_key(key).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


def first(pem: bytes) -> bytes:
    """Return the first certificate of a PEM; ValueError where there is none."""
    found = split_pem(pem)
    if not found:
        raise ValueError("no PEM certificate found")
    return found[0]


def load_certificate(pem: bytes) -> x509.Certificate:
    """Return the first certificate of a PEM, loaded; ValueError where it cannot be read."""
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificate(first(pem))
    except ValueError as error:
        raise ValueError(f"certificate: cannot be read ({error})") from error


def load_key(pem: bytes) -> PrivateKey:
    """Return a private key, P-256 or RSA; ValueError where it cannot be read."""
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


def public_key(pem: bytes) -> PublicKey:
    """Return the loaded public key of a PEM key, public or private; ValueError where it cannot be read."""
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    if b"PRIVATE KEY" in pem:
        return load_key(pem).public_key()
    key = load_pem_public_key(pem)
    if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        raise ValueError("public key: expected an elliptic curve (P-256) or RSA key")
    return key


def _key_pem(key: PrivateKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def is_ca(certificate: x509.Certificate) -> bool:
    """Say whether a certificate may sign others."""
    from cryptography import x509

    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False
