"""The data path: bytes of one connection go from one end to the other, and then a copy is looked at.

One `Flow` per client connection with two `Ends` (protocol classes of the event loop: no streams, no task or
coroutine per request). Core and driver are merged here, because on this path a call costs what a request may cost.

Law of this module: bytes go on first. `data_received` writes them to the other end's socket at once, and only what
the kernel does not take goes through the loop's buffer, whose high-water mark pauses the sender. The copy waits in
the hub for a quiet moment. Whatever goes wrong in looking at bytes is counted and
ends the looking, never the connection.

What decides where a connection goes is in `inbound` and `outbound`, what both share in `dialled` and `sniffed`; TLS is
in `tls_intercept`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
import time
from collections.abc import Callable
from typing import Any

from speedscale_runtime.protocols import clienthello
from speedscale_runtime.protocols.detect import Detector, Protocol
from speedscale_runtime.protocols.exchange import Exchange, Mode
from speedscale_runtime.protocols.http1 import Observer
from speedscale_runtime.recording import ledger as slots
from speedscale_runtime.recording.capture import Facts
from speedscale_runtime.recording.causes import Opaque, Refuse, Side
from speedscale_schemas.errors import PeerError

from .destination import address
from .hub import Hub

_os_write = os.write
_time_ns = time.time_ns
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, 0 s: closing sends RST
_DETECT_BYTES = 2048


class End(asyncio.Protocol):
    """One socket of a flow."""

    __slots__ = ("buffered", "bytes", "eof", "fd", "flow", "other", "tap", "transport")

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.transport: Any = None
        self.fd = -1  # -1 from the moment that the transport closes: a number may be reused
        self.other: End | None = None  # None: where bytes go is not known yet, the flow takes them
        self.tap: Callable[[End, bytes], None] | None = None  # takes a copy of what came from here
        self.buffered = False  # the loop's buffer towards this end may hold bytes
        self.eof = False
        self.bytes = 0

    def connection_made(self, transport: Any) -> None:
        """Take the transport; the flow of a client begins here."""
        self.transport = transport
        self.fd = _descriptor(transport)
        self.flow.on_connected(self)

    def data_received(self, data: bytes) -> None:
        """Pass bytes on, then let them be looked at."""
        self.bytes += len(data)
        other = self.other
        if other is None:
            self.flow.on_early(self, data)
            return
        if other.buffered:
            other.write(data)
        else:
            try:
                sent = _os_write(other.fd, data)
            except BlockingIOError:
                sent = 0
            except OSError as error:
                self.flow.on_broken(other, error)
                return
            if sent != len(data):
                other.buffered = True
                other.transport.write(data[sent:])
        tap = self.tap
        if tap is not None:
            tap(self, data)

    def write(self, data: bytes) -> None:
        """Write to this end, behind what is buffered."""
        transport = self.transport
        if self.fd < 0 or transport.is_closing():
            return
        if self.buffered and transport.get_write_buffer_size() == 0:
            self.buffered = False
        if self.buffered:
            transport.write(data)
            return
        try:
            sent = _os_write(self.fd, data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self.flow.on_broken(self, error)
            return
        if sent != len(data):
            self.buffered = True
            transport.write(data[sent:])

    def pause_writing(self) -> None:
        """This end reads slower than the other one sends."""
        self.flow.on_slow(self, True)

    def resume_writing(self) -> None:
        """It caught up."""
        self.flow.on_slow(self, False)

    def eof_received(self) -> bool:
        """It will send no more; it may still read."""
        self.eof = True
        self.flow.on_eof(self)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self.fd = -1
        self.flow.on_lost(self, exc)

    def close(self) -> None:
        """Write what is buffered, then close."""
        self.fd = -1
        if self.transport is not None:
            self.transport.close()

    def shut(self) -> None:
        """Write what is buffered, then say that no more will come."""
        if self.transport is not None and not self.transport.is_closing() and self.transport.can_write_eof():
            try:
                self.transport.write_eof()
            except (OSError, RuntimeError):
                self.abort()

    def abort(self, reset: bool = False) -> None:
        """Close at once; with `reset`, so that the peer sees an error and not an end."""
        fd, self.fd = self.fd, -1
        if self.transport is None or self.transport.is_closing():
            return
        if reset and fd >= 0:
            with contextlib.suppress(OSError):
                self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.transport.abort()


class Flow:
    """One connection of a client and the one that serves it."""

    __slots__ = (
        "client",
        "ended",
        "exchanges",
        "facts",
        "hub",
        "observer",
        "opaque",
        "server",
        "server_first",
        "side",
        "slow_hold",
        "started_ns",
    )

    def __init__(self, hub: Hub, side: Side) -> None:
        self.hub = hub
        self.side = side
        self.client = End(self)
        self.server: End | None = None
        self.observer: Observer | None = None
        self.opaque: Opaque | None = None
        self.exchanges = 0
        self.server_first = b""  # what a server said before both ends were joined
        self.started_ns = _time_ns()
        self.facts = Facts(0, side, ("", 0), self.started_ns)
        self.ended = False
        self.slow_hold = False

    # -- life

    def on_connected(self, end: End) -> None:
        """A client was accepted, or its server was reached."""
        _tune(end.transport)
        if end is self.client:
            hub = self.hub
            hub.cells[slots.OPENED[self.side]] += 1
            hub.flows.add(self)
            self.facts = Facts(hub.next_number(), self.side, _peer(end.transport), self.started_ns)
            self.begin()
        else:
            self.facts.server = _peer(end.transport)
            self.facts.server_ns = _time_ns()

    def begin(self) -> None:
        """Find out where the client wants to go; subclasses do."""
        raise NotImplementedError

    def on_early(self, end: End, data: bytes) -> None:
        """Take bytes of an end while it is not decided where they go; subclasses do."""
        raise NotImplementedError

    def observe(self) -> None:
        """Begin to look for HTTP/1 in what passes."""
        hub = self.hub
        self.observer = Observer(
            self.on_exchange,
            max_body_bytes=hub.settings.max_body_bytes,
            max_head_bytes=hub.settings.max_head_bytes,
            known=hub.known,
        )

    def join(self, server: End, first: bytes = b"") -> None:
        """Connect both ends to each other; `first` are bytes of the client that go before all others."""
        client = self.client
        self.server = server
        server.other = client
        client.other = server
        if self.observer is not None:
            client.tap = server.tap = self.hub.note
        if first:
            server.write(first)
            if client.tap is not None:
                client.tap(client, first)
        self.release_server_first()
        if client.eof and not self.ended:
            server.shut()
        self.resume(client)

    def release_server_first(self) -> None:
        """Pass on what the server said before the client could be told."""
        data, self.server_first = self.server_first, b""
        if data and self.server is not None:
            self.client.write(data)
            if self.server.tap is not None:
                self.server.tap(self.server, data)

    def resume(self, end: End) -> None:
        """Read on from an end that was paused."""
        if not end.transport.is_closing() and not end.transport.is_reading():
            end.transport.resume_reading()

    def on_slow(self, end: End, slow: bool) -> None:
        """Pause or resume whoever sends to `end`."""
        source = self.server if end is self.client else self.client
        if source is None or source.transport is None or source.transport.is_closing():
            return
        if slow:
            source.transport.pause_reading()
        else:
            if end.transport.get_write_buffer_size() == 0:
                end.buffered = False
            source.transport.resume_reading()

    def on_eof(self, end: End) -> None:
        """Pass an end of stream on; close when both directions ended."""
        other = self.server if end is self.client else self.client
        self._tell_eof(end)
        if other is None:
            return
        if other.eof:
            self.client.close()
            other.close()
            end.close()
        elif other.transport is not None:
            other.shut()

    def on_broken(self, end: End, error: OSError) -> None:
        """Writing to an end failed."""
        end.abort()
        self._end(end, error)

    def on_lost(self, end: End, error: Exception | None) -> None:
        """An end is gone; let the other one know in the same way."""
        self._end(end, error)

    def on_tls_alert(self, end: End, reason: str) -> None:
        """A peer of a connection with TLS sent an alert, or broke the protocol."""

    def _end(self, end: End, error: Exception | None) -> None:
        other = self.server if end is self.client else self.client
        if other is not None and other.transport is not None:
            if isinstance(error, ConnectionResetError):
                other.abort(reset=True)
            else:
                other.close()
        if self.ended:
            return
        self.hub.look()
        self.ended = True
        now = _time_ns()
        if self.observer is not None:
            self._guarded(self.observer.close, now, "client_gone" if end is self.client else "server_gone")
        self._finish(now)

    def _finish(self, now_ns: int) -> None:
        """Write the record of a connection that was not understood; close the books."""
        hub, facts = self.hub, self.facts
        self._count_bytes()
        cells = hub.cells
        cells[slots.CLOSED[self.side]] += 1
        cells[slots.BYTES[self.side]] += facts.bytes_in + facts.bytes_out
        hub.flows.discard(self)
        if self.opaque is None and self.observer is None and self.server is not None:
            self.opaque = Opaque.NOT_HTTP
            cells[slots.OPAQUE[self.opaque]] += 1
        recordable = self.opaque is not None and self.opaque is not Opaque.UPGRADED
        if recordable and (facts.bytes_in or facts.bytes_out):
            hub.outbox.add_opaque(facts, self.started_ns, now_ns)
        if hub.diary is not None:
            hub.diary.note(facts, self.opaque, self.exchanges, now_ns)
        client, server = self.client, self.server
        client.tap = None
        if server is not None:
            server.tap = None
        self.observer = None
        hub.on_flow_ended()

    def _count_bytes(self) -> None:
        self.facts.bytes_in = self.client.bytes
        self.facts.bytes_out = self.server.bytes if self.server is not None else 0

    def drop_client(self, cause: Refuse, reply: bytes = b"") -> None:
        """Tell a client that it gets no connection, and count why."""
        self.hub.cells[slots.REFUSED[cause]] += 1
        if reply:
            self.client.write(reply)
            self.client.close()
        else:
            self.client.abort(reset=True)

    @property
    def idle(self) -> bool:
        """Whether the connection is between two exchanges: nothing was begun since the last one ended."""
        self.hub.look()
        return self.observer is not None and self.exchanges > 0 and self.observer.between

    def close(self) -> None:
        """End the connection after what is buffered was written."""
        self.client.close()
        if self.server is not None:
            self.server.close()

    def abort(self) -> None:
        """End the connection now."""
        for end in (self.client, self.server):
            if end is not None and end.transport is not None:
                end.abort()
                if end.transport.is_closing() and not self.ended:
                    self._end(end, None)

    # -- looking

    def on_exchange(self, exchange: Exchange) -> None:
        """Take a finished exchange from the observer."""
        self.exchanges += 1
        self.hub.outbox.add(self.facts, exchange)

    def _tell_eof(self, end: End) -> None:
        self.hub.look()
        observer = self.observer
        if observer is not None:
            told = observer.request_eof if end is self.client else observer.response_eof
            self._guarded(told, _time_ns())

    def _guarded(self, call: Any, *args: Any) -> None:
        try:
            call(*args)
        except Exception as error:
            self.on_fault(error)

    def stop_looking(self, data: bytes, *, from_client: bool) -> None:
        """The observer understands no more: count why, name the protocol if possible, pass bytes on unseen."""
        observer = self.observer
        if observer is None:
            return
        if observer.mode is Mode.TUNNEL:
            cause = Opaque.UPGRADED
        elif self.exchanges:
            cause = Opaque.PARSE_ERROR
        else:
            self._detect(data, from_client)
            cause = Opaque.TLS_NOT_INTERCEPTED if self.facts.detected == "tls" else Opaque.NOT_HTTP
        self.become_opaque(cause)

    def become_opaque(self, cause: Opaque) -> None:
        """Look no more."""
        self.opaque = cause
        self.hub.cells[slots.OPAQUE[cause]] += 1
        self.observer = None
        self.client.tap = None
        if self.server is not None:
            self.server.tap = None

    def _detect(self, data: bytes, from_client: bool) -> None:
        try:
            detector, first = Detector(), data[:_DETECT_BYTES]
            found = detector.feed_client(first) if from_client else detector.feed_server(first)
            self.facts.detected = found.value if found is not None else ""
            if found is Protocol.TLS:
                with contextlib.suppress(clienthello.NeedMore, PeerError):
                    self.facts.sni = clienthello.parse(data).sni
        except Exception as error:
            self.hub.on_fault(error)

    def on_fault(self, error: Exception) -> None:
        """A bug of ours while looking: traffic is not concerned."""
        self.hub.on_fault(error)
        self.become_opaque(Opaque.INTERNAL)


def _descriptor(transport: Any) -> int:
    sock = transport.get_extra_info("socket")
    return int(sock.fileno()) if sock is not None else -1


def _peer(transport: Any) -> tuple[str, int]:
    name = transport.get_extra_info("peername")
    return address(name) if isinstance(name, tuple) and len(name) >= 2 else ("", 0)


def _tune(transport: Any) -> None:
    """No Nagle (uvloop does it, too), and probes that find dead peers."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        with contextlib.suppress(OSError):  # gone already
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
