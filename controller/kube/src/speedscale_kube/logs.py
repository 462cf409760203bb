"""A container's log as it is written: lines as bytes, until its end or until somebody closes it.

Made by `Client.follow_log`. Reading blocks; `close` from any thread ends it at once. A line longer than `LINE_BYTES`
comes in pieces of that size, so that a program that never ends its line costs no memory. Who reads slowly holds the
connection back, and with it the API server and kubelet: nothing is read ahead here but one piece.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from urllib3.exceptions import HTTPError

from .errors import UnreachableError
from .held import Held

LINE_BYTES = 64 * 1024
_CHUNK_BYTES = 16 * 1024


class Line(NamedTuple):
    """A line without its line feed; `whole` is False for all pieces of a long one but the last."""

    data: bytes
    whole: bool


class LogStream(Held):
    """An open log; iterate over it once, in a `with` block."""

    def __iter__(self) -> Iterator[Line]:
        """Yield lines; UnreachableError when the connection breaks off."""
        rest = b""
        for chunk in self._chunks():
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                yield from _pieces(line)
            while len(rest) >= LINE_BYTES:
                yield Line(rest[:LINE_BYTES], False)
                rest = rest[LINE_BYTES:]
        if rest and not self._closed:
            yield Line(rest, True)

    def _chunks(self) -> Iterator[bytes]:
        raw = self._response.raw
        try:
            if raw.chunked:
                yield from raw.read_chunked(_CHUNK_BYTES)
            else:
                while chunk := raw.read1(_CHUNK_BYTES):
                    yield chunk
        except (HTTPError, OSError, ValueError) as broken:  # ValueError: closed under the reader
            if not self._closed:
                raise UnreachableError(f"{self._where} broke off: {broken}", 0.0) from broken


def _pieces(line: bytes) -> Iterator[Line]:
    while len(line) > LINE_BYTES:
        yield Line(line[:LINE_BYTES], False)
        line = line[LINE_BYTES:]
    yield Line(line, True)
