"""gzip, zlib, raw deflate, Brotli and Zstandard: undone with caps, written back in the same form.

A cap that is reached, or a stream that ends too early, raises Unreadable: the caller fails closed. Nothing is
inflated beyond the cap first. Output is reproducible (no time stamp in gzip).
"""

from __future__ import annotations

import gzip
import re
import zlib

import brotli
import zstandard

from speedscale_runtime.dlp.edits import Edit, Edits, apply, merge, under

from .base import Asks

MAX_PLAIN = 64 * 1024 * 1024
MAX_RATIO = 1200
_MAX_MEMBERS = 4096
_STEP = 65_536
_GZIP = b"\x1f\x8b\x08"
_ZSTD = b"\x28\xb5\x2f\xfd"
_MAX_WINDOW = 1 << 27
_ZSTD_STEP = 1024  # four bytes can stand for 128 KiB, so that a step gives 32 MiB at most
_ZEROS = re.compile(rb"\x00*")


class Unreadable(Exception):
    """The content cannot be decoded, or only past a cap; `args[0]` says why, `partial` how many bytes came before."""

    def __init__(self, why: str, partial: int = 0) -> None:
        super().__init__(why)
        self.partial = partial


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
    limit = _limit(data)
    try:
        if coding in ("gzip", "x-gzip"):
            return _members(data, limit)
        if coding == "deflate":
            plain, used = _inflated(data, 0, 15 if magic(data) == "deflate" else -15, limit)
            if used != len(data):
                raise EOFError("bytes behind the end of the stream")
            return plain
        if coding == "br":
            return _brotli(data, limit)
        if coding == "zstd":
            return _zstd(data, limit)
    except (brotli.error, EOFError) as error:
        raise Unreadable(f"broken {coding}: {error}") from error
    raise Unreadable(f"unknown content coding {coding!r}")


def leading(coding: str, data: bytes) -> tuple[bytes, int]:
    """Return the plain bytes of the gzip or zstd stream that the data begins with, and how many bytes it took."""
    limit = _limit(data)
    return _inflated(data, 0, 31, limit) if coding == "gzip" else _frame(data, 0, limit)


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
        return engine.blob(data, depth)
    if depth > 12:
        return [engine.whole(data, "compressed inside more than eight encodings")]
    try:
        plain = decompress(coding, data)
    except Unreadable as why:
        return [engine.whole(data, str(why))] if coding != "deflate" else engine.blob(data, depth)
    engine.spend(len(plain))
    inner = merge(nested(engine, plain, depth + 1))
    if not inner:
        return []
    notes = tuple(n for e in inner for n in under(e.notes, f"|{coding}"))
    return [Edit(0, len(data), compress(coding, apply(plain, inner), data), notes)]


def _limit(data: bytes) -> int:
    return min(MAX_PLAIN, max(len(data), 64) * MAX_RATIO)


def _too_large(size: int, limit: int) -> None:
    if size > limit:
        raise Unreadable("more plain bytes than the cap allows", size)


def _members(data: bytes, limit: int) -> bytes:
    """Return what all members of a gzip file hold (RFC 1952 section 2.2); zeros may pad its end."""
    parts: list[bytes] = []
    at = size = 0
    while at < len(data):
        if len(parts) >= _MAX_MEMBERS:
            raise Unreadable(f"more than {_MAX_MEMBERS} members")
        if parts and not data.startswith(_GZIP, at):
            raise EOFError("bytes behind the end of the stream")
        plain, at = _inflated(data, at, 31, limit - size)
        parts.append(plain)
        size += len(plain)
        if data[at : at + 1] == b"\x00":
            at = _ZEROS.match(data, at).end()  # type: ignore[union-attr]
    return b"".join(parts)


def _inflated(data: bytes, at: int, bits: int, limit: int) -> tuple[bytes, int]:
    """Return one deflate stream, undone, and where it ends; bytes are fed in steps, so none is copied often."""
    opened = zlib.decompressobj(bits)
    parts: list[bytes] = []
    size = 0
    view = memoryview(data)
    try:
        while not opened.eof:
            chunk = view[at : at + _STEP]
            if not chunk:
                raise EOFError("the stream ends too early")
            parts.append(opened.decompress(chunk, limit - size + 1))
            size += len(parts[-1])
            _too_large(size, limit)
            at += len(chunk) - len(opened.unused_data) - len(opened.unconsumed_tail)
    except (zlib.error, EOFError) as error:
        raise Unreadable(str(error), size) from error
    return b"".join(parts), at


def _brotli(data: bytes, limit: int) -> bytes:
    opened = brotli.Decompressor()
    parts: list[bytes] = [opened.process(data, output_buffer_limit=_STEP)]
    size = len(parts[0])
    while not opened.is_finished():
        if opened.can_accept_more_data():
            raise EOFError("the stream ends too early")
        parts.append(opened.process(b"", output_buffer_limit=16 * _STEP))
        size += len(parts[-1])
        _too_large(size, limit)
    return b"".join(parts)


def _zstd(data: bytes, limit: int) -> bytes:
    parts: list[bytes] = []
    at = size = 0
    while at < len(data):
        if len(parts) >= _MAX_MEMBERS:
            raise Unreadable(f"more than {_MAX_MEMBERS} frames")
        plain, at = _frame(data, at, limit - size)
        parts.append(plain)
        size += len(plain)
    return b"".join(parts)


def _frame(data: bytes, at: int, limit: int) -> tuple[bytes, int]:
    """Return one Zstandard frame (RFC 8878), undone, and where it ends."""
    opened = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW).decompressobj()
    parts: list[bytes] = []
    size = 0
    view = memoryview(data)
    try:
        while not opened.eof:
            chunk = view[at : at + _ZSTD_STEP]
            if not chunk:
                raise EOFError("the stream ends too early")
            parts.append(opened.decompress(chunk))
            size += len(parts[-1])
            _too_large(size, limit)
            at += len(chunk) - len(opened.unused_data)
    except (zstandard.ZstdError, EOFError) as error:
        raise Unreadable(str(error), size) from error
    return b"".join(parts), at
