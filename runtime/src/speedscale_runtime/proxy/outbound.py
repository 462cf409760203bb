"""Outbound connections: in transparent mode the kernel, else the client says where it wants to go (CONNECT,
absolute-form, SOCKS4/4a/5).

Made by `server`'s outbound listener. Stages before and beside those of `sniffed`:

    gate ──► dial ──► …            CONNECT, SOCKS
               └────► requests     absolute-form: each request names its own target
"""

from __future__ import annotations

import ipaddress
import socket
from collections import deque

from speedscale_runtime.protocols.exchange import Exchange
from speedscale_runtime.protocols.preamble import Failure, Forward, Kind, Preamble, Result, Rewriter
from speedscale_runtime.recording import ledger as slots
from speedscale_runtime.recording.capture import Facts
from speedscale_runtime.recording.causes import Refuse, Side

from .dialled import EARLY_MAX
from .hub import Hub
from .relay import End
from .sniffed import SniffedFlow


class OutboundFlow(SniffedFlow):
    """A connection of the application to one of its dependencies (or, absolute-form, to one after the other)."""

    __slots__ = ("_open_requests", "_preamble", "_queue", "_result", "_rewriter")

    def __init__(self, hub: Hub) -> None:
        super().__init__(hub, Side.OUT, unwrap=hub.settings.tls_out)
        self._preamble: Preamble | None = None
        self._result: Result | None = None
        self._rewriter: Rewriter | None = None
        self._queue: deque[Forward] = deque()
        self._open_requests = 0

    def begin(self) -> None:
        """Wait for the client's word, where it has one to say."""
        if self.hub.transparent:
            self.begin_redirected()
            return
        self._stage = self._gate
        self._preamble = Preamble(max_head_bytes=self.hub.settings.max_head_bytes)

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
        if self._result is not None:
            self.facts.client_protocol = self._result.kind.value
        self.dial(host, port)

    def _keep(self, end: End, data: bytes) -> None:
        if end is not self.client or self._rewriter is None:
            super()._keep(end, data)
            return
        self._queue.extend(self._rewriter.feed(data))
        if len(self._early) >= EARLY_MAX or self._queue:
            end.transport.pause_reading()

    def failure_reply(self, error: Exception) -> bytes:
        """Return the refusal in the protocol in which the client asked."""
        return self._result.reply_fail(_failure(error)) if self._result is not None else b""

    def _connected(self, server: End) -> None:
        result = self._result
        if self._rewriter is not None:
            self.server = server
            self._begin_requests(server, self.take_early())
            return
        if result is not None and result.reply_ok:
            self.client.write(result.reply_ok)
        if result is not None and result.kind is Kind.ORIGIN:
            self._unwrap = False
        super()._connected(server)

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
        old = self.server
        super().leave_server()
        if old is not None:
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
        super().on_eof(end)


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
