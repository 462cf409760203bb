"""What TLS interception keeps beyond one connection: a direction's contexts, and what is better left alone.

Made by `hub` at the first TLS connection of a direction; asked by `tls_intercept` before each attempt, and told by it
and by `dialled` what did not work. Bounded: `REMEMBER_MAX` destinations, the oldest go.
"""

from __future__ import annotations

import time
from collections import OrderedDict

from speedscale_runtime.protocols.clienthello import ClientHello
from speedscale_runtime.recording.causes import Opaque, Side

from .config import Settings
from .contexts import Contexts, Inward, Outward

REMEMBER_MAX = 1024
REMEMBER_S = 300.0
REMEMBER_REJECTED_S = 3600.0

Key = tuple[str, int, str, str]
"""Destination host and port, the name in the ClientHello, and inbound the client as well."""


class Interceptor:
    """One direction's contexts, and the memory of what is better left alone."""

    def __init__(self, settings: Settings, side: Side) -> None:
        """Load (or make) what is needed; ConfigError when that fails."""
        self.contexts: Contexts = Outward(settings) if side is Side.OUT else Inward(settings)
        self._left_alone: OrderedDict[Key, tuple[Opaque, float]] = OrderedDict()

    def why_not(self, key: Key, hello: ClientHello) -> Opaque | None:
        """Return why a connection is to be spliced at once, None when interception is to be tried."""
        cause = self.contexts.why_not((key[0], key[1]), hello)
        if cause is not None:
            return cause
        found = self._left_alone.get(key)
        if found is None:
            return None
        if found[1] < time.monotonic():
            del self._left_alone[key]
            return None
        return found[0]

    def leave_alone(self, key: Key, cause: Opaque, seconds: float) -> None:
        """Splice connections with this key for a while."""
        self._left_alone[key] = (cause, time.monotonic() + seconds)
        self._left_alone.move_to_end(key)
        if len(self._left_alone) > REMEMBER_MAX:
            self._left_alone.popitem(last=False)

    def needs_client_certificate(self, key: Key) -> None:
        """Splice what asks for a certificate that only the application has."""
        self.leave_alone(key, Opaque.CLIENT_CERTIFICATE, REMEMBER_S)
