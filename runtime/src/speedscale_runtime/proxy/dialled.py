"""A connection whose destination is known: dial it at once, keep what the client says meanwhile, name it.

What it speaks is found out by `sniffed`, on which `inbound` and `outbound` build; `tls_intercept` acts on it. A stage
is a method that takes the bytes that come meanwhile; the one here is `_keep`, while the destination is dialled.

Nothing is waited for: the destination is connected before the client has said anything. In transparent mode the
kernel names the destination (`destination`), as an address; what it is called is learnt from Host or SNI, else from
the reverse DNS, and only what is recorded depends on that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from speedscale_runtime.protocols.authority_form import split
from speedscale_runtime.protocols.exchange import Exchange
from speedscale_runtime.recording.causes import Opaque, Refuse, Side

from . import dialling
from .destination import Address, loops, original
from .hub import Hub
from .relay import End, Flow

if TYPE_CHECKING:
    from .tls_memory import Key

EARLY_MAX = 65536
_HOST_MAX = 260  # a name and a port; what is longer is none


class DialledFlow(Flow):
    """A client's connection and the one to its destination."""

    __slots__ = ("_early", "_host_field", "_own", "_stage", "_target", "_task", "shaking")

    def __init__(self, hub: Hub, side: Side) -> None:
        super().__init__(hub, side)
        self._stage: Callable[[End, bytes], None] = self._keep
        self._early = b""
        self._task: asyncio.Task[None] | None = None
        self._target: Address = ("", 0)
        self._own: list[dialling.Pair] = []
        self._host_field: bytes | None = None
        self.shaking = False  # a TLS handshake with the server is tried: its failure is no end of this flow

    def on_early(self, end: End, data: bytes) -> None:
        """Take bytes in the present stage."""
        self._stage(end, data)

    # -- dial

    def begin_redirected(self) -> None:
        """Transparent mode: go where the kernel says that the client wanted to go, but not to ourselves."""
        hub, transport = self.hub, self.client.transport
        local = transport.get_extra_info("sockname") or ()
        target = original(transport.get_extra_info("socket"), local) if local else None
        if target is None:
            self.drop_client(Refuse.NO_TARGET)
        elif hub.own.holds(self.facts.client, target) or loops(
            target, local, hub.own_ports, hub.settings.identity.pod_ip
        ):
            self.drop_client(Refuse.LOOP)
        else:
            self.dial(*target)

    def dial(self, host: str, port: int) -> None:
        """Connect to the destination, and take what the client says meanwhile."""
        self._stage = self._keep
        self._target = self.facts.host, self.facts.port = host, port
        self._task = self.hub.loop.create_task(self._dial())

    def _keep(self, end: End, data: bytes) -> None:
        if end is not self.client:
            self.server_first += data
            return
        self._early += data
        if len(self._early) >= EARLY_MAX:
            end.transport.pause_reading()

    async def connect(self) -> End:
        """Return a new connection to the target; OSError or TimeoutError."""
        hub = self.hub
        async with asyncio.timeout(hub.settings.connect_timeout_s):
            if not hub.transparent:
                _, found = await hub.loop.create_connection(lambda: End(self), *self._target)
                server: End = found
                return server
            server, pair = await dialling.connect(hub.loop, self._target, lambda: End(self), hub.own)
        if self.ended:
            hub.own.remove(pair)
        else:
            self._own.append(pair)
        return server

    async def _dial(self) -> None:
        try:
            server = await self.connect()
        except (OSError, TimeoutError, UnicodeError) as error:
            if not self.ended:
                self.drop_client(Refuse.CONNECT_FAILED, self.failure_reply(error))
            return
        if self.ended:
            server.close()
            return
        self._connected(server)

    def failure_reply(self, error: Exception) -> bytes:
        """Return what to tell a client whose destination cannot be reached; nothing: it sees a reset."""
        return b""

    def _connected(self, server: End) -> None:
        """Go on with the destination connected; subclasses do."""
        raise NotImplementedError

    def relay(self, server: End, first: bytes) -> None:
        """From here on bytes pass directly, and are looked at as HTTP/1."""
        self.observe()
        self.join(server, first)

    @property
    def target(self) -> Address:
        """Host and port that are dialled: as the client, the kernel or the settings named them."""
        return self._target

    @property
    def tls_key(self) -> Key:
        """What is remembered of failed interception: destination and name; inbound the client as well."""
        return (*self._target, self.facts.sni, self.facts.client[0] if self.side is Side.IN else "")

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

    def leave_server(self) -> None:
        """Close the server's connection and hear no more of it."""
        self.hub.look()
        old, self.server = self.server, None
        if old is not None:
            old.other = old.tap = None
            old.flow = _Left(self.hub)
            old.close()

    # -- what it is called

    def on_exchange(self, exchange: Exchange) -> None:
        """Take an exchange, under the name that its request gives."""
        if self.hub.transparent:
            found = next((v for n, v in exchange.request_headers if len(n) == 4 and n.lower() == b"host"), b"")
            if found != self._host_field:
                self._host_field = found
                where = split(found, 80) if 0 < len(found) <= _HOST_MAX and found.isascii() else None
                self._call(where[0].lower() if where else self._name())
        super().on_exchange(exchange)

    def become_opaque(self, cause: Opaque) -> None:
        """Look no more; begin to ask for a name."""
        super().become_opaque(cause)
        if self.hub.transparent and not self.exchanges:
            self._call(self._name())

    def _name(self) -> str:
        names = self.hub.names
        return self.facts.sni or (names.known(self._target[0]) if names is not None else "") or self._target[0]

    def _call(self, name: str) -> None:
        facts = self.facts
        if name != facts.host:
            facts.host, facts.rendered = name, None

    # -- ends

    def on_eof(self, end: End) -> None:
        """Pass an end of stream on."""
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
            self.hub.interceptor(self.side).needs_client_certificate(self.tls_key)

    def on_tls_alert(self, end: End, reason: str) -> None:
        """A server that wants a client certificate says so only now (TLS 1.3): leave it alone from now on."""
        if end is self.server and "CERTIFICATE_REQUIRED" in reason:
            self.hub.interceptor(self.side).needs_client_certificate(self.tls_key)

    def _finish(self, now_ns: int) -> None:
        for pair in self._own:
            self.hub.own.remove(pair)
        self._own.clear()
        if self.hub.transparent and not self.exchanges:
            self._call(self._name())
        super()._finish(now_ns)


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
