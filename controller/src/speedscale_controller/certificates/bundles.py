"""Bundles of CA certificates: joined, cleaned, bounded, compared, and written for Java. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime

from speedscale_schemas import truststore, x509

MAX = 4
"""As many CAs of ours stand in one bundle; of more the newest."""


def authorities(*pems: bytes, now: datetime) -> tuple[bytes, ...]:
    """Return the CAs of these PEM texts that can be read and have not ended, each once, in order, at most `MAX`."""
    found: dict[str, bytes] = {}
    for pem in pems:
        for one in truststore.split_pem(pem):
            try:
                facts = x509.summary(one)
            except ValueError:
                continue
            if facts.is_ca and now < facts.not_after:
                found.setdefault(facts.sha256, one)
    return tuple(found.values())[:MAX]


def joined(pems: Iterable[bytes]) -> bytes:
    """Return certificates as one PEM text, each once."""
    return b"".join(dict.fromkeys(pem.strip() + b"\n" for pem in pems))


def digest(bundle: bytes) -> str:
    """Return a short name for a bundle's or certificate's exact bytes: 16 hexadecimal digits."""
    return hashlib.sha256(bundle).hexdigest()[:16]


def trust(ours: Iterable[bytes], public: bytes, theirs: Iterable[bytes] = ()) -> bytes:
    """Return what applications trust: our roots, the user's, then the public ones, which are never left out."""
    return joined([*ours, *theirs, *truststore.split_pem(public)])


def java(ours: Iterable[bytes], public: bytes, theirs: Iterable[bytes] = ()) -> bytes:
    """Return the same as a Java trust store (JKS, password `changeit`), the same bytes for the same certificates."""
    own = list(ours)
    entries = {f"public-{number:04}": pem for number, pem in enumerate(truststore.split_pem(public))}
    entries |= {f"extra-{number:04}": pem for number, pem in enumerate(theirs)}
    entries |= {"speedscale" if not number else f"speedscale-{number}": pem for number, pem in enumerate(own)}
    ders = {alias: truststore.pem_to_der(pem) for alias, pem in entries.items()}
    return truststore.java_trust_store(ders, x509.summary(own[0]).not_before)
