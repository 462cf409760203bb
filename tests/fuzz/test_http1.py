"""Ten thousand damaged conversations, the same each run: nothing raises, nothing grows, nothing is lost silently."""

from __future__ import annotations

import random
import re

import pytest

from speedscale_runtime.protocols.exchange import Cause, Exchange, Mode
from speedscale_runtime.protocols.http1 import PIPELINE_MAX, Observer
from speedscale_runtime.protocols.preamble import Kind, Preamble

ROUNDS = 10_000
BATCHES = 10
MAX_BODY, MAX_HEAD = 200, 300

REQUESTS = [
    b"GET /a?b=c HTTP/1.1\r\nHost: h\r\nAccept: */*\r\n\r\n",
    b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\nhello world",
    b"PUT /y HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n6\r\n world\r\n0\r\nT: 1\r\n\r\n",
    b"HEAD / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
    b"GET /ws HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    b"CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n",
    b"GET http://h:81/p HTTP/1.1\nHost: h\nProxy-Connection: x\n\n",
]
RESPONSES = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: 1\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 70\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.0 200 OK\r\n\r\nuntil the end",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x02hi",
]
TARGETS = [
    *REQUESTS,
    b"\x05\x01\x00\x05\x01\x00\x03\x01h\x00\x50GET / HTTP/1.1\r\n\r\n",
    b"\x04\x01\x00\x50\x00\x00\x00\x01user\x00host\x00GET / HTTP/1.1\r\n\r\n",
]
SPLICES = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b":",
    b" ",
    b"0",
    b"Content-Length: 4\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"\xff" * 9,
]


def damaged(random_: random.Random, data: bytes) -> bytes:
    """Flip, drop, double or insert bytes at up to three places; one conversation in four stays whole."""
    out = bytearray(data)
    for _ in range(random_.choice((0, 1, 2, 3))):
        at = random_.randrange(len(out) + 1)
        match random_.randrange(4):
            case 0:
                out[at : at + 1] = bytes((random_.randrange(256),))
            case 1:
                del out[at : at + random_.randrange(1, 9)]
            case 2:
                out[at:at] = random_.choice(SPLICES)
            case _:
                out[at:at] = out[at : at + random_.randrange(1, 60)]
    return bytes(out)


def cuts(random_: random.Random, data: bytes) -> list[bytes]:
    out = []
    while data:
        size = random_.randrange(1, len(data) + 1)
        out.append(data[:size])
        data = data[size:]
    return out


def kept_bytes(exchange: Exchange) -> int:
    return len(exchange.request_body) + len(exchange.response_body)


@pytest.mark.parametrize("batch", range(BATCHES))
def test_damaged_conversations_are_accounted_for(batch: int) -> None:
    random_ = random.Random(batch)
    complete = cut_off = opaque = 0
    for _ in range(ROUNDS // BATCHES):
        seen: list[Exchange] = []
        observer = Observer(seen.append, max_body_bytes=MAX_BODY, max_head_bytes=MAX_HEAD)
        asked = random_.choices(REQUESTS, k=random_.randrange(1, 4))
        fed = answered = b""
        for request in asked:
            for piece in cuts(random_, damaged(random_, request)):
                fed += piece if observer.mode is Mode.ACTIVE else b""
                observer.feed_request(piece, 1)
            for piece in cuts(random_, damaged(random_, random_.choice(RESPONSES))):
                answered += piece
                observer.feed_response(piece, 2)
        random_.choice((observer.request_eof, observer.response_eof, lambda now: None))(3)
        observer.close(4, Cause.CLIENT_GONE)
        for exchange in seen:
            assert kept_bytes(exchange) <= 2 * MAX_BODY
            assert len(exchange.request_body) <= exchange.request_body_length
            assert len(exchange.response_body) <= exchange.response_body_length
            if not exchange.incomplete:
                assert exchange.method
                assert exchange.status >= 100
                assert exchange.request_end_ns
                assert exchange.response_end_ns
        if observer.mode is Mode.OPAQUE:
            assert observer.cause in set(Cause) - {Cause.NONE}
            opaque += 1
        elif fed.strip(b"\r\n"):
            # Every byte of requests was read as HTTP: some exchange must answer for them.
            assert seen
        complete += sum(not e.incomplete for e in seen)
        cut_off += sum(bool(e.incomplete) for e in seen)
        assert len(seen) <= PIPELINE_MAX + 1
    # The corpus must reach each way to end, or this test shows nothing.
    assert min(complete, cut_off, opaque) > 50


@pytest.mark.parametrize("batch", range(BATCHES))
def test_whole_requests_are_counted_exactly(batch: int) -> None:
    """Undamaged pipelines, cut anywhere and ended anywhere: as many exchanges as request heads that were fed."""
    random_ = random.Random(1000 + batch)
    plain = REQUESTS[:5]
    for _ in range(100):
        seen: list[Exchange] = []
        observer = Observer(seen.append, max_body_bytes=MAX_BODY, max_head_bytes=MAX_HEAD)
        asked = random_.choices(plain, k=random_.randrange(1, 6))
        stream = b"".join(asked)[: random_.randrange(1, 400)]
        for piece in cuts(random_, stream):
            observer.feed_request(piece, 1)
        for _ in range(random_.randrange(0, 3)):
            observer.feed_response(RESPONSES[0], 2)
        observer.close(3, Cause.SERVER_GONE)
        if observer.mode is Mode.ACTIVE:
            begun = len(re.findall(rb"(?:GET|POST|PUT|HEAD) /", stream))
            rest = next((n for n in range(1, 6) if any(stream.endswith(r[:n]) for r in plain)), 0)
            assert begun <= len(seen) <= begun + (1 if rest else 0)


@pytest.mark.parametrize("batch", range(BATCHES))
def test_damaged_preambles_lose_no_byte(batch: int) -> None:
    random_ = random.Random(2000 + batch)
    kinds = set()
    for _ in range(ROUNDS // BATCHES):
        preamble = Preamble(max_head_bytes=MAX_HEAD)
        data = damaged(random_, random_.choice(TARGETS)) + random_.choice((b"", random_.choice(REQUESTS)))
        taken, result = 0, None
        for piece in cuts(random_, data):
            taken += len(piece)
            result = preamble.feed(piece)
            if result is not None:
                break
        if result is None:
            assert len(preamble.unread()) <= max(MAX_HEAD + 1, 1000)
            continue
        kinds.add(result.kind)
        if result.kind is Kind.REFUSED:
            assert preamble.outgoing
            assert result.cause
        elif result.kind in (Kind.OPAQUE, Kind.ORIGIN):
            assert result.rest == data[:taken]
        else:
            assert result.host
            assert 0 < result.port < 65536
        if result.rewriter is not None:
            for piece in cuts(random_, data[taken:]):
                for forward in result.rewriter.feed(piece):
                    assert forward.data
                    assert 0 < forward.port < 65536
    assert kinds == set(Kind)
