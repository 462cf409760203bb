"""Ask the real destination, for requests that no mock answers, where the policy allows it.

Called by the server, one task a request; never on the hot path. The answer is streamed on as it comes, with
`X-Speedscale-Cache-Passthrough: true` added to its head, and handed back whole for recording. Upstream TLS is
verified as the application would.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import NamedTuple

import httptools

from speedscale_schemas.errors import TransientError

from .connection import BODY_MAX, HEAD_MAX, Slot
from .live import Headers, Live, Target

MARK = b"X-Speedscale-Cache-Passthrough: true\r\n"
_CONNECT_S = 10.0
_READ_S = 60.0
_CHUNK = 64 * 1024
_HOP = frozenset((b"proxy-connection", b"proxy-authorization", b"connection", b"keep-alive", b"te", b"expect"))


class Answered(NamedTuple):
    """What the destination answered; `truncated_length` is the true body length where it was cut, else 0.

    Not `complete`: it broke off, or the client left first.
    """

    version: str
    status: int
    reason: bytes
    headers: Headers
    body: bytes
    truncated_length: int
    complete: bool


class Upstream:
    """Opens connections to real destinations."""

    def __init__(self, context: Callable[[], ssl.SSLContext]) -> None:
        self._context = context

    async def ask(self, live: Live, target: Target, slot: Slot, *, keep: bool) -> Answered:
        """Send the request, stream the answer into the slot and finish it.

        TransientError when the destination cannot be reached or breaks off before its head; nothing was sent then.
        """
        try:
            async with asyncio.timeout(_CONNECT_S):
                reader, writer = await asyncio.open_connection(
                    target.host, target.port, ssl=self._context() if target.tls else None, limit=_CHUNK
                )
        except (OSError, TimeoutError, ssl.SSLError) as error:
            raise TransientError(f"{target}: {error or type(error).__name__}") from error
        try:
            writer.write(request_bytes(live))
            relay = _Relay(live.method == b"HEAD")
            while not relay.complete:
                async with asyncio.timeout(_READ_S):
                    data = await reader.read(_CHUNK)
                out = relay.feed(data) if data else relay.eof()
                if out:
                    slot.write(out)
                    await slot.drained()
                if not data or slot.gone:
                    break
        except (OSError, TimeoutError, ssl.SSLError, httptools.HttpParserError) as error:
            if not relay.status:
                raise TransientError(f"{target}: {error or type(error).__name__}") from error
            slot.finish(close=True)
            return relay.answered()
        finally:
            writer.close()
        if not relay.status:
            raise TransientError(f"{target}: ended without an answer")
        slot.finish(close=not keep or not relay.complete or relay.until_eof)
        return relay.answered()


def request_bytes(live: Live) -> bytes:
    """Return the request in origin-form, without what concerned the hop to us."""
    lines = [live.method + b" " + live.url + b" HTTP/1.1\r\n"]
    if not any(name.lower() == b"host" for name, _ in live.headers):
        lines.append(b"Host: " + live.host + b"\r\n")
    for name, value in live.headers:
        folded = name.lower()
        if folded not in _HOP and folded not in (b"content-length", b"transfer-encoding", b"upgrade"):
            lines.append(name + b": " + value + b"\r\n")
    if live.body or live.method in (b"POST", b"PUT", b"PATCH"):
        lines.append(b"Content-Length: %d\r\n" % len(live.body))
    return b"".join(lines) + b"\r\n" + live.body


class _Relay:
    """Marks the head of an answer, passes the rest on, and follows it to its end."""

    def __init__(self, head_only: bool) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._head_only = head_only
        self._held: bytes | None = b""
        self._reason: list[bytes] = []
        self._body: list[bytes] = []
        self._kept = self._length = 0
        self.headers: Headers = []
        self.status = 0
        self.complete = self.until_eof = False

    def feed(self, data: bytes) -> bytes:
        """Take bytes from the destination, return those for the client."""
        if self._held is None:
            self._parser.feed_data(data)
            return data
        self._held += data
        end = self._held.find(b"\r\n\r\n")
        while end >= 0 and self._held[9:10] == b"1" and self._held[9:12] != b"101":
            self._held = self._held[end + 4 :]  # interim answers (RFC 9110 15.2) are not passed on
            end = self._held.find(b"\r\n\r\n")
        if end < 0:
            if len(self._held) > HEAD_MAX:
                raise httptools.HttpParserError("head too long")
            return b""
        whole, self._held = self._held, None
        self._parser.feed_data(whole)
        self.status = self._parser.get_status_code()
        framed = any(n.lower() in (b"content-length", b"transfer-encoding") for n, _ in self.headers)
        self.until_eof = not framed and self.status not in (204, 304) and not self._head_only
        self.complete = self.complete or self._head_only or self.status in (204, 304)
        return whole[: end + 2] + MARK + whole[end + 2 :]

    def eof(self) -> bytes:
        """The destination has ended."""
        self.complete = self.complete or (self.until_eof and self._held is None)
        return b""

    def answered(self) -> Answered:
        """Return the answer for the recorder."""
        cut = self._length if self._length > self._kept else 0
        reason = b"".join(self._reason)
        version = self._parser.get_http_version()
        return Answered(version, self.status, reason, self.headers, b"".join(self._body), cut, self.complete)

    def on_status(self, reason: bytes) -> None:
        self._reason.append(reason)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_body(self, body: bytes) -> None:
        self._length += len(body)
        if self._kept + len(body) <= BODY_MAX:
            self._kept += len(body)
            self._body.append(body)

    def on_message_complete(self) -> None:
        self.complete = True
