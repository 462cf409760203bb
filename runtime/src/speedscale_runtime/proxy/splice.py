"""Pass connections on, byte by byte, while no worker is there: the supervisor's own small data path.

Called by `supervisor` only. Standard library only, no asyncio: it must work when everything else is broken, in a
few megabytes. Nothing is recorded here; each connection is counted as `supervised`. Inbound connections go to the
reverse target; outbound ones say where they want to go (CONNECT, absolute-form, SOCKS). In transparent mode both go
where the kernel says that they were meant to go; one that was meant for us, or comes from us, is refused.

At most `BUFFER` bytes a direction are held: a slow reader slows its sender down. At most `CONNECTIONS` at a time;
beyond that, connections wait in the kernel's backlog.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
from collections import deque
from collections.abc import Callable
from selectors import EVENT_READ, EVENT_WRITE, BaseSelector

from speedscale_runtime.recording import ledger as slots
from speedscale_runtime.recording.causes import Refuse, Side

from .destination import Address, Own, loops, original

TYPE_CHECKING = False  # the typing module costs a megabyte
if TYPE_CHECKING:
    from speedscale_runtime.protocols.preamble import Preamble, Result

BUFFER = 65536
CONNECTIONS = 4096
_RESOLVERS = 32
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, 0 s: closing sends RST

_Resolved = list[tuple[int, tuple[object, ...]]]


class Splicer:
    """All connections that the supervisor passes on itself."""

    def __init__(self, selector: BaseSelector, ledger: slots.Ledger, target: Address | None, pod_ip: str = "") -> None:
        """Take the supervisor's selector; keys registered here have a callable as data, called with the mask.

        `target` is where inbound connections go, None in transparent mode.
        """
        self.selector = selector
        self.ledger = ledger
        self.target = target
        self.own_ports: frozenset[int] = frozenset()
        self.own = Own()
        self._pod_ip = pod_ip
        self.active: set[Connection] = set()
        self._resolved: deque[tuple[Connection, _Resolved]] = deque()
        self._resolving = 0
        self._wake_r, self._wake_w = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        selector.register(self._wake_r, EVENT_READ, self._on_resolved)

    def adopt(self, side: Side, client: socket.socket) -> None:
        """Take an accepted connection."""
        client.setblocking(False)
        self.ledger.cells[slots.SUPERVISED[side]] += 1
        connection = Connection(self, side, client)
        self.active.add(connection)
        if self.target is None:
            self._redirected(connection, client)
        elif side is Side.IN:
            connection.dial(*self.target)
        else:
            connection.listen_for_target()

    def _redirected(self, connection: Connection, client: socket.socket) -> None:
        try:
            local, peer = client.getsockname(), client.getpeername()
        except OSError:
            connection.close()
            return
        target = original(client, local)
        if target is None:
            connection.refuse(Refuse.NO_TARGET)
        elif self.own.holds(peer, target) or loops(target, local, self.own_ports, self._pod_ip):
            connection.refuse(Refuse.LOOP)
        else:
            connection.dial(*target)

    def resolve(self, connection: Connection, host: str, port: int) -> None:
        """Find addresses without blocking the loop: literals at once, names on a thread."""
        try:
            found = _lookup(host, port, socket.AI_NUMERICHOST)
        except OSError:
            found = []
        if found or self._resolving >= _RESOLVERS:
            connection.on_addresses(found)
            return
        import threading

        def work() -> None:
            try:
                addresses = _lookup(host, port, 0)
            except OSError:
                addresses = []
            self._resolved.append((connection, addresses))
            os.write(self._wake_w, b"\0")

        self._resolving += 1
        threading.Thread(target=work, daemon=True).start()

    def _on_resolved(self, mask: int) -> None:
        os.read(self._wake_r, 4096)
        while self._resolved:
            connection, addresses = self._resolved.popleft()
            self._resolving -= 1
            connection.on_addresses(addresses)

    def close(self) -> None:
        """Cut everything."""
        for connection in list(self.active):
            connection.close()
        self.selector.unregister(self._wake_r)
        os.close(self._wake_r)
        os.close(self._wake_w)


def _lookup(host: str, port: int, flags: int) -> _Resolved:
    infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    return [(family, address) for family, _, _, _, address in infos]


class _End:
    """One socket of a connection with what still has to be written to it."""

    __slots__ = ("eof", "mask", "out", "own", "shut", "sock", "up")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.out = bytearray()
        self.eof = False  # it will send no more
        self.shut = False  # we told it that we will send no more
        self.mask = 0
        self.up = False  # connected
        self.own: tuple[Address, Address] | None = None  # where we connected: local address, destination


class Connection:
    """A client, its destination, and the bytes between them."""

    def __init__(self, owner: Splicer, side: Side, client: socket.socket) -> None:
        self.owner = owner
        self.side = side
        self.client = _End(client)
        self.client.up = True
        self.server: _End | None = None
        self.closed = False
        self._addresses: _Resolved = []
        self._preamble: Preamble | None = None
        self._result: Result | None = None
        self._first = b""

    # -- finding the destination

    def listen_for_target(self) -> None:
        """Read from an outbound client until it has said where it wants to go."""
        from speedscale_runtime.protocols.preamble import Preamble

        self._preamble = Preamble()
        self._watch(self.client)

    def _on_preamble(self, data: bytes) -> None:
        from speedscale_runtime.protocols.preamble import Kind

        assert self._preamble is not None
        result = self._preamble.feed(data)
        self.client.out += self._preamble.outgoing
        self._preamble.outgoing = b""
        if result is None:
            return
        self._preamble = None
        if result.kind in (Kind.REFUSED, Kind.OPAQUE) or not result.host:
            self.refuse(Refuse.BAD_PREAMBLE)
            return
        self._result = result
        rest = result.rest
        if result.rewriter is not None:
            # One request only: later ones may be for other hosts, and following them needs the worker.
            rest = _close_after_one(rest)
        self._first = rest
        self.dial(result.host, result.port)

    def dial(self, host: str, port: int) -> None:
        """Connect to the destination; the client is not read meanwhile."""
        self._set(self.client, 0)
        self.owner.resolve(self, host, port)

    def on_addresses(self, addresses: _Resolved) -> None:
        """Try the addresses in their order."""
        if self.closed:
            return
        self._addresses = addresses
        self._next_address()

    def _next_address(self) -> None:
        while self._addresses:
            family, address = self._addresses.pop(0)
            sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
            code = sock.connect_ex(address)
            if code in (0, errno.EINPROGRESS):
                self.server = _End(sock)
                self.server.own = self.owner.own.add(sock.getsockname(), address)
                self._set(self.server, EVENT_WRITE)
                return
            sock.close()
        reply = b""
        if self._result is not None:
            from speedscale_runtime.protocols.preamble import Failure

            reply = self._result.reply_fail(Failure.UNREACHABLE)
        self.refuse(Refuse.CONNECT_FAILED, reply)

    def refuse(self, cause: Refuse, reply: bytes = b"") -> None:
        """Tell the client that it gets no connection, by a reset where there is nothing to say, and count why."""
        self.owner.ledger.cells[slots.REFUSED[cause]] += 1
        said = bytes(self.client.out) + reply
        with contextlib.suppress(OSError):
            if said:
                self.client.sock.send(said)
            else:
                self.client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.close()

    def _connected(self, server: _End) -> None:
        server.up = True
        for end in (self.client, server):
            end.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        server.out += self._first
        self._first = b""
        if self._result is not None:
            self.client.out += self._result.reply_ok
        self._flush(self.client, server)
        self._flush(server, self.client)

    # -- passing bytes on

    def on_event(self, end: _End, mask: int) -> None:
        """Act on readiness of one end."""
        try:
            if end is self.server and not end.up:
                code = end.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if code == 0:
                    self._connected(end)
                else:
                    self._forget(end)
                    self._next_address()
                return
            other = self.server if end is self.client else self.client
            if mask & EVENT_WRITE:
                self._flush(end, other)
            if mask & EVENT_READ and not self.closed and not end.eof:
                self._read(end, other)
        except OSError:
            self.close()

    def _read(self, end: _End, other: _End | None) -> None:
        try:
            data = end.sock.recv(BUFFER)
        except BlockingIOError:
            return
        if self._preamble is not None:
            if data:
                self._on_preamble(data)
                if not self.closed and self._preamble is not None:
                    self._flush(self.client, None)
            else:
                self.refuse(Refuse.NO_TARGET)
            return
        if other is None:
            return
        if data:
            other.out += data
        else:
            end.eof = True
        self._flush(other, end)

    def _flush(self, end: _End, source: _End | None) -> None:
        """Write what waits for `end`; pass an end of stream on; choose what to watch next."""
        if end.out:
            try:
                sent = end.sock.send(end.out)
            except BlockingIOError:
                sent = 0
            del end.out[:sent]
        if source is not None and source.eof and not end.out and not end.shut:
            end.shut = True
            try:
                end.sock.shutdown(socket.SHUT_WR)
            except OSError:
                self.close()
                return
        if self.client.shut and self.server is not None and self.server.shut:
            self.close()
            return
        self._watch(end)
        if source is not None:
            self._watch(source)

    def _watch(self, end: _End) -> None:
        other = self.server if end is self.client else self.client
        full = other is not None and len(other.out) >= BUFFER
        waiting = self._preamble is None and (other is None or not other.up)
        mask = 0 if end.eof or full or waiting else EVENT_READ
        if end.out:
            mask |= EVENT_WRITE
        self._set(end, mask)

    def _set(self, end: _End, mask: int) -> int:
        if mask == end.mask:
            return mask
        callback: Callable[[int], None] = lambda m: self.on_event(end, m)  # noqa: E731
        if end.mask == 0:
            self.owner.selector.register(end.sock, mask, callback)
        elif mask == 0:
            self.owner.selector.unregister(end.sock)
        else:
            self.owner.selector.modify(end.sock, mask, callback)
        end.mask = mask
        return mask

    def _forget(self, end: _End) -> None:
        self._set(end, 0)
        if end.own is not None:
            self.owner.own.remove(end.own)
        end.sock.close()

    def close(self) -> None:
        """Close both ends at once."""
        if self.closed:
            return
        self.closed = True
        self._forget(self.client)
        if self.server is not None:
            self._forget(self.server)
        self.owner.active.discard(self)


def _close_after_one(request: bytes) -> bytes:
    """Ask the origin to close after this request, so that the client opens a connection for its next one."""
    head, end, body = request.partition(b"\r\n\r\n")
    if not end:
        return request
    lines = [li for li in head.split(b"\r\n") if not li.lower().startswith((b"connection:", b"keep-alive:"))]
    return b"\r\n".join([*lines, b"Connection: close"]) + end + body
