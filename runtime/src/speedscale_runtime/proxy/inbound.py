"""Inbound connections: to the application, where the kernel says (transparent) or where the settings say.

Made by `server`'s inbound listener. With TLS_IN_UNWRAP, TLS is taken off with the workload's own key pair.
"""

from __future__ import annotations

from speedscale_runtime.recording.causes import Side

from .hub import Hub
from .sniffed import SniffedFlow


class InboundFlow(SniffedFlow):
    """A client's connection to the application."""

    __slots__ = ()

    def __init__(self, hub: Hub) -> None:
        super().__init__(hub, Side.IN, unwrap=hub.settings.tls_in)

    def begin(self) -> None:
        """Connect to the application at once: a server may be the one who speaks first."""
        if self.hub.transparent:
            self.begin_redirected()
        else:
            self.dial(self.hub.settings.reverse_host, self.hub.settings.reverse_port)
