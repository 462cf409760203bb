"""Reversible tokens: `REDACTED-<KIND>-SIV-<base32>`, AES-SIV (RFC 5297) under a key derived from the ring's.

Deterministic, so that equal values stay equal; authenticated, so that the key that made one is found by trying. An
opt-out: who holds the key has the values. The cipher's library is loaded when it is first needed (20 MB).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESSIV

_TOKEN = re.compile(rb"REDACTED-([A-Z][A-Z0-9_]*)-SIV-([a-z2-7]{28,})")
_PURPOSE = b"speedscale dlp reversible tokens"


class Reversible:
    """Makes and undoes reversible tokens under one key."""

    __slots__ = ("_cipher",)

    def __init__(self, key: bytes) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESSIV

        self._cipher: AESSIV = AESSIV(hmac.new(key, _PURPOSE, hashlib.sha512).digest())

    def token(self, kind: str, value: bytes) -> bytes:
        """Return the token of a value (not empty): the same for the same bytes, and only for them."""
        sealed = self._cipher.encrypt(value, [kind.encode("ascii")])
        coded = base64.b32encode(sealed).rstrip(b"=").lower()
        return b"REDACTED-" + kind.encode("ascii") + b"-SIV-" + coded

    def value(self, kind: str, coded: bytes) -> bytes | None:
        """Return the value behind the base32 of a token, or None when another key made it."""
        from cryptography.exceptions import InvalidTag

        try:
            sealed = base64.b32decode(coded.upper() + b"=" * (-len(coded) % 8))
            return self._cipher.decrypt(sealed, [kind.encode("ascii")])
        except (binascii.Error, InvalidTag, ValueError):
            return None


def reveal(data: bytes, keys: Iterable[bytes]) -> tuple[bytes, int, int]:
    """Return a text with its reversible tokens undone, how many were, and how many no key fits.

    Values are put back as they stood where they were found, not escaped for the format around them.
    """
    ciphers = [Reversible(key) for key in keys]
    counts = [0, 0]

    def undo(match: re.Match[bytes]) -> bytes:
        kind = match.group(1).decode("ascii")
        for cipher in ciphers:
            value = cipher.value(kind, match.group(2))
            if value is not None:
                counts[0] += 1
                return value
        counts[1] += 1
        return match.group()

    return _TOKEN.sub(undo, data), counts[0], counts[1]
