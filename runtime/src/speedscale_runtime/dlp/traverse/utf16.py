"""UTF-16, as whole bodies and as runs inside binary protocols: every other byte is NUL."""

from __future__ import annotations

import re

from speedscale_runtime.dlp.edits import Edits, shift, through

from .base import Asks
from .offsets import Offsets

_RUN_LE = re.compile(rb"(?:[\x09-\x7e]\x00|[\x00-\xff][\x01-\x06](?=[\x09-\x7e]\x00)){3,}")
_RUN_BE = re.compile(rb"(?:\x00[\x09-\x7e]|[\x01-\x06][\x00-\xff](?=\x00[\x09-\x7e])){3,}")


def view(engine: Asks, data: bytes, depth: int, place: str) -> Edits:
    """Return the edits of all runs of UTF-16 in the data, either byte order."""
    return _runs(engine, data, depth, _RUN_LE, "utf-16-le") + _runs(engine, data, depth, _RUN_BE, "utf-16-be")


def _runs(engine: Asks, data: bytes, depth: int, run: re.Pattern[bytes], codec: str) -> Edits:
    out: Edits = []
    for match in run.finditer(data):
        text = match.group().decode(codec, "surrogatepass")
        coded, offsets = _coded(text)
        engine.spend(offsets.cost)
        inner = engine.text(coded, depth + 1)
        out += shift(through(inner, offsets, lambda new: new.decode("utf-8").encode(codec)), match.start())
    return out


def _coded(text: str) -> tuple[bytes, Offsets]:
    """Return a text in UTF-8, and where each of its bytes began in UTF-16."""
    coded, offsets = bytearray(), Offsets()
    at = 0
    for char in text:
        offsets.unit(len(coded), at)
        coded += char.encode("utf-8", "surrogatepass")
        at += 4 if ord(char) > 0xFFFF else 2
    offsets.unit(len(coded), at)
    return bytes(coded), offsets
