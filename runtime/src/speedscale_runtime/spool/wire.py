"""A batch as it arrives: its headers checked, its body unpacked. Pure; both takers of batches use it.

What is wrong with it is a PeerError, whose reason (`version`, `sender`, `sequence`, `encoding`, `too_large`) goes
back to the sender. The format is `speedscale_schemas.frames`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import zstandard

from speedscale_schemas import frames
from speedscale_schemas.errors import PeerError

SENDER_MAX_CHARS = 128
_NUMBER_MAX = (1 << 64) - 1


class Meta(NamedTuple):
    """A batch's headers, checked."""

    sender: str
    epoch: int
    sequence: int
    compressed: bool

    @property
    def key(self) -> tuple[str, int, int]:
        """What the batch is known by."""
        return self.sender, self.epoch, self.sequence


def read_meta(headers: Mapping[str, str]) -> Meta:
    """Return what the headers say; PeerError with what is missing or wrong."""
    version = headers.get(frames.H_VERSION, "")
    if version != frames.BATCH_VERSION:
        raise PeerError("version", f"{frames.H_VERSION} is {version[:20]!r}; taken is {frames.BATCH_VERSION}")
    sender = headers.get(frames.H_SENDER, "")
    if not 0 < len(sender) <= SENDER_MAX_CHARS or not sender.isascii() or not sender.isprintable():
        raise PeerError("sender", f"{frames.H_SENDER}: expected 1 to {SENDER_MAX_CHARS} printable characters")
    numbers = []
    for name in (frames.H_EPOCH, frames.H_SEQUENCE):
        text = headers.get(name, "")
        if not (text.isascii() and text.isdigit() and len(text) <= 20 and int(text) <= _NUMBER_MAX):
            raise PeerError("sequence", f"{name}: expected a whole number from 0 to 2^64-1")
        numbers.append(int(text))
    coding = headers.get("Content-Encoding", "identity").strip().lower()
    if coding not in ("identity", "zstd"):
        raise PeerError("encoding", f"Content-Encoding {coding[:20]!r}; known are zstd and identity")
    return Meta(sender, numbers[0], numbers[1], coding == "zstd")


def decompress(data: bytes, limit: int) -> bytes:
    """Undo zstd; PeerError `encoding` where it is none or ends early, `too_large` beyond `limit` bytes."""
    out = bytearray()
    rest = data
    try:
        while rest:
            unit = zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj(write_size=1 << 20)
            out += unit.decompress(rest[:0])
            for start in range(0, len(rest), 1 << 16):
                out += unit.decompress(rest[start : start + (1 << 16)])
                if len(out) > limit:
                    raise PeerError("too_large", f"more than {limit} bytes after decompression")
                if unit.eof:
                    rest = unit.unused_data + rest[start + (1 << 16) :]
                    break
            else:
                raise PeerError("encoding", "the zstd data ends too early")
    except zstandard.ZstdError as error:
        raise PeerError("encoding", f"no zstd data: {error}") from error
    return bytes(out)
