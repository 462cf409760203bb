r"""Backslash escapes of JSON strings (RFC 8259 section 7), and `\xHH` of logs and JavaScript."""

from __future__ import annotations

import re

from speedscale_runtime.dlp.edits import Edits, through

from .base import Asks
from .offsets import Offsets, decode

_UNIT = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}|\\[0-3][0-7]{2}|\\(.)",
    re.DOTALL,
)
_SIMPLE = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}
_MUST = re.compile(rb'["\\\x00-\x1f]')
_SHORT = {b'"': b'\\"', b"\\": b"\\\\", b"\n": b"\\n", b"\r": b"\\r", b"\t": b"\\t"}


def _meaning(match: re.Match[bytes]) -> bytes:
    simple = match.group(1)
    if simple is not None:
        return _SIMPLE.get(simple, simple)
    text = match.group()
    if len(text) == 12:
        return bytes.fromhex("".join(f"{b:02x}" for b in _pair(text)))
    if text[1:2] == b"u":
        return chr(int(text[2:], 16)).encode("utf-8", "surrogatepass")
    return bytes((int(text[2:], 16),)) if text[1:2] == b"x" else bytes((int(text[1:], 8) & 0xFF,))


def _pair(text: bytes) -> bytes:
    high, low = int(text[2:6], 16), int(text[8:12], 16)
    return chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)).encode("utf-8")


def unescape(data: bytes) -> tuple[bytes, Offsets]:
    """Return what a string means, and the offset of each of its bytes."""
    return decode(data, _UNIT, _meaning)


def escape(text: bytes) -> bytes:
    """Return text as it has to stand in a JSON string."""
    return _MUST.sub(lambda m: _SHORT.get(m.group()) or b"\\u%04x" % m.group()[0], text)


def view(engine: Asks, data: bytes, depth: int, place: str) -> Edits:
    """Return the edits of a text whose escapes hide something."""
    decoded, offsets = unescape(data)
    if decoded == data:
        return []
    engine.spend(offsets.cost)
    return through(engine.text(decoded, depth + 1), offsets, escape)
