"""Protocol Buffers on the wire (protobuf.dev, "Encoding"): strings, bytes, sub-messages and long integers.

There are no names here, so values go by their look. A field that changes is written anew, and with it the length of
every message around it. Called by `body` for declared types and by the engine for bytes that read like a message.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from speedscale_runtime.dlp.edits import Edit, Edits, Note, apply, merge, under

from .base import Asks

_VARINT, _I64, _LEN, _GROUP, _END, _I32 = range(6)
_MAX_FIELDS = 262_144
_MAX_LEVEL = 32
_LEAST, _MOST = 10**11, 10**18  # integers that could be an account's or a card's number
_CONTROL = bytes(c for c in range(32) if c not in b"\t\r\n") + b"\x7f"


class Field(NamedTuple):
    """One field: its number, wire type, where its value starts and ends, and the value of a varint."""

    number: int
    wire: int
    at: int
    start: int
    end: int
    value: int


def parse(data: bytes) -> list[Field] | None:
    """Return the fields of a message (groups flattened), or None when the bytes are no message."""
    out: list[Field] = []
    at, size, open_groups = 0, len(data), 0
    while at < size:
        began = at
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if at < 0 or not 0 < number < 1 << 29 or wire > _I32 or len(out) >= _MAX_FIELDS:
            return None
        start, value = at, 0
        if wire == _VARINT:
            value, at = _varint(data, at)
        elif wire == _LEN:
            length, start = _varint(data, at)
            at = start + length if start >= 0 else -1
        elif wire in (_GROUP, _END):
            open_groups += 1 if wire == _GROUP else -1
        else:
            at += 8 if wire == _I64 else 4
        if at < 0 or at > size or open_groups < 0:
            return None
        out.append(Field(number, wire, began, start, at, value))
    return None if open_groups else out


def plain(data: bytes) -> bool:
    """Say whether bytes are text: UTF-8 without control characters."""
    if data.translate(None, _CONTROL) != data:
        return False
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def edits(engine: Asks, data: bytes, depth: int) -> Edits | None:
    """Return the edit of a message (none when it is clean), or None when the bytes are no message."""
    fields = parse(data)
    if fields is None:
        return None
    new, notes = _message(engine, data, fields, depth, 0)
    return [Edit(0, len(data), new, tuple(notes))] if notes else []


def _message(engine: Asks, data: bytes, fields: list[Field], depth: int, level: int) -> tuple[bytes, list[Note]]:
    parts: list[bytes] = []
    notes: list[Note] = []
    done = 0
    for field in fields:
        if field.wire == _LEN and field.end - field.start > 3:
            chunk = data[field.start : field.end]
            new, found = _chunk(engine, chunk, depth, level + 1)
            if found:
                parts += [data[done : field.at], _write(field.number << 3 | _LEN), _write(len(new)), new]
        else:
            new, found = _number(engine, data, field)
            if found:
                parts += [data[done : field.start], new]
        if found:
            notes += under(tuple(found), f".{field.number}")
            done = field.end
    parts.append(data[done:])
    return b"".join(parts), notes


def _chunk(engine: Asks, chunk: bytes, depth: int, level: int) -> tuple[bytes, list[Note]]:
    """Return a field of some length, redacted: text, a message, or neither; what could be both is read as both."""
    fields = parse(chunk) if level < _MAX_LEVEL else None
    text = plain(chunk)
    if fields is None:
        return _spliced(chunk, engine.text(chunk, depth + 1) if text else engine.blob(chunk, depth + 1))
    if text:
        found = merge(engine.text(chunk, depth + 1))
        inner = [(f.start, f.end) for f in fields if f.wire == _LEN]
        if any(not any(s <= e.start and e.end <= t for s, t in inner) for e in found):
            return _spliced(chunk, found)
    return _message(engine, chunk, fields, depth, level)


def _spliced(chunk: bytes, found: Edits) -> tuple[bytes, list[Note]]:
    found = merge(found)
    return apply(chunk, found), [n for e in found for n in e.notes]


def _number(engine: Asks, data: bytes, field: Field) -> tuple[bytes, list[Note]]:
    if field.wire == _VARINT:
        value = field.value
    elif field.wire == _I64:
        value = int.from_bytes(data[field.start : field.end], "little")
    else:
        return b"", []
    real = 0.0
    if field.wire == _I64 and not _LEAST <= value < _MOST:
        (real,) = struct.unpack("<d", data[field.start : field.end])
        value = int(real) if _LEAST <= real < _MOST and real == int(real) else 0
    if not _LEAST <= value < _MOST:
        return b"", []
    text = str(value).encode("ascii")
    found = engine.number(text, 0, None, engine.hits(text), b"")
    if not found:
        return b"", []
    made = int(found[0].new)
    if field.wire == _VARINT:
        return _write(made), list(found[0].notes)
    return struct.pack("<d", float(made)) if real else made.to_bytes(8, "little"), list(found[0].notes)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the number at an offset and the offset behind it; -1 when there is none."""
    value = shift = 0
    for byte in data[at : at + 10]:
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
    return 0, -1


def _write(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)
