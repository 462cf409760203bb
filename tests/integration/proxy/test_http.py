"""HTTP/1 through the inbound listener: what the client gets is what the origin sent, and the record says so."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

pytestmark = pytest.mark.integration

Start = Callable[..., Awaitable[Any]]
Origin = Callable[..., Awaitable[int]]
Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter


async def head_of(reader: Reader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n")


def replies(*answers: bytes) -> Callable[[Reader, Writer], Awaitable[None]]:
    """An origin that reads a head without a body and gives its answers in turn, then closes."""

    async def handle(reader: Reader, writer: Writer) -> None:
        for answer in answers:
            await head_of(reader)
            writer.write(answer)
            await writer.drain()

    return handle


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: 1\r\nx-b: a\r\nX-A: 2\r\n\r\nhi"


async def test_keep_alive_gives_one_pair_a_request(start: Start, origin: Origin) -> None:
    rig = await start(await origin(replies(OK, OK, OK)))
    reader, writer = await rig.connect()
    for number in range(3):
        writer.write(f"GET /n/{number}?a=1&b=x%20y&a=2 HTTP/1.1\r\nHost: shop:80\r\n\r\n".encode())
        assert await reader.readexactly(len(OK)) == OK
    writer.close()
    pairs = await rig.finish()
    assert [p.doc["location"] for p in pairs] == ["/n/0", "/n/1", "/n/2"]
    doc = pairs[0].doc
    assert doc["http"]["req"] == {
        "url": "/n/0",
        "uri": "/n/0?a=1&b=x%20y&a=2",
        "version": "1.1",
        "method": "GET",
        "host": "shop:80",
        "headers": {"Host": ["shop:80"]},
        "queryParams": {"a": ["1", "2"], "b": ["x y"]},
    }
    assert doc["http"]["res"]["headers"] == {"Content-Length": ["2"], "X-A": ["1", "2"], "x-b": ["a"]}
    assert list(doc["http"]["res"]["headers"]) == ["Content-Length", "X-A", "x-b"]
    assert pairs[0].response_body == b"hi"
    assert (doc["direction"], doc["command"], doc["status"]) == ("IN", "GET", "200")
    assert len({p.doc["uuid"] for p in pairs}) == len({p.doc["ts"] for p in pairs}) == 3
    assert rig.count("seen") == rig.count("captured") == 3
    rig.check_books()


async def test_pipelined_requests_are_paired_in_order(start: Start, origin: Origin) -> None:
    async def handle(reader: Reader, writer: Writer) -> None:
        for number in range(5):
            await head_of(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % number)

    rig = await start(await origin(handle))
    reader, writer = await rig.connect()
    writer.write(b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % n for n in range(5)))
    assert (await reader.read(-1)).count(b"HTTP/1.1 200") == 5
    pairs = await rig.finish()
    assert [(p.doc["location"], p.response_body) for p in pairs] == [(f"/{n}", b"%d" % n) for n in range(5)]
    assert len({p.doc["ts"] for p in pairs}) == 5  # one nanosecond apart, though they came together


async def test_chunked_with_trailers_in_both_directions(start: Start, origin: Origin) -> None:
    answer = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
        b"3\r\nabc\r\n4;ext=1\r\ndefg\r\n0\r\nX-Sum: 7\r\n\r\n"
    )

    async def handle(reader: Reader, writer: Writer) -> None:
        await head_of(reader)
        await reader.readuntil(b"0\r\nX-Req: t\r\n\r\n")
        writer.write(answer)

    rig = await start(await origin(handle))
    reader, writer = await rig.connect()
    writer.write(b"POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    writer.write(b"5\r\nhello\r\n0\r\nX-Req: t\r\n\r\n")
    assert await reader.read(-1) == answer
    (pair,) = await rig.finish()
    assert (pair.request_body, pair.response_body) == (b"hello", b"abcdefg")
    assert pair.doc["http"]["req"]["headers"]["X-Req"] == ["t"]
    assert pair.doc["http"]["res"]["headers"]["X-Sum"] == ["7"]


@pytest.mark.parametrize(
    ("request_line", "answer"),
    [
        (b"HEAD /h", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"),
        (b"GET /n", b"HTTP/1.1 204 No Content\r\n\r\n"),
        (b"GET /m", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n"),
    ],
)
async def test_answers_without_a_body(start: Start, origin: Origin, request_line: bytes, answer: bytes) -> None:
    rig = await start(await origin(replies(answer, OK)))
    reader, writer = await rig.connect()
    writer.write(request_line + b" HTTP/1.1\r\nHost: a\r\n\r\n")
    assert await reader.readexactly(len(answer)) == answer
    writer.write(b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n")
    assert await reader.readexactly(len(OK)) == OK
    writer.close()
    first, second = await rig.finish()
    assert first.response_body == b""
    assert (second.doc["location"], second.response_body) == ("/next", b"hi")


async def test_100_continue_reaches_the_client_before_its_body_is_sent(start: Start, origin: Origin) -> None:
    async def handle(reader: Reader, writer: Writer) -> None:
        await head_of(reader)
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert await reader.readexactly(4) == b"body"
        writer.write(OK)

    rig = await start(await origin(handle))
    reader, writer = await rig.connect()
    writer.write(b"PUT /c HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
    assert await head_of(reader) == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"body")
    assert await reader.readexactly(len(OK)) == OK
    writer.close()
    (pair,) = await rig.finish()
    assert (pair.doc["status"], pair.request_body, pair.response_body) == ("200", b"body", b"hi")


async def test_websocket_handshake_is_recorded_and_frames_pass(start: Start, origin: Origin) -> None:
    async def handle(reader: Reader, writer: Writer) -> None:
        await head_of(reader)
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        while data := await reader.read(100):
            writer.write(data)

    rig = await start(await origin(handle))
    reader, writer = await rig.connect()
    writer.write(b"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
    await head_of(reader)
    for frame in (b"\x81\x05hello", b"\x82\x03\x00\xff\x01"):
        writer.write(frame)
        assert await reader.readexactly(len(frame)) == frame
    writer.close()
    (pair,) = await rig.finish()
    assert pair.doc["status"] == "101"
    assert rig.count("opaque.upgraded") == 1
    rig.check_books()


async def test_close_delimited_body(start: Start, origin: Origin) -> None:
    answer = b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 10_000
    rig = await start(await origin(replies(answer)))
    reader, writer = await rig.connect()
    writer.write(b"GET / HTTP/1.0\r\n\r\n")
    assert await reader.read(-1) == answer
    writer.close()
    (pair,) = await rig.finish()
    assert pair.response_body == b"x" * 10_000
    assert "incomplete" not in pair.tags


async def test_half_close_by_the_client_does_not_cut_the_answer(start: Start, origin: Origin) -> None:
    async def handle(reader: Reader, writer: Writer) -> None:
        assert await reader.read(-1) == b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        writer.write(OK)

    rig = await start(await origin(handle))
    reader, writer = await rig.connect()
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    writer.write_eof()
    assert await reader.read(-1) == OK
    (pair,) = await rig.finish()
    assert pair.response_body == b"hi"


@pytest.mark.parametrize("size", [1, 2, 3, 7])
async def test_pieces_of_any_size_give_the_same_pair(start: Start, origin: Origin, size: int) -> None:
    wire = b"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde"

    async def handle(reader: Reader, writer: Writer) -> None:
        assert await reader.readexactly(len(wire)) == wire
        for at in range(0, len(OK), size):
            writer.write(OK[at : at + size])
            await writer.drain()
            await asyncio.sleep(0)

    rig = await start(await origin(handle))
    reader, writer = await rig.connect()
    for at in range(0, len(wire), size):
        writer.write(wire[at : at + size])
        await writer.drain()
        await asyncio.sleep(0)
    assert await reader.readexactly(len(OK)) == OK
    writer.close()
    (pair,) = await rig.finish()
    assert (pair.request_body, pair.response_body) == (b"abcde", b"hi")


async def test_body_over_the_limit_passes_whole_and_is_recorded_cut(start: Start, origin: Origin) -> None:
    body = bytes(range(256)) * 40
    rig = await start(
        await origin(replies(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)), MAX_BODY_BYTES="100"
    )
    reader, writer = await rig.connect()
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    await head_of(reader)
    assert await reader.readexactly(len(body)) == body
    writer.close()
    (pair,) = await rig.finish()
    assert pair.response_body == body[:100]
    assert pair.tags["responsePayloadTruncated"] == str(len(body))
    assert rig.count("truncated") == 1


async def test_slow_reader_slows_the_origin_down_instead_of_filling_memory(start: Start, origin: Origin) -> None:
    size = 50 * 2**20
    piece = b"z" * 65536
    sent = 0

    async def handle(reader: Reader, writer: Writer) -> None:
        nonlocal sent
        await head_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        while sent < size:
            writer.write(piece)
            sent += len(piece)
            await writer.drain()

    rig = await start(await origin(handle), MAX_BODY_BYTES="1000")
    reader, writer = await rig.connect()
    writer.write(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
    await head_of(reader)
    flow = next(iter(rig.server.hub.flows))
    while flow.server is None or flow.server.transport.is_reading():  # until back-pressure has reached the origin
        await asyncio.sleep(0)
    assert flow.client.transport.get_write_buffer_size() < 2**20
    assert sent < size
    got = 0
    while got < size:
        got += len(await reader.read(2**20))
    assert got == size
    writer.close()
    (pair,) = await rig.finish()
    assert pair.tags["responsePayloadTruncated"] == str(size)


async def test_origin_that_is_not_there_resets_the_client(start: Start, unused_port: int) -> None:
    rig = await start(unused_port)
    reader, _ = await rig.connect()
    with pytest.raises(ConnectionResetError):
        await reader.readexactly(1)
    assert rig.count("refused.connect_failed") == 1
    await rig.finish()
    rig.check_books()


async def test_client_that_leaves_before_an_answer_is_counted(start: Start, origin: Origin) -> None:
    arrived = asyncio.Event()

    async def handle(reader: Reader, writer: Writer) -> None:
        await head_of(reader)
        arrived.set()
        assert await reader.read(1) == b""

    rig = await start(await origin(handle))
    _, writer = await rig.connect()
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    await arrived.wait()
    writer.close()
    assert await rig.finish() == []
    assert rig.count("dropped.client_gone") + rig.count("dropped.server_gone") == 1
    rig.check_books()


async def test_reset_of_the_origin_is_a_reset_for_the_client(start: Start, origin: Origin) -> None:
    async def handle(reader: Reader, writer: Writer) -> None:
        await head_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npartial")
        await writer.drain()
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    rig = await start(await origin(handle))
    reader, writer = await rig.connect()
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await reader.readexactly(1000)
    (pair,) = await rig.finish()
    assert pair.response_body == b"partial"
    assert pair.tags["incomplete"] == "server_gone"
