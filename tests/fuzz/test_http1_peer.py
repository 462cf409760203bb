"""A second opinion: where llhttp accepts a damaged pipeline of requests, the observer finds the same requests.

llhttp refuses more than we do (bare line feeds, unknown methods); that is not compared. What must never happen is
that both accept and see different messages: that is how requests are smuggled, and how pairs would be mixed up.
"""

from __future__ import annotations

import random

import httptools
import pytest

from speedscale_runtime.protocols.exchange import Exchange, Mode
from speedscale_runtime.protocols.http1 import Observer

REQUESTS = [
    b"GET /a?b=c HTTP/1.1\r\nHost: h\r\nAccept: */*\r\n\r\n",
    b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\nhello world",
    b"PUT /y HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n6\r\n world\r\n0\r\nT: 1\r\n\r\n",
    b"DELETE /z HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
]
SPLICES = [b"\r\n", b"\n", b"\r", b" ", b"\t", b"0", b"1", b"Content-Length: 4\r\n", b"Transfer-Encoding: chunked\r\n"]

Message = tuple[bytes, bytes, list[tuple[bytes, bytes]], bytes]


class Peer:
    """Collects what llhttp finds."""

    def __init__(self) -> None:
        self.found: list[Message] = []
        self.parser = httptools.HttpRequestParser(self)

    def on_message_begin(self) -> None:
        self.url = self.body = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.fields: list[tuple[bytes, bytes]] = []

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        self.fields, self.headers = self.headers, []

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.found.append((self.parser.get_method(), self.url, self.fields, self.body))


@pytest.mark.parametrize("seed", range(5))
def test_same_requests_as_llhttp(seed: int) -> None:
    random_ = random.Random(seed)
    compared = 0
    for _ in range(2_000):
        data = bytearray(b"".join(random_.choices(REQUESTS, k=random_.randrange(1, 4))))
        for _ in range(random_.randrange(3)):
            at = random_.randrange(len(data))
            if random_.random() < 0.5:
                data[at:at] = random_.choice(SPLICES)
            else:
                del data[at : at + random_.randrange(1, 4)]
        peer = Peer()
        try:
            peer.parser.feed_data(bytes(data))
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            continue
        seen: list[Exchange] = []
        observer = Observer(seen.append, max_body_bytes=1000, max_head_bytes=10_000)
        observer.feed_request(bytes(data), 1)
        observer.close(2, "")
        if observer.mode is not Mode.ACTIVE:
            continue
        ended = [e for e in seen if e.request_end_ns == 1]
        assert [(e.method, e.target, e.request_headers, e.request_body) for e in ended] == peer.found
        compared += 1
    assert compared > 300
