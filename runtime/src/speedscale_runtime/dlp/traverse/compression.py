"""gzip, zlib, raw deflate, Brotli and Zstandard: undone with caps, written back in the same form.

A cap that is reached, or a stream that ends too early, raises Unreadable: the caller fails closed. Output is
reproducible (no time stamp in gzip).
"""

from __future__ import annotations

import gzip
import zlib

import brotli
import zstandard

from speedscale_runtime.dlp.edits import Edit, Edits, apply, under

from .base import Asks

MAX_PLAIN = 64 * 1024 * 1024
MAX_RATIO = 1200
_STEP = 1024 * 1024
_GZIP = b"\x1f\x8b\x08"
_ZSTD = b"\x28\xb5\x2f\xfd"


class Unreadable(Exception):
    """The content cannot be decoded, or only past a cap; `args[0]` says why."""


def magic(data: bytes) -> str:
    """Return the coding that the first bytes announce (gzip, deflate, zstd), or an empty string."""
    if data.startswith(_GZIP):
        return "gzip"
    if data.startswith(_ZSTD):
        return "zstd"
    if len(data) > 6 and data[0] == 0x78 and ((data[0] << 8) + data[1]) % 31 == 0 and data[1] in (1, 94, 156, 218):
        return "deflate"
    return ""


def decompress(coding: str, data: bytes) -> bytes:
    """Return the plain bytes; Unreadable for what is torn, unknown, or beyond the caps."""
    limit = min(MAX_PLAIN, max(len(data), 64) * MAX_RATIO)
    try:
        if coding in ("gzip", "x-gzip"):
            return _members(data, 31, limit)
        if coding == "deflate":
            return _members(data, 15 if magic(data) == "deflate" else -15, limit)
        if coding == "br":
            return _brotli(data, limit)
        if coding == "zstd":
            return _zstd(data, limit)
    except (zlib.error, brotli.error, zstandard.ZstdError, EOFError) as error:
        raise Unreadable(f"broken {coding}: {error}") from error
    raise Unreadable(f"unknown content coding {coding!r}")


def compress(coding: str, plain: bytes, original: bytes) -> bytes:
    """Return plain bytes in the coding (and, for deflate, in the form) that the original had."""
    if coding in ("gzip", "x-gzip"):
        return gzip.compress(plain, 6, mtime=0)
    if coding == "deflate":
        maker = zlib.compressobj(6, zlib.DEFLATED, 15 if magic(original) == "deflate" else -15)
        return maker.compress(plain) + maker.flush()
    if coding == "br":
        return bytes(brotli.compress(plain, quality=4))
    return zstandard.ZstdCompressor(level=3).compress(plain)


def nested(engine: Asks, data: bytes, depth: int) -> Edits:
    """Return the edits of decoded bytes that may be compressed themselves."""
    coding = magic(data)
    if not coding:
        return engine.text(data, depth)
    if depth > 12:
        return [engine.whole(data, "compressed inside more than eight encodings")]
    try:
        plain = decompress(coding, data)
    except Unreadable as why:
        return [engine.whole(data, str(why))] if coding != "deflate" else engine.text(data, depth)
    inner = nested(engine, plain, depth + 1)
    if not inner:
        return []
    notes = tuple(n for e in inner for n in under(e.notes, f"|{coding}"))
    return [Edit(0, len(data), compress(coding, apply(plain, inner), data), notes)]


def _members(data: bytes, bits: int, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while data:
        opened = zlib.decompressobj(bits)
        parts.append(opened.decompress(data, limit - size + 1))
        size += len(parts[-1])
        if size > limit:
            raise Unreadable("more plain bytes than the cap allows")
        if not opened.eof:
            raise EOFError("the stream ends too early")
        data = opened.unused_data.lstrip(b"\x00")
        if data and not (bits == 31 and data.startswith(_GZIP)):
            raise EOFError("bytes behind the end of the stream")
    return b"".join(parts)


def _brotli(data: bytes, limit: int) -> bytes:
    opened = brotli.Decompressor()
    parts: list[bytes] = []
    size = 0
    for at in range(0, len(data), 65_536):
        parts.append(opened.process(data[at : at + 65_536]))
        size += len(parts[-1])
        if size > limit:
            raise Unreadable("more plain bytes than the cap allows")
    if not opened.is_finished():
        raise EOFError("the stream ends too early")
    return b"".join(parts)


def _zstd(data: bytes, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while data:
        opened = zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj()
        for at in range(0, len(data), 65_536):
            parts.append(opened.decompress(data[at : at + 65_536]))
            size += len(parts[-1])
            if size > limit:
                raise Unreadable("more plain bytes than the cap allows")
            if opened.eof:
                data = opened.unused_data + data[at + 65_536 :]
                break
        else:
            raise EOFError("the stream ends too early")
    return b"".join(parts)
