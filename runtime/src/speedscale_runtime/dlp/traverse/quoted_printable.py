"""Quoted-printable (RFC 2045 section 6.7), as parts of multipart bodies and mails use it."""

from __future__ import annotations

import re

from speedscale_runtime.dlp.edits import Edits, through

from .base import Asks
from .offsets import decode

_UNIT = re.compile(rb"=(?:[0-9A-Fa-f]{2}|[ \t]*\r?\n)")
_MUST = re.compile(rb"[^\x20-\x3c\x3e-\x7e\t\r\n]")


def _meaning(match: re.Match[bytes]) -> bytes:
    text = match.group()
    return b"" if text.endswith(b"\n") else bytes((int(text[1:], 16),))


def escape(text: bytes) -> bytes:
    """Return text as it may stand in a quoted-printable part."""
    return _MUST.sub(lambda m: b"=%02X" % m.group()[0], text)


def edits(engine: Asks, data: bytes, key: bytes, depth: int) -> Edits:
    """Return the edits of a part in quoted-printable that stands under `key`."""
    decoded, offsets = decode(data, _UNIT, _meaning)
    return through(engine.leaf(decoded, key, depth + 1), offsets, escape)
