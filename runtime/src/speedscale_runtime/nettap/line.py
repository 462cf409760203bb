"""The line from capture: one unix stream socket on which this side listens, and the frames that come over it.

Made by `service`. One capture at a time: a second one ends the first. What is no frame ends the line, with a reason and
a count; capture comes again by itself. Only root and our own user may connect. When we are slow, the line fills up and
capture counts what it cannot send: nothing here holds more than a piece of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
from typing import Any, Protocol

import orjson
import structlog

from . import wire
from .counters import Counters

_CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid

log = structlog.get_logger()


class Taker(Protocol):
    """What takes the frames."""

    def on_hello(self, line: Line, hello: dict[str, Any]) -> None:
        """Capture is there."""
        ...

    def on_frame(self, line: Line, kind: int, body: bytes) -> None:
        """Take any other frame; BadFrame ends the line."""
        ...

    def on_lost(self, line: Line) -> None:
        """Capture is gone."""
        ...


class Line(asyncio.Protocol):
    """One connection of a capture process."""

    def __init__(self, taker: Taker, counters: Counters) -> None:
        self._taker, self._counters = taker, counters
        self._decoder = wire.Decoder()
        self._transport: Any = None
        self.greeted = False

    def connection_made(self, transport: Any) -> None:
        """Capture connected; it speaks first."""
        self._transport = transport
        self._counters.lines += 1
        if not _trusted(transport.get_extra_info("socket")):
            log.warning("line_refused", reason="peer is neither root nor this user")
            self.close()

    def data_received(self, data: bytes) -> None:
        """Take a piece of the line."""
        counters = self._counters
        counters.line_bytes += len(data)
        try:
            frames = self._decoder.feed(data)
            counters.frames += len(frames)
            for kind, body in frames:
                if not self.greeted:
                    self._greet(kind, body)
                else:
                    self._taker.on_frame(self, kind, body)
        except wire.BadFrame as error:
            counters.bad_lines[error.reason] += 1
            log.error("line_broken", reason=str(error))
            self.close()

    def _greet(self, kind: int, body: bytes) -> None:
        if kind != wire.Type.HELLO:
            raise wire.BadFrame(wire.BadLine.NO_HELLO, f"the first frame is of type {kind}")
        self.greeted = True
        self._taker.on_hello(self, document(body))

    def send(self, data: bytes) -> None:
        """Send frames to capture."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        """End the line."""
        if self._transport is not None:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """The line is over."""
        if self.greeted:
            self.greeted = False
            self._taker.on_lost(self)


def document(body: bytes) -> dict[str, Any]:
    """Return the JSON object in a HELLO or STATS; BadFrame."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise wire.BadFrame(wire.BadLine.TEXT, "a document that is no JSON") from None
    if not isinstance(found, dict):
        raise wire.BadFrame(wire.BadLine.TEXT, "a document that is no object")
    return found


def listen(path: str) -> socket.socket:
    """Return a listening socket at `path`, in place of what an earlier process left there; OSError."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        sock.bind(path)
        # Capture is root without the right to pass over permissions; who it is, is asked of the kernel.
        os.chmod(path, 0o666)
        sock.listen(4)
    except OSError:
        sock.close()
        raise
    return sock


def _trusted(sock: Any) -> bool:
    raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, uid, _ = _CREDENTIALS.unpack(raw)
    return uid in (0, os.getuid())
