"""One socket of a flow with TLS on it: plaintext towards the flow, records towards the socket.

Used by `tls_intercept` only (and loaded only then). TLS runs on memory buffers, so that bytes which were read to decide
(the ClientHello) can be given to it, and so that a refusal by the peer is seen as such.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import Any

from .relay import End, Flow

_PIECE = 65536


class TlsEnd(End):
    """An `End` whose `write` encrypts and whose received bytes are decrypted first."""

    __slots__ = ("_context", "_in", "_out", "_waiting", "handshake", "shaken", "tls")

    def __init__(self, flow: Flow, context: ssl.SSLContext, *, server_side: bool, name: str | None) -> None:
        super().__init__(flow)
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._in, self._out, server_side=server_side, server_hostname=name)
        self._waiting: list[bytes] = []  # plaintext written before the handshake ended; bounded by its source's pause
        self.shaken = False
        self.handshake: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def take_over(self, end: End, first: bytes = b"") -> None:
        """Put TLS on the socket of a plain end; `first` was received from it already."""
        self.transport, self.fd, self.eof = end.transport, end.fd, end.eof
        self.buffered = end.buffered
        end.fd = -1
        self.transport.set_protocol(self)
        if first:
            self._in.write(first)
        self._advance()

    @property
    def alpn(self) -> str:
        """The protocol agreed on, "" for none."""
        return self.tls.selected_alpn_protocol() or ""

    def data_received(self, data: bytes) -> None:
        """Decrypt and pass on."""
        self._in.write(data)
        self._advance()

    def write(self, data: bytes) -> None:
        """Encrypt and write."""
        if not self.shaken:
            self._waiting.append(data)
            return
        try:
            self.tls.write(data)
        except ssl.SSLError as error:
            self.flow.on_broken(self, ConnectionResetError(str(error.reason)))
            return
        self._flush()

    def shut(self) -> None:
        """Say close_notify, then end the stream."""
        self._bye()
        super().shut()

    def close(self) -> None:
        """Say close_notify, then close."""
        self._bye()
        super().close()

    def eof_received(self) -> bool:
        """The stream ended, with or without a close_notify."""
        if not self.shaken:
            self._fail(ConnectionResetError("closed within the handshake"))
            return False
        if not self.eof:
            super().eof_received()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone."""
        if not self.handshake.done():
            self._fail(exc or ConnectionResetError("closed within the handshake"))
        super().connection_lost(exc)

    def _bye(self) -> None:
        if not self.shaken or self.fd < 0:
            return
        with contextlib.suppress(ssl.SSLError, ValueError):  # it wants the peer's close_notify: nobody waits for it
            self.tls.unwrap()
        self._flush()

    def _flush(self) -> None:
        data = self._out.read()
        if data:
            super().write(data)

    def _fail(self, error: Exception) -> None:
        if not self.handshake.done():
            self.handshake.set_exception(error)
            self.handshake.exception()  # whoever waits sees it; nobody has to

    def _advance(self) -> None:
        if not self.shaken and not self._shake():
            return
        self._read()
        self._flush()

    def _shake(self) -> bool:
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return False
        except (ssl.SSLError, ValueError) as error:
            self._flush()
            self._fail(error)
            return False
        self._flush()
        self.shaken = True
        if not self.handshake.done():
            self.handshake.set_result(None)
        waiting, self._waiting = self._waiting, []
        for data in waiting:
            self.write(data)
        return True

    def _read(self) -> None:
        while True:
            try:
                data = self.tls.read(_PIECE)
            except ssl.SSLWantReadError:
                return
            except ssl.SSLZeroReturnError:
                data = b""
            except ssl.SSLError as error:
                self._on_alert(error)
                return
            if not data:
                if not self.eof:
                    self.eof = True
                    self.flow.on_eof(self)
                return
            self._pass(data)

    def _pass(self, data: bytes) -> None:
        self.bytes += len(data)
        other: Any = self.other
        if other is None:
            self.flow.on_early(self, data)
            return
        other.write(data)
        if self.tap is not None:
            self.tap(self, data)

    def _on_alert(self, error: ssl.SSLError) -> None:
        self.flow.on_tls_alert(self, error.reason or "")
        self.flow.on_broken(self, ConnectionResetError(error.reason or "TLS error"))
