"""Percent-encoding (RFC 3986 section 2.1), and the plus sign of forms."""

from __future__ import annotations

import re
from urllib.parse import quote_from_bytes

from speedscale_runtime.dlp.edits import Edits, through

from .base import Asks
from .offsets import Offsets, decode

_UNIT = re.compile(rb"%[0-9A-Fa-f]{2}|%u[0-9A-Fa-f]{4}")
_FORM = re.compile(rb"%[0-9A-Fa-f]{2}|%u[0-9A-Fa-f]{4}|\+")


def _meaning(match: re.Match[bytes]) -> bytes:
    text = match.group()
    if text == b"+":
        return b" "
    if len(text) == 6:
        return chr(int(text[2:], 16)).encode("utf-8", "surrogatepass")
    return bytes((int(text[1:], 16),))


def unquote(data: bytes, *, form: bool = False) -> tuple[bytes, Offsets]:
    """Return the decoded text and the offset of each of its bytes; with `form`, a plus sign is a space."""
    return decode(data, _FORM if form else _UNIT, _meaning)


def quote(text: bytes) -> bytes:
    """Return text as it may stand in any part of a URL."""
    return quote_from_bytes(text, safe="").encode("ascii")


def view(engine: Asks, data: bytes, depth: int, place: str) -> Edits:
    """Return the edits of a text whose percent signs hide something."""
    decoded, offsets = unquote(data)
    if decoded == data:
        return []
    engine.spend(offsets.cost)
    return through(engine.text(decoded, depth + 1), offsets, quote)
