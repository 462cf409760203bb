"""A server and clients on one event loop, through whatever stands between; both keep what they sent and got.

The server takes anything. Requests for `/good/<n>` it answers by the book, again and again on one connection; to any
other bytes it sends what a seeded choice says, and it ends a connection only when the client did.
"""

from __future__ import annotations

import asyncio
import random
import re
import zlib
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from typing import Any

_GOOD = re.compile(
    rb"(?:GET|POST) /good/(\d+)\?[^ ]* HTTP/1\.1\r\n(?:[^\r\n]+\r\n)*?(?:Content-Length: (\d+)\r\n)?\r\n"
)


def digest(sent: bytes | bytearray, got: bytes | bytearray) -> bytes:
    """What a connection carried in both directions, as a short key."""
    return sha256(len(sent).to_bytes(8, "big") + sent + got).digest()


def good_request(number: int, body: bytes | None) -> bytes:
    """A well-formed request that the origin answers by the book."""
    if body is None:
        return b"GET /good/%d?a=b HTTP/1.1\r\nHost: shop.example\r\n\r\n" % number
    head = b"POST /good/%d?a=b HTTP/1.1\r\nHost: shop.example\r\nContent-Type: text/plain\r\n" % number
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


def good_answer(number: int, body: bytes) -> bytes:
    """The answer to it."""
    text = b"number %d, checksum %08x" % (number, zlib.crc32(body))
    return b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(text) + text


class Origin:
    """The server; `carried` counts every connection that ended in order."""

    def __init__(self, answer: Callable[[random.Random], bytes], seed: int) -> None:
        self.answer = answer
        self.seed = seed
        self.carried: Counter[bytes] = Counter()
        self.connections = 0
        self.port = 0
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.get_running_loop().create_server(lambda: _Connection(self), "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])

    def stop(self) -> None:
        assert self._server is not None
        self._server.close()


class _Connection(asyncio.Protocol):
    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.got, self.sent = bytearray(), bytearray()
        self.read = 0  # bytes of `got` that were good requests
        self.astray = False

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.origin.connections += 1

    def data_received(self, data: bytes) -> None:
        self.got += data
        while not self.astray and self.read < len(self.got):
            found = _GOOD.match(self.got, self.read)
            if found is None:
                rest = bytes(self.got[self.read :])
                if rest.startswith((b"GET /good/", b"POST /good/")) and len(rest) < 2000:
                    return
                self.astray = True
                chance = random.Random(self.origin.seed ^ zlib.crc32(rest))
                if b"Upgrade: websocket" in rest and chance.random() < 0.7:
                    self.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n")
                self.write(self.origin.answer(chance))
                return
            stop = found.end() + int(found[2] or 0)
            if stop > len(self.got):
                return
            self.write(good_answer(int(found[1]), bytes(self.got[found.end() : stop])))
            self.read = stop

    def write(self, data: bytes) -> None:
        self.sent += data
        self.transport.write(data)

    def eof_received(self) -> None:
        """Both ends said all; closing follows."""
        self.origin.carried[digest(self.got, self.sent)] += 1


async def read_answer(reader: asyncio.StreamReader) -> bytes:
    """One answer by the book."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
    return head + await reader.readexactly(length)
