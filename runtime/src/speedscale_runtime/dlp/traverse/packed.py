"""gzip and Zstandard inside something else: a part of a multipart body, a frame of a binary protocol.

Undone where it stands and written back; a stream that is cut is replaced with all that follows it, since what it held
cannot be known.
"""

from __future__ import annotations

import re

from speedscale_runtime.dlp.edits import Edit, Edits, apply, merge, shift, under

from . import compression
from .base import Asks

_MAGIC = re.compile(rb"\x1f\x8b\x08[\x00-\x1f]|\x28\xb5\x2f\xfd")
_MAX_STREAMS = 256
_LEAST = 16


def starts(data: bytes) -> bool:
    """Say whether the data begins like a compressed stream."""
    return _MAGIC.match(data) is not None


def view(engine: Asks, data: bytes, depth: int, place: str) -> Edits:
    """Return the edits of all compressed streams in the data; beyond 256 of them it is replaced whole."""
    out: Edits = []
    done = 0
    for count, match in enumerate(_MAGIC.finditer(data)):
        start = match.start()
        if start < done:
            continue
        if count >= _MAX_STREAMS:
            return [engine.whole(data, f"more than {_MAX_STREAMS} compressed streams")]
        coding = compression.magic(data[start : start + 8])
        try:
            plain, used = compression.leading(coding, data[start:])
        except compression.Unreadable as why:
            if why.partial >= _LEAST:  # it was a stream indeed
                return merge([*out, *shift([engine.whole(data[start:], str(why))], start)])
            continue
        engine.spend(len(plain))
        done = start + used
        inner = merge(engine.blob(plain, depth + 1))
        if inner:
            notes = tuple(n for e in inner for n in under(e.notes, f"|{coding}"))
            stream = compression.compress(coding, apply(plain, inner), data[start:done])
            out.append(Edit(start, done, stream, notes))
    return out
