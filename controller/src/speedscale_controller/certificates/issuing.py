"""Issuing: authorities, intermediates and leaves out of a time and an `Entropy`; nothing here reads a clock.

Every authority has a name of its own (a part of its key's digest): two of one name and different keys confuse
verifiers that look for an issuer by name. P-256 throughout. An interception CA has no name constraints, because it
signs for any host that an application calls; what bounds it is its path length (leaves only),
its life and its namespace.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from speedscale_schemas import truststore, x509

from .model import CA_LIFE, LEAF_LIFE, SKEW, Pair

TOKEN_BYTES = 32
_DIGEST = 8
_NAMESPACE = 63 - 21
WEBHOOK_CA = "Speedscale webhook CA"
ROOT = "Speedscale root"


@dataclass(frozen=True)
class Entropy:
    """Where keys, serial numbers and tokens come from; a test gives its own."""

    key: Callable[[], bytes] = x509.new_key
    random: Callable[[int], bytes] = secrets.token_bytes

    def serial(self) -> int:
        """Return a serial number."""
        return x509.serial_from(self.random(20))

    def token(self) -> str:
        """Return a bearer token of 256 bits, URL-safe."""
        return base64.urlsafe_b64encode(self.random(TOKEN_BYTES)).rstrip(b"=").decode("ascii")

    def dlp_key(self) -> str:
        """Return a redaction key of 256 bits in base64."""
        return base64.b64encode(self.random(TOKEN_BYTES)).decode("ascii")


def authority(common_name: str, now: datetime, entropy: Entropy, life: timedelta = CA_LIFE) -> Pair:
    """Return a new root CA that may sign leaves and one level of CAs."""
    key = entropy.key()
    name = f"{common_name} {x509.key_digest(key)[:_DIGEST]}"
    return Pair(x509.root(name, key, _validity(now, now + life), entropy.serial()), key)


def leaf(issuer: Pair, names: Sequence[str], now: datetime, entropy: Entropy, *, client: bool = False) -> Pair:
    """Return a server certificate with a key of its own, the issuer's chain behind it.

    It ends with its issuer at the latest. ValueError when the issuer cannot sign, or has ended.
    """
    signer = x509.Issuer(issuer.certificate, issuer.key)
    key = entropy.key()
    validity = _validity(now, min(now + LEAF_LIFE, signer.validity.not_after))
    certificate = signer.leaf(names, key, validity, entropy.serial(), client=client)
    return Pair(certificate + chain(issuer.certificate), key)


def intermediate(issuer: Pair, namespace: str, now: datetime, entropy: Entropy) -> Pair:
    """Return a namespace's CA for interception. It lives as long as its issuer.

    Who holds it reads it once, when a pod starts, so a shorter life would end within the life of pods. ValueError when
    the issuer may not sign CAs (a path length of 0), or has ended.
    """
    signer = x509.Issuer(issuer.certificate, issuer.key)
    key = entropy.key()
    name = f"Speedscale {namespace[:_NAMESPACE]} {x509.key_digest(key)[:_DIGEST]}"
    validity = _validity(now, signer.validity.not_after)
    certificate = signer.intermediate(name, key, validity, entropy.serial())
    return Pair(certificate + chain(issuer.certificate), key)


def chain(certificates: bytes) -> bytes:
    """Return what a server sends behind its own certificate: the issuers without a root, which nobody needs."""
    return b"".join(pem for pem in truststore.split_pem(certificates) if not self_signed(pem))


def self_signed(pem: bytes) -> bool:
    """Say whether this certificate is a root."""
    facts = x509.summary(pem)
    return facts.subject == facts.issuer


def issued(pem: bytes) -> datetime:
    """Return when a certificate of ours was made: it begins a little earlier."""
    return x509.summary(pem).not_before + SKEW


def _validity(now: datetime, end: datetime) -> x509.Validity:
    now = now.replace(microsecond=0)
    return x509.Validity(now - SKEW, end.replace(microsecond=0))
