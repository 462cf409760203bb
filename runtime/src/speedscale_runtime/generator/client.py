"""One connection to a target: HTTP/1.1 over a raw asyncio protocol, parsed by httptools, one request at a time.

Hot path: no task, no future, no header dictionary per request. `CountingConnection` keeps status and size only;
`RecordingConnection` keeps headers and body. The owner of a request is told `answered` or `failed`, exactly once.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from typing import Any, Protocol

import httptools

from .causes import Cause, cause_of
from .targets import Target

_clock = time.perf_counter


class Owner(Protocol):
    """What a connection tells about its request."""

    def answered(self, connection: CountingConnection, end: float) -> None:
        """The answer is complete; its parts stand on the connection until the next send."""

    def failed(self, connection: CountingConnection | None, cause: Cause, *, untouched: bool) -> None:
        """There is no answer; `untouched`: a kept connection was gone before a byte of the answer came."""


class CountingConnection(asyncio.Protocol):
    """Sends bytes and waits for one answer."""

    __slots__ = (
        "_done",
        "_first",
        "_head_only",
        "_headers_done",
        "_keep",
        "_parser",
        "_transport",
        "alive",
        "answers",
        "max_bytes",
        "owner",
        "received",
        "status",
    )

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.owner: Owner | None = None
        self.alive = False
        self.answers = 0
        self.status = 0
        self.received = 0
        self._transport: Any = None
        self._done = False
        self._head_only = False
        self._headers_done = False
        self._keep = False
        self._first = b""
        self._parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self.alive = True

    def send(self, data: bytes, owner: Owner, head_only: bool) -> float:
        """Send a request and return when; `head_only` for HEAD, whose answer never has a body."""
        self.owner = owner
        self.received = 0
        self._done = self._headers_done = False
        self._head_only = head_only
        sent = _clock()
        self._transport.write(data)
        return sent

    def close(self) -> None:
        """Close without telling the owner."""
        self.owner = None
        self.alive = False
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if not self.received:
            self._first = data
        self.received += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._done = True
            self.status = self._parser.get_status_code()
        except httptools.HttpParserError:
            if not self._done:
                self._fail(Cause.PROTOCOL)
                return
        if self._done:
            self._finish()

    def on_headers_complete(self) -> None:
        self._headers_done = True
        if self._head_only and self._parser.get_status_code() >= 200:
            self.on_message_complete()

    def on_message_complete(self) -> None:
        if self._done:
            self._keep = False  # a second answer to one request: what comes next belongs to nobody
        elif self._parser.get_status_code() >= 200:
            self._done = True
            self.status = self._parser.get_status_code()
            self._keep = self._parser.should_keep_alive()  # only true to the message while the parser is inside it
        else:
            self._interim()

    def eof_received(self) -> bool:
        if self.owner is not None and self._headers_done and not self._done and self._until_eof():
            self._done = True
            self.status = self._parser.get_status_code()
            self._keep = False
            self._finish()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.alive = False
        if self.owner is not None:
            self._fail(cause_of(exc))

    def _interim(self) -> None:
        self._headers_done = False

    def _until_eof(self) -> bool:
        head = self._first.partition(b"\r\n\r\n")[0].lower()
        return b"\ncontent-length:" not in head and b"\ntransfer-encoding:" not in head

    def _finish(self) -> None:
        end = _clock()
        owner, self.owner = self.owner, None
        self.answers += 1
        if self._head_only:
            self._parser = httptools.HttpResponseParser(self)  # this one still waits for a body
        if not self._keep or self.status == 101:
            self._drop()
        if owner is None:
            self._drop()  # bytes that nobody asked for: the connection is not to be trusted any longer
        else:
            owner.answered(self, end)

    def _drop(self) -> None:
        self.alive = False
        if self._transport is not None:
            self._transport.close()

    def _fail(self, cause: Cause) -> None:
        owner, self.owner = self.owner, None
        untouched = cause in (Cause.CLOSED, Cause.RESET) and not self.received and self.answers > 0
        self.alive = False
        if self._transport is not None:
            self._transport.abort()
        if owner is not None:
            owner.failed(self, cause, untouched=untouched)


class RecordingConnection(CountingConnection):
    """Also keeps the headers (name and value as they came) and the body."""

    __slots__ = ("body", "headers", "reason")

    def __init__(self, max_bytes: int) -> None:
        super().__init__(max_bytes)
        self.headers: list[tuple[bytes, bytes]] = []
        self.body: list[bytes] = []
        self.reason = b""

    def send(self, data: bytes, owner: Owner, head_only: bool) -> float:
        self.headers = []
        self.body = []
        self.reason = b""
        return super().send(data, owner, head_only)

    def data_received(self, data: bytes) -> None:
        if self.received + len(data) > self.max_bytes and self.owner is not None:
            self._fail(Cause.OVERSIZE)
        else:
            super().data_received(data)

    def on_status(self, reason: bytes) -> None:
        self.reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._headers_done:
            self.headers.append((name, value))

    def on_body(self, data: bytes) -> None:
        self.body.append(data)

    def _interim(self) -> None:
        super()._interim()
        self.headers = []
        self.reason = b""


class Dialer:
    """Opens connections, bounded by `timeout_s`; results come by callback on the loop."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        timeout_s: float,
        recording: bool,
        max_bytes: int,
        context: Callable[[], ssl.SSLContext],
    ) -> None:
        self._loop = loop
        self._timeout_s = timeout_s
        self._class = RecordingConnection if recording else CountingConnection
        self._max_bytes = max_bytes
        self._context = context
        self._tasks: set[asyncio.Task[None]] = set()

    def dial(
        self, target: Target, opened: Callable[[CountingConnection], None], failed: Callable[[Cause], None]
    ) -> None:
        """Open a connection; one of the callbacks is called later."""
        task = self._loop.create_task(self._dial(target, opened, failed))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def cancel(self) -> None:
        """Give up on connections that are being opened."""
        for task in list(self._tasks):
            task.cancel()

    async def _dial(
        self, target: Target, opened: Callable[[CountingConnection], None], failed: Callable[[Cause], None]
    ) -> None:
        try:
            secure: dict[str, Any] = {}
            if target.scheme == "https":
                secure = {"ssl": self._context(), "server_hostname": target.host}
            async with asyncio.timeout(self._timeout_s):
                _, connection = await self._loop.create_connection(
                    lambda: self._class(self._max_bytes), target.host, target.port, **secure
                )
        except (OSError, ssl.CertificateError, UnicodeError, TimeoutError) as error:
            failed(cause_of(error))
            return
        except asyncio.CancelledError:
            failed(Cause.CANCELLED)
            return
        opened(connection)
