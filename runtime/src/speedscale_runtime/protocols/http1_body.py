"""Bodies of HTTP/1 messages: where one ends, and as much of it as may be kept.

Used by `http1` (which keeps bodies) and `forward` (which keeps none). Each class has `feed(data, pos) -> pos`,
`done`, and a `Capture`. Chunk lines must end in CRLF: readers differ over bare line feeds there, and a guess
could pair a request with the wrong answer.
"""

from __future__ import annotations

import re

from .exchange import Cause, Headers
from .http1_head import ParseError, fields

_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n\0]*)?\r\n")
CHUNK_LINE_MAX = 4096


class Capture:
    """The first `limit` bytes of what was added, and the length of all of it."""

    __slots__ = ("_kept", "_limit", "length")

    def __init__(self, limit: int) -> None:
        self._kept: bytes | bytearray = b""
        self._limit = limit
        self.length = 0

    @property
    def kept(self) -> int:
        """How many bytes are kept."""
        return len(self._kept)

    def add(self, data: bytes, start: int, stop: int) -> None:
        """Add data[start:stop]."""
        room = self._limit - len(self._kept)
        self.length += stop - start
        if room <= 0:
            return
        piece = data[start : min(stop, start + room)]
        if not self._kept:
            self._kept = piece
        elif isinstance(self._kept, bytearray):
            self._kept += piece
        else:
            self._kept = bytearray(self._kept)
            self._kept += piece

    def skip(self, count: int) -> None:
        """Count bytes that were not seen: only what came before them is kept, so that it is the body's beginning."""
        self._limit = len(self._kept)
        self.length += count

    def bytes(self) -> bytes:
        """Return what was kept."""
        return bytes(self._kept)


class LengthBody:
    """A body of a known number of bytes."""

    __slots__ = ("_left", "capture", "done", "trailers")

    def __init__(self, length: int, capture: Capture) -> None:
        self._left = length
        self.capture = capture
        self.done = length == 0
        self.trailers: Headers = []

    def feed(self, data: bytes, pos: int) -> int:
        """Take data from `pos` on; return the position behind the body's part of it."""
        stop = min(len(data), pos + self._left)
        self.capture.add(data, pos, stop)
        self._left -= stop - pos
        self.done = self._left == 0
        return stop

    def skip(self, count: int) -> bool:
        """Take `count` bytes that were not seen; False when the body ends somewhere among them."""
        if count > self._left:
            return False
        self.capture.skip(count)
        self._left -= count
        self.done = self._left == 0
        return True


class CloseBody:
    """A response body that ends with the connection; whoever sees that end sets `done`."""

    __slots__ = ("capture", "done", "trailers")

    def __init__(self, capture: Capture) -> None:
        self.capture = capture
        self.done = False
        self.trailers: Headers = []

    def feed(self, data: bytes, pos: int) -> int:
        """Take all data from `pos` on."""
        self.capture.add(data, pos, len(data))
        return len(data)

    def skip(self, count: int) -> bool:
        """Take `count` bytes that were not seen."""
        self.capture.skip(count)
        return True


class ChunkedBody:
    """A body in chunks (RFC 9112 section 7.1); extensions are passed over, trailers are kept.

    ParseError BAD_CHUNK, BAD_HEADER (in a trailer), or HEAD_TOO_LONG when trailers exceed `trailer_max` bytes.
    """

    __slots__ = ("_in_trailer", "_left", "_line", "_trailer", "_trailer_max", "capture", "done", "trailers")

    def __init__(self, capture: Capture, trailer_max: int) -> None:
        self.capture = capture
        self.done = False
        self.trailers: Headers = []
        self._trailer_max = trailer_max
        self._left = 0  # of the chunk's data and the CRLF behind it
        self._line = b""
        self._trailer = bytearray()
        self._in_trailer = False

    def feed(self, data: bytes, pos: int) -> int:
        """Take data from `pos` on; return the position behind the body's part of it."""
        end = len(data)
        while pos < end and not self.done:
            pos = self._data(data, pos, end) if self._left else self._lines(data, pos, end)
        return pos

    def skip(self, count: int) -> bool:
        """Take `count` bytes that were not seen; False unless all of them are data of one chunk."""
        if count > self._left - 2:
            return False
        self.capture.skip(count)
        self._left -= count
        return True

    def _data(self, data: bytes, pos: int, end: int) -> int:
        payload = self._left - 2
        if payload > 0:
            stop = min(end, pos + payload)
            self.capture.add(data, pos, stop)
            self._left -= stop - pos
            pos = stop
        while self._left <= 2 and self._left and pos < end:
            if data[pos] != (0x0D if self._left == 2 else 0x0A):
                raise ParseError(Cause.BAD_CHUNK)
            self._left -= 1
            pos += 1
        return pos

    def _lines(self, data: bytes, pos: int, end: int) -> int:
        limit = self._trailer_max - len(self._trailer) if self._in_trailer else CHUNK_LINE_MAX
        stop = data.find(b"\n", pos, pos + limit + 1 - len(self._line)) + 1
        if not stop:
            self._line += data[pos : pos + limit + 1 - len(self._line)]
            if len(self._line) > limit:
                raise ParseError(Cause.HEAD_TOO_LONG if self._in_trailer else Cause.BAD_CHUNK)
            return end
        line = self._line + data[pos:stop]
        self._line = b""
        if self._in_trailer:
            self._trailer_line(line)
            return stop
        match = _CHUNK_LINE.fullmatch(line)
        if match is None:
            raise ParseError(Cause.BAD_CHUNK)
        size = int(match[1], 16)
        if size:
            self._left = size + 2
        else:
            self._in_trailer = True
        return stop

    def _trailer_line(self, line: bytes) -> None:
        self._trailer += line
        if line != b"\r\n":
            if not line.endswith(b"\r\n"):
                raise ParseError(Cause.BAD_CHUNK)
            return
        if len(self._trailer) > 2:
            self.trailers = fields(bytes(self._trailer), 0)
        self._trailer = bytearray()
        self.done = True


Body = LengthBody | CloseBody | ChunkedBody
