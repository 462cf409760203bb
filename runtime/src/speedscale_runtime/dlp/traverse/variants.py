"""Characters that read like ASCII: digits of other scripts, full-width signs, typographic dashes, spaces, no width.

`４５３２－０１５１` is a card for whoever reads it, an address with a space of no width in it is one. The engine calls
this where the prefilter saw such a character; what is found goes back over the characters as they stood.
"""

from __future__ import annotations

import re
import unicodedata

from speedscale_runtime.dlp.edits import Edits, through

from .base import Asks
from .offsets import decode

_DIGITS = rb"\xef\xbc[\x90-\x99]|\xd9[\xa0-\xa9]|\xdb[\xb0-\xb9]|\xe0\xa5[\xa6-\xaf]|\xe0\xb9[\x90-\x99]"
_SIGNS = rb"\xef\xbc[\x8b-\x8f\xa0]|\xef\xbd\xa1"
_WIDTHLESS = rb"\xe2\x80[\x8b-\x8f\xaa-\xae]|\xe2\x81[\xa0-\xa4]|\xef\xbb\xbf|\xc2\xad"
_JOINTS = rb"(?<=[0-9])(?:\xc2\xa0|\xe2\x80[\x80-\x8a\x90-\x95\xaf]|\xe3\x80\x80)(?=[0-9])"
_UNIT = re.compile(b"|".join((_DIGITS, _SIGNS, _WIDTHLESS, _JOINTS)))
_WIDTHLESS_ONLY = re.compile(_WIDTHLESS)


def _meaning(match: re.Match[bytes]) -> bytes:
    raw = match.group()
    if _WIDTHLESS_ONLY.fullmatch(raw):
        return b""
    char = raw.decode("utf-8")
    if char.isdigit():
        return str(unicodedata.digit(char)).encode("ascii")
    if unicodedata.category(char) == "Pd" and char != "\uff0d":
        return b"-"
    plain = unicodedata.normalize("NFKC", char)
    return plain.encode("ascii") if plain.isascii() else b"."


def plain(data: bytes) -> bytes:
    """Return a text in ASCII as far as it reads like it."""
    return _UNIT.sub(_meaning, data)


def view(engine: Asks, data: bytes, depth: int, place: str) -> Edits:
    """Return the edits of a text in which characters read like others."""
    decoded, offsets = decode(data, _UNIT, _meaning)
    if decoded == data:
        return []
    engine.spend(offsets.cost)
    return through(engine.text(decoded, depth + 1), offsets, bytes)
