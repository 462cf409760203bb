"""Signatures as documents and as digests.

The digest is what the responder's index is keyed by: two signatures that mean the same request have one digest,
whichever of the vendor's two query forms they are written in, and whatever `instance` they carry.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping

from speedscale_runtime.rrpair import RRPair

from . import keys
from .body import canonical_xml
from .query import joined
from .text import utf8

DIGEST_SIZE = 16


def canonical(signature: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the signature in the form that is compared: query in one key, always there for HTTP, no `instance`."""
    plain = joined(signature)
    plain.pop(keys.INSTANCE, None)
    xml = plain.get(keys.BODY_XML)
    if xml is not None:
        plain[keys.BODY_XML] = canonical_xml(xml) or xml
    if keys.URL in plain:
        plain.setdefault(keys.QUERY, b"")
    return plain


def digest(signature: Mapping[str, bytes]) -> bytes:
    """Return 16 bytes that are equal for equal requests (BLAKE2b over sorted, length-prefixed keys and values)."""
    plain = canonical(signature)
    parts: list[bytes] = []
    for key in sorted(plain):
        name, value = utf8(key), plain[key]
        parts += (b"%d:%d:" % (len(name), len(value)), name, value)
    return hashlib.blake2b(b"".join(parts), digest_size=DIGEST_SIZE).digest()


def recorded(pair: RRPair) -> dict[str, bytes]:
    """Return the signature that stands in the document; empty where there is none or it is no base64."""
    found = pair.doc.get("signature")
    return from_document(found) if isinstance(found, Mapping) else {}


def from_document(document: Mapping[str, object]) -> dict[str, bytes]:
    """Return key → bytes for a document's `signature`; a value that is no base64 is taken as text."""
    result: dict[str, bytes] = {}
    for key, value in document.items():
        if isinstance(value, str):
            try:
                result[key] = base64.b64decode(value, validate=True)
            except (binascii.Error, ValueError):
                result[key] = utf8(value)
    return result


def to_document(signature: Mapping[str, bytes]) -> dict[str, str]:
    """Return the form that stands in a document: sorted keys, values base64."""
    return {key: base64.b64encode(signature[key]).decode("ascii") for key in sorted(signature)}
