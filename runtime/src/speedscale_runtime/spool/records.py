"""Records: the bytes of a spool segment. Pure.

A record is one acknowledged batch: who sent it, and its frames as `speedscale_schemas.frames` writes them. Layout,
big-endian, 42 bytes and then two parts::

    offset  width  field
    0       4      magic `SSB1` (a batch) or `SSC1` (a checkpoint: the sender table as JSON)
    4       2      sender length in bytes
    6       4      frames in the payload; for a checkpoint the payload's CRC-32
    10      4      payload length in bytes
    14      8      epoch
    22      8      sequence
    30      8      time of receipt, ns since 1970
    38      4      CRC-32 of the 38 bytes before and of the sender, seeded with the segment's nonce
    42      …      sender, then payload

Frames carry their own checksums, so the payload needs none. The nonce is random and part of the segment's file
name: bytes inside a body that look like a record do not pass for one when a damaged segment is searched.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from speedscale_schemas import frames
from speedscale_schemas.frames import FrameError

BATCH, CHECKPOINT = b"SSB1", b"SSC1"
HEADER = struct.Struct(">4sHIIQQQI")
HEADER_SIZE = HEADER.size
_CHECKED = HEADER_SIZE - 4
PAYLOAD_MAX = 0xFFFF_FFFF


class Position(NamedTuple):
    """A place in the spool: the segment's number and a byte offset in it. Later places compare greater."""

    segment: int
    offset: int


class Record(NamedTuple):
    """One batch: `payload` is `pairs` encoded frames (none where all were filtered); `time_ns` is its receipt."""

    sender: str
    epoch: int
    sequence: int
    pairs: int
    payload: bytes
    time_ns: int


class Header(NamedTuple):
    """A record's header, checked; `size` is the whole record's length in bytes."""

    magic: bytes
    sender: str
    pairs: int
    length: int
    epoch: int
    sequence: int
    time_ns: int
    size: int


class Damage(NamedTuple):
    """Bytes of a segment that are no record: where, how many, and whether the segment merely ends too early."""

    offset: int
    length: int
    torn: bool


def encode(record: Record, nonce: int) -> bytes:
    """Return a batch record's bytes."""
    return _encode(BATCH, record, nonce, record.pairs)


def encode_checkpoint(payload: bytes, nonce: int) -> bytes:
    """Return a checkpoint's bytes."""
    return _encode(CHECKPOINT, Record("", 0, 0, 0, payload, 0), nonce, zlib.crc32(payload))


def _encode(magic: bytes, record: Record, nonce: int, count: int) -> bytes:
    sender = record.sender.encode("utf-8")
    fields = (magic, len(sender), count, len(record.payload), record.epoch, record.sequence, record.time_ns)
    start = HEADER.pack(*fields, 0)[:_CHECKED]
    crc = zlib.crc32(sender, zlib.crc32(start, nonce))
    return b"".join((start, crc.to_bytes(4, "big"), sender, record.payload))


def header_at(data: bytes | memoryview, offset: int, nonce: int) -> Header | None:
    """Return the header at `offset`, None where no whole, correct one stands. The payload is not looked at."""
    if len(data) - offset < HEADER_SIZE:
        return None
    magic, n_sender, pairs, length, epoch, sequence, time_ns, crc = HEADER.unpack_from(data, offset)
    if magic not in (BATCH, CHECKPOINT):
        return None
    end = offset + HEADER_SIZE + n_sender
    if len(data) < end:
        return None
    sender = bytes(data[offset + HEADER_SIZE : end])
    if zlib.crc32(sender, zlib.crc32(data[offset : offset + _CHECKED], nonce)) != crc:
        return None
    name = sender.decode("utf-8", "replace")
    return Header(magic, name, pairs, length, epoch, sequence, time_ns, HEADER_SIZE + n_sender + length)


def payload_intact(header: Header, payload: bytes | memoryview) -> bool:
    """Say whether a payload is what the header promises: its length, its number of frames, every checksum."""
    if len(payload) != header.length:
        return False
    if header.magic == CHECKPOINT:
        return zlib.crc32(payload) == header.pairs
    offset = found = 0
    try:
        while offset < len(payload):
            _, offset = frames.decode_at(payload, offset)
            found += 1
    except FrameError:
        return False
    return found == header.pairs


def scan(data: bytes | memoryview, nonce: int, start: int = 0) -> Iterator[tuple[int, Header] | Damage]:
    """Yield every whole record with its offset, and the damage between, in order; all bytes are accounted for."""
    offset = start
    while offset < len(data):
        header = header_at(data, offset, nonce)
        if header is not None and whole(data, offset, header):
            yield offset, header
            offset += header.size
            continue
        following = next_record(data, offset + 1, nonce)
        if following is None:
            yield Damage(offset, len(data) - offset, _torn(data, offset, header))
            return
        yield Damage(offset, following - offset, False)
        offset = following


def _torn(data: bytes | memoryview, offset: int, header: Header | None) -> bool:
    """Say whether the rest of `data` is the beginning of a record whose end is missing."""
    left = len(data) - offset
    if header is not None:
        return left < header.size
    if left < HEADER_SIZE:
        return True
    n_sender = int.from_bytes(data[offset + 4 : offset + 6], "big")
    return bytes(data[offset : offset + 4]) in (BATCH, CHECKPOINT) and left < HEADER_SIZE + n_sender


def whole(data: bytes | memoryview, offset: int, header: Header) -> bool:
    """Say whether the record with this header is complete and intact in `data`."""
    end = offset + header.size
    return end <= len(data) and payload_intact(header, memoryview(data)[end - header.length : end])


def next_record(data: bytes | memoryview, start: int, nonce: int) -> int | None:
    """Return the offset of the next intact record at or after `start`, or None."""
    raw = data if isinstance(data, bytes) else bytes(data)
    at = start
    while True:
        found = [i for i in (raw.find(BATCH, at), raw.find(CHECKPOINT, at)) if i >= 0]
        if not found:
            return None
        at = min(found)
        header = header_at(raw, at, nonce)
        if header is not None and whole(raw, at, header):
            return at
        at += 1
