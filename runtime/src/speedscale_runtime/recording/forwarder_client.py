"""A minimal HTTP/1.1 client for one server and one request at a time, kept alive.

Called by `sender`. In place of a client library, for memory: the sidecar has 48 MB. Reads status, headers and at
most `ANSWER_MAX` bytes of body; anything else the server sends is a failure, and the next request gets a new
connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple

import httptools

from speedscale_runtime.telemetry.watched import Watched, read_bytes, read_text

from .config import ForwarderTarget

ANSWER_MAX = 65536


class CredentialsMissing(OSError):
    """What proves who the forwarder is, or who we are, is not there (yet): nothing was sent."""


class Answer(NamedTuple):
    """What the server said; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.answer: asyncio.Future[Answer] | None = None
        self.reusable = True
        self._reset()

    def _reset(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._headers: dict[str, str] = {}
        self._body = bytearray()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self.answer is None or self.answer.done():
            self.close()  # nobody asked
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(ConnectionError(f"answer is no HTTP/1.1: {error}"))
        if len(self._body) > ANSWER_MAX:
            self._fail(ConnectionError("answer is too long"))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:
            self._headers.clear()
            return
        self.reusable = self._parser.should_keep_alive()
        answer, self.answer = self.answer, None
        if answer is not None and not answer.done():
            answer.set_result(Answer(status, dict(self._headers), bytes(self._body)))
        self._reset()

    def eof_received(self) -> bool:
        self._fail(ConnectionError("closed before an answer"))
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(ConnectionError(f"lost: {exc}" if exc else "closed before an answer"))

    def _fail(self, error: Exception) -> None:
        self.reusable = False
        if self.answer is not None and not self.answer.done():
            self.answer.set_exception(error)
        self.close()

    def close(self) -> None:
        self.reusable = False
        if self.transport is not None:
            self.transport.abort()


class ForwarderClient:
    """POSTs to one server."""

    def __init__(self, target: ForwarderTarget) -> None:
        """Nothing is opened before the first `post`."""
        self._target = target
        self._connection: _Connection | None = None
        host = f"[{target.host}]" if ":" in target.host else target.host
        self._host = f"{host}:{target.port}".encode()
        self._ca = Watched(target.ca_file, read_bytes) if target.tls and target.ca_file else None
        self._tls: Any = None
        self._tls_of = -1

    async def post(self, path: str, headers: list[tuple[str, str]], body: bytes) -> Answer:
        """Send a request and return the answer; OSError or TimeoutError when there is none in time.

        CredentialsMissing, an OSError, while the file with the forwarder's CA is missing.
        """
        async with asyncio.timeout(self._target.timeout_s):
            connection = await self._connected()
        connection.answer = asyncio.get_running_loop().create_future()
        answer = connection.answer
        lines = [b"POST " + path.encode() + b" HTTP/1.1", b"Host: " + self._host]
        lines += [f"{name}: {value}".encode("latin-1") for name, value in headers]
        lines.append(b"Content-Length: %d\r\n\r\n" % len(body))
        assert connection.transport is not None
        connection.transport.write(b"\r\n".join(lines))
        connection.transport.write(body)
        try:
            async with asyncio.timeout(self._target.timeout_s):
                return await answer
        except BaseException:
            connection.close()  # a late answer must not be taken for that of the next request
            raise
        finally:
            if not connection.reusable:
                self.close()

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def _connected(self) -> _Connection:
        context = self._context()
        if self._connection is not None and self._connection.reusable:
            return self._connection
        loop = asyncio.get_running_loop()
        target = self._target
        _, connection = await loop.create_connection(_Connection, target.host, target.port, ssl=context)
        self._connection = connection
        return connection

    def _context(self) -> Any:
        """Return the TLS context of now; when the CA became another one, what was trusted before ends."""
        if not self._target.tls:
            return None
        pem = self._ca.get() if self._ca is not None else None
        generation = self._ca.generation if self._ca is not None else 0
        if self._tls is not None and self._tls_of == generation:
            return self._tls
        if self._ca is not None and pem is None:
            raise CredentialsMissing(f"CA {self._ca.reason}")
        import ssl

        try:
            self._tls = ssl.create_default_context(cadata=pem.decode("ascii") if pem is not None else None)
        except ValueError as error:  # SSLError is an OSError: both mean that there is no certificate in it
            raise CredentialsMissing("CA invalid") from error
        self._tls_of = generation
        self.close()
        return self._tls


def token_of(path: str) -> Callable[[], str]:
    """Return what gives the token of now; CredentialsMissing while there is none."""
    if not path:
        return lambda: ""
    watched = Watched(path, read_text)

    def read() -> str:
        token = watched.get()
        if token is None:
            raise CredentialsMissing(f"token {watched.reason}")
        return token

    return read
