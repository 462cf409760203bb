"""Certificates in files that others read: PEM bundles and Java trust stores. Certificates only, never keys.

Used by `tls.authority` and by whoever makes the Secret speedscale-jks. Pure, standard library only; the same
input gives the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
import re
import struct
from collections.abc import Mapping
from datetime import datetime

_PEM = re.compile(rb"-----BEGIN (?:TRUSTED )?CERTIFICATE-----\s.*?-----END (?:TRUSTED )?CERTIFICATE-----", re.DOTALL)


def split_pem(bundle: bytes) -> list[bytes]:
    """Return the certificates of a PEM bundle, each as PEM that ends in a newline; all else is left out."""
    return [found + b"\n" for found in _PEM.findall(bundle)]


def pem_to_der(certificate: bytes) -> bytes:
    """Return the DER of one PEM certificate; ValueError when its base64 is broken."""
    lines = certificate.strip().splitlines()[1:-1]
    return base64.b64decode(b"".join(lines), validate=True)


def java_trust_store(certificates: Mapping[str, bytes], created: datetime, password: str = "changeit") -> bytes:
    """Return a JKS file with these certificates (alias → DER), as `keytool` of every Java reads it.

    Written here and not as PKCS #12, because that is salted: it would differ each time, and Java 8 before update
    301 cannot read the modern form. JKS protects nothing but integrity, which suits public certificates.
    Layout: `sun.security.provider.JavaKeyStore` of OpenJDK. Aliases are folded to lower case, as Java does.
    """
    millis = int(created.timestamp() * 1000)
    parts = [struct.pack(">III", 0xFEEDFEED, 2, len(certificates))]
    for alias, der in sorted(certificates.items()):
        parts += [struct.pack(">I", 2), _utf(alias.lower()), struct.pack(">q", millis), _utf("X.509")]
        parts += [struct.pack(">I", len(der)), der]
    body = b"".join(parts)
    seal = hashlib.sha1(password.encode("utf-16-be") + b"Mighty Aphrodite" + body, usedforsecurity=False)
    return body + seal.digest()


def _utf(text: str) -> bytes:
    if not text.isascii() or "\0" in text:
        raise ValueError(f"alias {text!r}: only ASCII")
    return struct.pack(">H", len(text)) + text.encode("ascii")
