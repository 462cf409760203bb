"""One client connection: the hot path. Bytes in, answers out, in order.

One port takes everything: TLS (by its first byte), SOCKS, CONNECT, absolute-form and plain requests. An asyncio
protocol class rather than a sans-io core with a driver, because at 30,000 requests a second the split costs a
call and an object a request; what is decided (matching, rendering, faults) lives in pure modules.

An answer that is ready goes out at once. One that waits (delay, passthrough) holds a slot, and later ones queue
behind it; at PIPELINE_MAX waiting slots, or when the client reads too slowly, reading stops.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from typing import Protocol, cast

import httptools

from speedscale_runtime.protocols.preamble import Kind, Preamble
from speedscale_schemas.errors import PeerError

from .live import Headers, Live, Target
from .tlslayer import TlsLayer

PIPELINE_MAX = 64
BODY_MAX = 64 * 1024 * 1024
HEAD_MAX = 128 * 1024
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_BAD = b"HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
_RESET = struct.pack("ii", 1, 0)


class Slot:
    """The place of one answer in the order of a connection; parts may come before it is its turn."""

    __slots__ = ("_connection", "close", "done", "parts")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.parts: list[bytes] = []
        self.done = self.close = False

    def write(self, data: bytes) -> None:
        """Send a part as soon as it is this slot's turn."""
        self._connection.slot_write(self, data)

    def finish(self, data: bytes = b"", *, close: bool = False) -> None:
        """End the answer, with a last part; `close` ends the connection behind it."""
        if data:
            self.parts.append(data)
        self.done = True
        self.close = close
        self._connection.slot_done()

    async def drained(self) -> None:
        """Wait until the client has read enough for more parts."""
        await self._connection.drained()

    @property
    def gone(self) -> bool:
        """Whether the client has left."""
        return self._connection.lost


class Handler(Protocol):
    """What a connection needs of its server."""

    def handle(self, connection: Connection, live: Live, keep: bool) -> None:
        """Answer one request: `connection.send`, or a slot."""

    def tls_layer(self) -> TlsLayer | None:
        """Return a new TLS layer, or None when there is no authority."""

    def opened(self, connection: Connection) -> None:
        """A client has come."""

    def closed(self, connection: Connection) -> None:
        """A client has gone."""

    def broken(self, reason: str) -> None:
        """A client broke the protocol."""


class Connection(asyncio.Protocol):
    """The protocol class. `proxy` says whether CONNECT and SOCKS are taken on this port."""

    def __init__(self, handler: Handler, *, proxy: bool) -> None:
        self._handler, self._proxy = handler, proxy
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpRequestParser | None = None
        self._tls: TlsLayer | None = None
        self._preamble: Preamble | None = None
        self._target: Target | None = None
        self._sniffing = True
        self._out: list[bytes] = []
        self._slots: deque[Slot] = deque()
        self._feeding = self._closing = self._half_closed = False
        self._reading = True
        self._drain: asyncio.Event | None = None
        self.lost = False
        self._url: list[bytes] = []
        self._headers: Headers = []
        self._body: list[bytes] = []
        self._body_size = self._head_size = 0

    # --- asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own class
        self._handler.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of whoever waits."""
        self.lost = True
        if self._drain is not None:
            self._drain.set()
        self._slots.clear()
        self._handler.closed(self)

    def eof_received(self) -> bool:
        """A client may close its half while answers are due."""
        self._half_closed = True
        return bool(self._slots)

    def pause_writing(self) -> None:
        """The client reads too slowly."""
        self._drain = asyncio.Event()
        self._pace()

    def resume_writing(self) -> None:
        """The client has caught up."""
        if self._drain is not None:
            self._drain.set()
            self._drain = None
        self._pace()

    def data_received(self, data: bytes) -> None:
        """Take bytes from the wire; everything they cause goes out in one write."""
        self._feeding = True
        try:
            if self._tls is not None:
                data = self._tls.feed(data)
            if data:
                self._feed(data)
        except PeerError as error:
            self._break(error.reason)
        except httptools.HttpParserError:
            self._break("http", _BAD % b"400 Bad Request")
        finally:
            self._feeding = False
        self._flush()
        if self._tls is not None and self._tls.closed and not self._slots:
            self.close()

    # --- what is spoken

    def _feed(self, data: bytes) -> None:
        while data and not self._closing:
            if self._preamble is not None:
                data = self._greet(data)
            elif self._sniffing:
                data = self._sniff(data)
            else:
                data = self._parse(data)

    def _sniff(self, data: bytes) -> bytes:
        self._sniffing = False
        first = data[0]
        if first == 0x16 and self._tls is None:
            self._flush()  # what was said before TLS goes out plain
            self._tls = self._handler.tls_layer()
            if self._tls is None:
                raise PeerError("tls", "TLS without an authority")
            if self._target is not None:
                self._target = Target(self._target.host, self._target.port, True)
            self._sniffing = True
            return self._tls.feed(data)
        if first in (4, 5) and self._proxy and self._target is None:
            self._preamble = Preamble()
            return data
        self._parser = httptools.HttpRequestParser(self)
        return data

    def _greet(self, data: bytes) -> bytes:
        assert self._preamble is not None
        result = self._preamble.feed(data)
        if self._preamble.outgoing:
            self._out.append(self._preamble.outgoing)
            self._preamble.outgoing = b""
        if result is None:
            return b""
        self._preamble = None
        if result.kind not in (Kind.SOCKS4, Kind.SOCKS5):
            raise PeerError("socks", result.cause)
        self._out.append(result.reply_ok)
        self._target = Target(result.host, result.port, False)
        self._sniffing = True
        return result.rest

    def _parse(self, data: bytes) -> bytes:
        assert self._parser is not None
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            rest = data[upgrade.args[0] :]
            # An upgrade that is offered (h2c, WebSocket) is not taken: the request has been answered, HTTP goes on.
            if not self._sniffing:
                self._parser = httptools.HttpRequestParser(self)
            return rest
        return b""

    # --- httptools

    def on_message_begin(self) -> None:
        """Start a request."""
        self._url, self._headers, self._body = [], [], []
        self._body_size = self._head_size = 0

    def on_url(self, url: bytes) -> None:
        """Take a part of the request target."""
        self._url.append(url)
        self._grow(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one header."""
        self._headers.append((name, value))
        self._grow(len(name) + len(value))
        if len(name) == 6 and name.lower() == b"expect" and value.lower() == b"100-continue" and not self._slots:
            self._out.append(_CONTINUE)

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._body_size += len(body)
        if self._body_size > BODY_MAX:
            self._break("body-too-long", _BAD % b"413 Content Too Large")
        else:
            self._body.append(body)

    def on_message_complete(self) -> None:
        """Answer, or open the tunnel that CONNECT asks for."""
        parser = self._parser
        if parser is None or self._closing:
            return
        method = parser.get_method()
        url = self._url[0] if len(self._url) == 1 else b"".join(self._url)
        if method == b"CONNECT":
            self._connect(url)
            return
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        live = Live(method, url, parser.get_http_version(), self._headers, body)
        if live.target is None:
            live.target = self._target
        elif not self._proxy:
            live.target = None
        live.tls = self._tls is not None or (live.target is not None and live.target.tls)
        self._handler.handle(self, live, parser.should_keep_alive())

    def _grow(self, size: int) -> None:
        self._head_size += size
        if self._head_size > HEAD_MAX:
            self._break("head-too-long", _BAD % b"431 Request Header Fields Too Large")

    def _connect(self, authority: bytes) -> None:
        host, colon, port = authority.decode("latin-1").rpartition(":")
        if not self._proxy or not colon or not port.isdecimal() or not 0 < int(port) < 65536 or not host:
            self._break("connect", _BAD % b"400 Bad Request")
            return
        self._target = Target(host.strip("[]"), int(port), False)
        self._out.append(b"HTTP/1.1 200 Connection established\r\n\r\n")
        self._sniffing = True

    # --- answers

    @property
    def idle(self) -> bool:
        """Whether an answer may go out at once."""
        return not self._slots

    def send(self, data: bytes, *, close: bool = False) -> None:
        """Send a whole answer in its turn."""
        if self._slots:
            self.slot().finish(data, close=close)
            return
        self._out.append(data)
        self._closing = self._closing or close
        if not self._feeding:
            self._flush()

    def slot(self) -> Slot:
        """Return a place for an answer that comes later."""
        slot = Slot(self)
        self._slots.append(slot)
        if len(self._slots) >= PIPELINE_MAX:
            self._pace()
        return slot

    def slot_write(self, slot: Slot, data: bytes) -> None:
        """See Slot.write."""
        if self._slots and self._slots[0] is slot:
            self._out.append(data)
            if not self._feeding:
                self._flush()
        else:
            slot.parts.append(data)

    def slot_done(self) -> None:
        """Send what has its turn now."""
        while self._slots:
            slot = self._slots[0]
            self._out += slot.parts
            slot.parts.clear()
            if not slot.done:
                break
            self._slots.popleft()
            if slot.close:
                self._closing = True
                self._slots.clear()
        if not self._feeding:
            self._flush()
        self._pace()

    async def drained(self) -> None:
        """Wait while the client reads too slowly."""
        if self._drain is not None:
            await self._drain.wait()

    def abort(self, *, reset: bool) -> None:
        """End the connection without a word; `reset` lets the client see a reset instead of an end."""
        if self._transport is None:
            return
        sock = self._transport.get_extra_info("socket")
        if reset and sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._out.clear()
        self._closing = True
        self._transport.abort()

    def close(self) -> None:
        """End the connection after what was written."""
        if self._transport is not None:
            self._transport.close()

    def _flush(self) -> None:
        transport = self._transport
        if transport is None or self.lost:
            return
        data = self._out[0] if len(self._out) == 1 else b"".join(self._out)
        if self._tls is not None:
            if data:
                self._tls.write(data)
            data = self._tls.outgoing()
        self._out.clear()
        if data:
            transport.write(data)
        if (self._closing or self._half_closed) and not self._slots:
            transport.close()

    def _pace(self) -> None:
        """Read only while answers find room."""
        wanted = self._drain is None and len(self._slots) < PIPELINE_MAX
        if wanted != self._reading and self._transport is not None and not self.lost:
            self._reading = wanted
            if wanted:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    def _break(self, reason: str, answer: bytes = b"") -> None:
        if self._closing:
            return
        self._handler.broken(reason)
        if answer:
            self._out.append(answer)
        self._closing = True
