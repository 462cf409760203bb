"""Outbound connections: the client first says where it wants to go (CONNECT, absolute-form, SOCKS4/4a/5).

Made by `server`'s outbound listener. Stages, each a method that takes the bytes that come meanwhile:

    gate ──► dial ──► relay                      CONNECT, SOCKS, TLS not intercepted
               ├────► sniff ──► relay | TLS      CONNECT, SOCKS with TLS_OUT_UNWRAP: whoever speaks first decides
               └────► requests                   absolute-form: each request names its own target

In `sniff` nothing is waited for: a server that speaks first is passed on at once. TLS itself is in `intercept`. A
transparent mode would enter at `dial` with the target that the kernel names.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections import deque
from collections.abc import Callable

from speedscale_runtime.protocols.exchange import Exchange
from speedscale_runtime.protocols.preamble import Failure, Forward, Kind, Preamble, Result, Rewriter

from . import ledger as slots
from .capture import Facts
from .causes import Opaque, Refuse, Side
from .hub import Hub
from .relay import End, Flow

_EARLY_MAX = 65536
_TLS_HANDSHAKE = 0x16


class OutboundFlow(Flow):
    """A connection of the application to one of its dependencies (or, absolute-form, to one after the other)."""

    __slots__ = (
        "_early",
        "_open_requests",
        "_preamble",
        "_queue",
        "_result",
        "_rewriter",
        "_stage",
        "_target",
        "_task",
        "shaking",
    )

    def __init__(self, hub: Hub) -> None:
        super().__init__(hub, Side.OUT)
        self._stage: Callable[[End, bytes], None] = self._gate
        self._preamble: Preamble | None = None
        self._result: Result | None = None
        self._early = b""
        self._task: asyncio.Task[None] | None = None
        self._rewriter: Rewriter | None = None
        self._queue: deque[Forward] = deque()
        self._open_requests = 0
        self._target: tuple[str, int] = ("", 0)
        self.shaking = False  # a TLS handshake with the server is tried: its failure is no end of this flow

    def begin(self) -> None:
        """Wait for the client's word."""
        self._preamble = Preamble(max_head_bytes=self.hub.settings.max_head_bytes)

    def on_early(self, end: End, data: bytes) -> None:
        """Take bytes in the present stage."""
        self._stage(end, data)

    # -- gate: where does it want to go?

    def _gate(self, end: End, data: bytes) -> None:
        preamble = self._preamble
        assert preamble is not None
        try:
            result = preamble.feed(data)
        except Exception as error:
            self.hub.on_fault(error)
            self.drop_client(Refuse.BAD_PREAMBLE)
            return
        reply, preamble.outgoing = preamble.outgoing, b""
        if result is not None and result.kind is Kind.REFUSED:
            self.drop_client(Refuse.BAD_PREAMBLE, reply)
            return
        if reply:
            self.client.write(reply)
        if result is not None:
            self._preamble = None
            self._enter(result)

    def _enter(self, result: Result) -> None:
        if result.kind is Kind.OPAQUE or not result.host:
            self.drop_client(Refuse.NO_TARGET, _NO_TARGET if result.kind is Kind.ORIGIN else b"")
            return
        if result.tls:
            # An https URL in a plaintext request: the client expects us to do TLS for it, which no library does.
            self.drop_client(Refuse.BAD_PREAMBLE, result.reply_fail(Failure.NOT_ALLOWED))
            return
        if self._loops(result.host, result.port):
            self.drop_client(Refuse.LOOP, result.reply_fail(Failure.NOT_ALLOWED))
            return
        self._result = result
        self._early = result.rest
        self._rewriter = result.rewriter
        self._queue.extend(result.pending)
        self.client.bytes = len(result.rest)
        self._dial_to(result.host, result.port)

    def _loops(self, host: str, port: int) -> bool:
        """Whether the target is one of our own listeners."""
        if port not in self.hub.own_ports:
            return False
        try:
            return ipaddress.ip_address(host).is_loopback or host == self.hub.settings.identity.pod_ip
        except ValueError:
            return host.lower().rstrip(".") == "localhost"

    # -- dial

    def _dial_to(self, host: str, port: int) -> None:
        self._stage = self._keep
        self._target = self.facts.host, self.facts.port = host, port
        if self._result is not None:
            self.facts.client_protocol = self._result.kind.value
        self._task = self.hub.loop.create_task(self._dial())

    def _keep(self, end: End, data: bytes) -> None:
        if end is not self.client:
            self.server_first += data
            return
        if self._rewriter is not None:
            self._queue.extend(self._rewriter.feed(data))
        else:
            self._early += data
        if len(self._early) >= _EARLY_MAX or self._queue:
            end.transport.pause_reading()

    async def connect(self) -> End:
        """Return a new connection to the target; OSError or TimeoutError."""
        async with asyncio.timeout(self.hub.settings.connect_timeout_s):
            _, server = await self.hub.loop.create_connection(lambda: End(self), *self._target)
        found: End = server
        return found

    async def _dial(self) -> None:
        try:
            server = await self.connect()
        except (OSError, TimeoutError, UnicodeError) as error:
            if not self.ended:
                reply = self._result.reply_fail(_failure(error)) if self._result is not None else b""
                self.drop_client(Refuse.CONNECT_FAILED, reply)
            return
        if self.ended:
            server.close()
            return
        self._connected(server)

    def _connected(self, server: End) -> None:
        result, first = self._result, self._early
        assert result is not None
        self._early = b""
        self.server = server
        if self._rewriter is not None:
            self._begin_requests(server, first)
            return
        if result.reply_ok:
            self.client.write(result.reply_ok)
        if not self.hub.settings.tls_out or result.kind is Kind.ORIGIN or self.server_first:
            self.relay(server, first)
            return
        self._stage = self._sniff
        if first:
            self._sniff(self.client, first)
        else:
            self.resume(self.client)

    def relay(self, server: End, first: bytes) -> None:
        """From here on bytes pass directly, and are looked at as HTTP/1."""
        self.observe()
        self.join(server, first)

    # -- sniff: TLS or not?

    def _sniff(self, end: End, data: bytes) -> None:
        assert self.server is not None
        if end is not self.client:  # a server that speaks first does not speak TLS
            self.server_first += data
            self.relay(self.server, self.take_early())
            return
        self._early += data
        if self._early[0] != _TLS_HANDSHAKE:
            self.relay(self.server, self.take_early())
            return
        self._hello()

    def _hello(self) -> None:
        from speedscale_runtime.protocols import clienthello
        from speedscale_schemas.errors import PeerError

        try:
            hello = clienthello.parse(self._early)
        except clienthello.NeedMore:
            return
        except PeerError:
            self.splice(Opaque.BAD_CLIENT_HELLO)
            return
        self.facts.sni = hello.sni
        self._stage = self._keep
        self.client.transport.pause_reading()
        from .intercept import intercept

        self._task = self.hub.loop.create_task(intercept(self, hello))

    @property
    def target(self) -> tuple[str, int]:
        """Host and port as the client named them."""
        return self._target

    def take_early(self) -> bytes:
        """Return, once, the client's bytes that nobody got yet."""
        first, self._early = self._early, b""
        return first

    def splice(self, cause: Opaque) -> None:
        """Pass bytes on without looking, and count why."""
        assert self.server is not None
        self.facts.detected = "tls"
        self.become_opaque(cause)
        self.join(self.server, self.take_early())

    # -- requests: absolute-form, each with a target of its own

    def _begin_requests(self, server: End, first: bytes) -> None:
        self._stage = self._request_bytes
        self.observe()
        server.other = self.client
        server.tap = self._note_answer
        if first:
            self._send_request(first, True)
        self.release_server_first()
        self._pump()

    def _request_bytes(self, end: End, data: bytes) -> None:
        assert self._rewriter is not None
        if end is not self.client:
            return
        self._queue.extend(self._rewriter.feed(data))
        self._pump()

    def _note_answer(self, end: End, data: bytes) -> None:
        """A request for another target waits for the end of this answer: look for it at once."""
        self.hub.note(end, data)
        if self._queue:
            self.hub.look()

    def _send_request(self, data: bytes, begins: bool) -> None:
        assert self.server is not None
        if begins:
            self._open_requests += 1
        self.server.write(data)
        if self.observer is not None:
            self.hub.note(self.client, data)

    def _pump(self) -> None:
        """Send on what waits; a request for another target waits until all before it are answered."""
        if self._stage != self._request_bytes:
            return  # the next server is being dialled; it begins with the queue
        while self._queue and not self.ended:
            forward = self._queue[0]
            if forward.new_request and (forward.host, forward.port) != self._target:
                self.hub.look()
                if self._open_requests:
                    self.client.transport.pause_reading()
                else:
                    self._switch(forward.host, forward.port)
                return
            self._queue.popleft()
            self._send_request(forward.data, forward.new_request)
        if self.client.eof and self.server is not None and not self.ended:
            self.server.shut()
        self.resume(self.client)

    def _switch(self, host: str, port: int) -> None:
        """Leave the present server, whose answers are complete, for the next request's."""
        self.leave_server()
        if self.observer is not None:
            self._guarded(self.observer.close, self.started_ns, "client_gone")
            self.observer = None
        before = self.facts
        self.facts = Facts(self.hub.next_number(), self.side, before.client, before.client_ns)
        if self._loops(host, port):
            self.drop_client(Refuse.LOOP)
            return
        self._dial_to(host, port)

    def leave_server(self) -> None:
        """Close the server's connection and hear no more of it."""
        self.hub.look()
        old, self.server = self.server, None
        if old is not None:
            old.other = old.tap = None
            old.flow = _Left(self.hub)
            old.close()
            self.hub.cells[slots.BYTES[self.side]] += old.bytes

    def on_exchange(self, exchange: Exchange) -> None:
        """Take an exchange; a request for another target may wait for its end."""
        super().on_exchange(exchange)
        if self._rewriter is not None:
            self._open_requests = max(0, self._open_requests - 1)
            if self._queue:
                self.hub.loop.call_soon(self._pump)

    def on_eof(self, end: End) -> None:
        """Pass an end of stream on, or wait with it until it is known whom to tell."""
        if self._preamble is not None:
            self.drop_client(Refuse.NO_TARGET)
            return
        if end is self.client and self._rewriter is not None:
            self._queue.extend(self._rewriter.eof())
            if self._stage == self._request_bytes:
                self._tell_eof(end)
                if self.server is not None and self.server.eof:
                    self.close()
                else:
                    self._pump()
            return
        self._suspect(end)
        super().on_eof(end)

    def on_lost(self, end: End, error: Exception | None) -> None:
        """An end is gone; see `shaking`."""
        if self.shaking and end is self.server:
            return
        self._suspect(end)
        super().on_lost(end, error)

    def on_broken(self, end: End, error: OSError) -> None:
        """Writing to an end failed; see `shaking`."""
        if not (self.shaking and end is self.server):
            super().on_broken(end, error)

    def _suspect(self, end: End) -> None:
        """An intercepted server that ends a connection without a word may have missed a client certificate.

        In TLS 1.3 it can say so only after the handshake, and some just close. The next connection is spliced.
        """
        if end is self.server and self.facts.tls and not end.bytes and self.client.bytes:
            self.hub.interceptor().needs_client_certificate((*self._target, self.facts.sni))

    def on_tls_alert(self, end: End, reason: str) -> None:
        """A server that wants a client certificate says so only now (TLS 1.3): leave it alone from now on."""
        if end is self.server and "CERTIFICATE_REQUIRED" in reason:
            self.hub.interceptor().needs_client_certificate((*self._target, self.facts.sni))


class _Left(Flow):
    """Takes the events of a server connection that was left for another one."""

    __slots__ = ()

    def __init__(self, hub: Hub) -> None:
        super().__init__(hub, Side.OUT)
        self.ended = True

    def on_early(self, end: End, data: bytes) -> None:
        """Nothing is expected any more."""

    def on_eof(self, end: End) -> None:
        """It is closing anyway."""


_NO_TARGET = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 49\r\n"
    b"Connection: close\r\n\r\nthis is a forward proxy: name a target to go to.\n"
)


def _failure(error: Exception) -> Failure:
    if isinstance(error, TimeoutError):
        return Failure.TIMEOUT
    if isinstance(error, ConnectionRefusedError):
        return Failure.REFUSED
    if isinstance(error, (socket.gaierror, UnicodeError)):
        return Failure.UNKNOWN_HOST
    return Failure.UNREACHABLE
