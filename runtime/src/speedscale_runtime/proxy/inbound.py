"""Inbound connections: each goes to the application (`REVERSE_PROXY_HOST`:`REVERSE_PROXY_PORT`).

Made by `server`'s inbound listener. A transparent mode would differ only in `target`: it would ask the kernel where
the connection was meant to go.
"""

from __future__ import annotations

import asyncio

from .causes import Refuse, Side
from .hub import Hub
from .relay import End, Flow

_EARLY_MAX = 65536


class InboundFlow(Flow):
    """A client's connection to the application."""

    __slots__ = ("_early", "_task")

    def __init__(self, hub: Hub) -> None:
        super().__init__(hub, Side.IN)
        self._early = b""
        self._task: asyncio.Task[None] | None = None

    def target(self) -> tuple[str, int]:
        """Return where the connection goes."""
        return self.hub.settings.reverse_host, self.hub.settings.reverse_port

    def begin(self) -> None:
        """Connect to the application at once: a server may be the one who speaks first."""
        self.facts.host, self.facts.port = self.target()
        self._task = self.hub.loop.create_task(self._dial())

    def on_early(self, end: End, data: bytes) -> None:
        """Keep what is said before both ends are joined; of the client, at most a buffer."""
        if end is not self.client:
            self.server_first += data
            return
        self._early += data
        if len(self._early) >= _EARLY_MAX:
            end.transport.pause_reading()

    async def _dial(self) -> None:
        try:
            async with asyncio.timeout(self.hub.settings.connect_timeout_s):
                _, server = await self.hub.loop.create_connection(lambda: End(self), *self.target())
        except (OSError, TimeoutError):
            self.drop_client(Refuse.CONNECT_FAILED)
            return
        if self.ended:
            server.close()
            return
        self.observe()
        first, self._early = self._early, b""
        self.join(server, first)
