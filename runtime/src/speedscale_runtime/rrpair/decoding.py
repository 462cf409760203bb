"""Content codings of bodies: undone for looking at them, done again to put a changed body back.

Called by redaction, signatures and reports. Pure. What is decoded is bounded in size and in ratio, so that a small
hostile body cannot fill memory. Recorders often store a body decoded and leave `Content-Encoding` as it was (tag
`decoded`); a body that evidently is not coded is therefore returned as it is.

Source: RFC 9110 section 8.4 (codings are listed in the order they were applied), RFC 1950 to 1952, 7932, 8878.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import brotli
import zstandard

from speedscale_schemas.errors import PeerError

SIZE_MAX = 64 * 1024 * 1024
"""Largest decoded body in bytes; the same as a frame's."""

RATIO_MAX = 1100
"""Decoded bytes per coded byte; deflate cannot exceed 1032. Bodies below `RATIO_FREE` bytes are not judged."""

RATIO_FREE = 1024 * 1024

CODINGS_MAX = 8
_CHUNK = 256 * 1024

# The zstd reader does not tell a body that ends too early from one that is whole; a frame put behind it does.
_ZSTD_END = b"-- behind the last frame --"
_ZSTD_END_FRAME = zstandard.ZstdCompressor(level=1).compress(_ZSTD_END)


def codings(headers: Mapping[str, Any] | None) -> list[str]:
    """Return the content codings in the order they were applied, lower case, without `identity`.

    `headers` maps names to a value or a list of values; anything else in it is passed over.
    """
    names: list[str] = []
    for name, values in (headers or {}).items():
        if isinstance(name, str) and name.casefold() == "content-encoding":
            for value in values if isinstance(values, list | tuple) else [values]:
                names += [part.strip().casefold() for part in str(value or "").split(",")]
    return [name for name in names if name not in ("", "identity")]


def decoded(body: bytes, headers: Mapping[str, Any] | None, *, size_max: int = SIZE_MAX) -> bytes:
    """Return the body with its content codings undone (gzip, deflate, br, zstd, any number up to eight).

    `headers` are the message's, names in any case; `size_max` in bytes. Raises PeerError with reason
    `content-coding` (unknown, broken or cut short) or `content-coding-size` (over the caps).
    """
    names = codings(headers)
    if len(names) > CODINGS_MAX:
        raise PeerError("content-coding", f"{len(names)} codings; at most {CODINGS_MAX} are undone")
    for name in reversed(names):
        if not body:
            return body
        undo = _UNDO.get(name)
        if undo is None:
            raise PeerError("content-coding", f"{name[:40]!r} is unknown; known are {', '.join(sorted(_UNDO))}")
        body = undo(body, size_max)
    return body


def encoded(body: bytes, headers: Mapping[str, Any] | None) -> bytes:
    """Return the body coded as its headers say; the same input always gives the same bytes.

    Raises PeerError with reason `content-coding` for a coding that is unknown.
    """
    for name in codings(headers):
        code = _CODE.get(name)
        if code is None:
            raise PeerError("content-coding", f"{name[:40]!r} is unknown; known are {', '.join(sorted(_CODE))}")
        body = code(body)
    return body


class _Sink:
    """Collects decoded bytes and refuses what is over the caps."""

    def __init__(self, coded: int, size_max: int) -> None:
        self._max = min(size_max, max(RATIO_FREE, coded * RATIO_MAX))
        self._size_max = size_max
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > self._max:
            over = "bytes" if self._max == self._size_max else f"bytes, {RATIO_MAX} for each coded byte"
            raise PeerError("content-coding-size", f"decodes to more than {self._max} {over}")
        self._parts.append(part)

    def value(self) -> bytes:
        return b"".join(self._parts)


def _inflate(body: bytes, wbits: int, sink: _Sink) -> bytes:
    """Undo one deflate stream into the sink and return what follows it."""
    stream = zlib.decompressobj(wbits)
    rest = body
    while not stream.eof:
        try:
            part = stream.decompress(rest, _CHUNK)
        except zlib.error as error:
            raise PeerError("content-coding", str(error)) from error
        if not part and not stream.eof and not stream.unconsumed_tail:
            raise PeerError("content-coding", "the coded body is cut short")
        sink.add(part)
        rest = stream.unconsumed_tail
    return stream.unused_data


def _gunzip(body: bytes, size_max: int) -> bytes:
    if body[:2] != b"\x1f\x8b":
        return body
    sink, rest = _Sink(len(body), size_max), body
    while rest[:2] == b"\x1f\x8b":  # a gzip file may have several members; anything else behind one is padding
        rest = _inflate(rest, 31, sink)
    return sink.value()


def _undeflate(body: bytes, size_max: int) -> bytes:
    """`deflate` means zlib (RFC 9110); some senders leave the wrapper off, so both are tried."""
    failure: PeerError | None = None
    for wbits in (15, -15):
        sink = _Sink(len(body), size_max)
        try:
            _inflate(body, wbits, sink)
        except PeerError as error:
            if error.reason != "content-coding":
                raise
            failure = failure or error
        else:
            return sink.value()
    return _plain_or(body, failure or PeerError("content-coding"))


def _unbrotli(body: bytes, size_max: int) -> bytes:
    stream, sink = brotli.Decompressor(), _Sink(len(body), size_max)
    try:
        sink.add(stream.process(body, output_buffer_limit=_CHUNK))
        while not stream.is_finished():
            if stream.can_accept_more_data():
                raise PeerError("content-coding", "the coded body is cut short")
            sink.add(stream.process(b"", output_buffer_limit=_CHUNK))
    except brotli.error as error:
        return _plain_or(body, PeerError("content-coding", f"br: {error}"))
    except PeerError as error:
        if error.reason == "content-coding":
            return _plain_or(body, error)
        raise
    return sink.value()


def _unzstd(body: bytes, size_max: int) -> bytes:
    if body[:4] != b"\x28\xb5\x2f\xfd" and not (body[1:4] == b"\x2a\x4d\x18" and 0x50 <= body[0] <= 0x5F):
        return body
    sink = _Sink(len(body), size_max + len(_ZSTD_END))
    stream = zstandard.ZstdDecompressor(max_window_size=max(1024, size_max))
    try:
        with stream.stream_reader(body + _ZSTD_END_FRAME, read_across_frames=True) as reader:
            while part := reader.read(_CHUNK):
                sink.add(part)
    except zstandard.ZstdError as error:
        raise PeerError("content-coding", f"zstd: {error}") from error
    value = sink.value()
    if not value.endswith(_ZSTD_END):
        raise PeerError("content-coding", "the coded body is cut short")
    return value[: -len(_ZSTD_END)]


def _plain_or(body: bytes, failure: PeerError) -> bytes:
    """Return a body that is readable text as it is: it was stored decoded. Otherwise raise the failure."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise failure from None
    if any(char < " " and char not in "\t\n\r" for char in text):
        raise failure
    return body


_UNDO: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "deflate": _undeflate,
    "br": _unbrotli,
    "zstd": _unzstd,
}
_CODE: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda body: gzip.compress(body, 6, mtime=0),
    "x-gzip": lambda body: gzip.compress(body, 6, mtime=0),
    "deflate": lambda body: zlib.compress(body, 6),
    "br": lambda body: bytes(brotli.compress(body, quality=5)),
    "zstd": lambda body: zstandard.ZstdCompressor(level=3).compress(body),
}
