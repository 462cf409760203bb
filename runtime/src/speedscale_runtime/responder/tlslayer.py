"""TLS of one connection through memory BIOs: bytes in, bytes out, no sockets.

Not asyncio's own TLS, because the first bytes of a connection are looked at before it is known that TLS follows
(one port takes plain HTTP, CONNECT, SOCKS and TLS). The certificate is chosen by SNI.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable

from speedscale_schemas.errors import PeerError

_READ = 256 * 1024


def base_context(context_for: Callable[[str], ssl.SSLContext], fallback: str) -> ssl.SSLContext:
    """Return the context a handshake begins with; the client's SNI, else `fallback`, chooses the real one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])

    def choose(connection: ssl.SSLSocket | ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        connection.context = context_for(name or fallback)

    context.sni_callback = choose
    return context


class TlsLayer:
    """One server-side TLS connection."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_side=True)
        self._ready = False
        self.closed = False

    def feed(self, data: bytes) -> bytes:
        """Take bytes from the wire, return plain ones; PeerError when the client breaks the handshake or TLS."""
        self._in.write(data)
        try:
            if not self._ready:
                self._tls.do_handshake()
                self._ready = True
            return self._read()
        except ssl.SSLWantReadError:
            return b""
        except ssl.SSLError as error:
            raise PeerError("tls", error.reason or str(error)) from error

    def _read(self) -> bytes:
        parts: list[bytes] = []
        try:
            while True:
                part = self._tls.read(_READ)
                if not part:
                    self.closed = True
                    break
                parts.append(part)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.closed = True
        return b"".join(parts)

    def write(self, data: bytes) -> None:
        """Take plain bytes; `outgoing` has them for the wire."""
        view = memoryview(data)
        while view:
            view = view[self._tls.write(view) :]

    def outgoing(self) -> bytes:
        """Return and forget what must go onto the wire."""
        return self._out.read() if self._out.pending else b""
