"""gRPC and gRPC-Web bodies: frames of a flag, a length and a message (gRPC over HTTP/2, "Length-Prefixed-Message").

Each message is read as Protocol Buffers or JSON, undone first when its flag says compressed; lengths are written
anew. grpc-web-text is the same in base64. What does not add up is unreadable, and the caller fails closed.
"""

from __future__ import annotations

import base64
import binascii
import re

from speedscale_runtime.dlp.edits import Edit, Edits, Note, apply, merge, under

from . import compression, protobuf
from .base import Asks

_COMPRESSED, _TRAILER = 1, 0x80
_PIECE = re.compile(rb"[A-Za-z0-9+/]+={0,2}")


def edits(engine: Asks, data: bytes, depth: int, kind: bytes) -> Edits:
    """Return the edits of a body of type `application/grpc…`; compression.Unreadable when it is none."""
    if b"grpc-web-text" not in kind:
        new, notes = _frames(engine, data, depth)
        return [Edit(0, len(data), new, tuple(notes))] if notes else []
    try:
        raw = b"".join(base64.b64decode(p.group(), validate=True) for p in _PIECE.finditer(data))
    except binascii.Error as error:
        raise compression.Unreadable(f"no base64: {error}") from error
    new, notes = _frames(engine, raw, depth + 1)
    return [Edit(0, len(data), base64.b64encode(new), tuple(notes))] if notes else []


def _frames(engine: Asks, data: bytes, depth: int) -> tuple[bytes, list[Note]]:
    parts: list[bytes] = []
    notes: list[Note] = []
    at = index = 0
    while at < len(data):
        head = data[at : at + 5]
        end = at + 5 + int.from_bytes(head[1:], "big")
        if len(head) < 5 or end > len(data) or head[0] & ~(_COMPRESSED | _TRAILER):
            raise compression.Unreadable("a gRPC frame that was cut, or none")
        message = data[at + 5 : end]
        new, found = _message(engine, message, head[0], depth)
        parts += [head[:1], len(new).to_bytes(4, "big"), new]
        notes += under(tuple(found), f"[{index}]")
        at, index = end, index + 1
    return b"".join(parts), notes


def _message(engine: Asks, message: bytes, flag: int, depth: int) -> tuple[bytes, list[Note]]:
    coding = ""
    plain = message
    if flag & _COMPRESSED:
        coding = compression.magic(message)
        plain = compression.decompress(coding or "snappy", message)
    found = engine.text(plain, depth + 1) if flag & _TRAILER or protobuf.plain(plain) else None
    if not found:
        found = protobuf.edits(engine, plain, depth + 1) or found
    if found is None:
        found = engine.blob(plain, depth + 1)
    found = merge(found)
    if not found:
        return message, []
    new = apply(plain, found)
    return compression.compress(coding, new, message) if coding else new, [n for e in found for n in e.notes]
