"""A connection to a known destination that may speak TLS: the first bytes decide what becomes of it.

`inbound` and `outbound` build on it. Stages, after `dialled` reached the destination:

    dialled ──► relay                   TLS is not to be taken off in this direction
       └──────► sniff ──► relay | TLS   whoever speaks first decides: a server that does is passed on at once

TLS itself is in `tls_intercept`, which is loaded with the first ClientHello.
"""

from __future__ import annotations

from speedscale_runtime.recording.causes import Opaque, Side

from .dialled import DialledFlow
from .hub import Hub
from .relay import End

_TLS_HANDSHAKE = 0x16


class SniffedFlow(DialledFlow):
    """A client's connection and the one to its destination, with TLS taken off where that is wanted and possible."""

    __slots__ = ("_unwrap",)

    def __init__(self, hub: Hub, side: Side, *, unwrap: bool) -> None:
        """`unwrap`: TLS is to be taken off where that is possible."""
        super().__init__(hub, side)
        self._unwrap = unwrap

    def _connected(self, server: End) -> None:
        self.server = server
        if not self._unwrap or self.server_first:
            self.relay(server, self.take_early())
            return
        self._stage = self._sniff
        first = self.take_early()
        if first:
            self._sniff(self.client, first)
        else:
            self.resume(self.client)

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
            self.resume(self.client)
            return
        except PeerError:
            self.splice(Opaque.BAD_CLIENT_HELLO)
            return
        self.facts.sni = hello.sni
        self._stage = self._keep
        self.client.transport.pause_reading()
        from .tls_intercept import intercept

        self._task = self.hub.loop.create_task(intercept(self, hello))

    def on_eof(self, end: End) -> None:
        """Pass an end of stream on; what was kept to look at goes before it."""
        if end is self.client and self._stage == self._sniff and self._early and self.server is not None:
            self.relay(self.server, self.take_early())
        super().on_eof(end)
