"""The outbound listener: CONNECT, absolute-form, SOCKS, opaque protocols and servers that speak first."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from speedscale_runtime.recording.causes import Side

pytestmark = pytest.mark.integration

Start = Callable[..., Awaitable[Any]]
Origin = Callable[..., Awaitable[int]]
Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter
CONNECTED = b"HTTP/1.1 200 Connection established\r\n\r\n"


def says(text: bytes) -> Callable[[Reader, Writer], Awaitable[None]]:
    """An origin that answers every request with the same text and the request line it saw."""

    async def handle(reader: Reader, writer: Writer) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            body = text + b" " + head.partition(b"\r\n")[0]
            assert b"proxy-" not in head.lower()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    return handle


async def answer(reader: Reader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return await reader.readexactly(length)


async def echo(reader: Reader, writer: Writer) -> None:
    while data := await reader.read(65536):
        writer.write(data)


def socks4(port: int) -> tuple[bytes, int]:
    return struct.pack(">BBH4B", 4, 1, port, 127, 0, 0, 1) + b"me\0", 8


def socks4a(port: int) -> tuple[bytes, int]:
    return struct.pack(">BBH4B", 4, 1, port, 0, 0, 0, 9) + b"\0localhost\0", 8


def socks5_name(port: int) -> tuple[bytes, int]:
    return b"\x05\x01\x00" + b"\x05\x01\x00\x03\x09localhost" + struct.pack(">H", port), 2 + 10


async def test_connect_and_a_request_in_the_tunnel(start: Start, origin: Origin) -> None:
    port = await origin(says(b"one"))
    rig = await start()
    reader, writer = await rig.connect(Side.OUT)
    writer.write(b"CONNECT localhost:%d HTTP/1.1\r\nHost: localhost:%d\r\n\r\n" % (port, port))
    assert await reader.readuntil(b"\r\n\r\n") == CONNECTED
    writer.write(b"GET /in/tunnel HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert await answer(reader) == b"one GET /in/tunnel HTTP/1.1"
    (pair,) = await rig.finish()
    assert (pair.direction, pair.doc["network_address"]) == ("OUT", f"localhost:{port}")
    assert pair.tags["proxyProtocol"] == "connect"
    assert pair.tags["proxyLocation"] == "out"
    assert pair.doc["netinfo"]["upstream"]["hostname"] == "localhost"
    rig.check_books()


@pytest.mark.parametrize("request_of", [socks4, socks4a, socks5_name])
async def test_socks(start: Start, origin: Origin, request_of: Callable[[int], tuple[bytes, int]]) -> None:
    wire, reply = request_of(await origin(says(b"s")))
    rig = await start()
    reader, writer = await rig.connect(Side.OUT)
    for at in range(len(wire)):  # byte by byte
        writer.write(wire[at : at + 1])
        await writer.drain()
    await reader.readexactly(reply)
    writer.write(b"GET /s HTTP/1.1\r\nHost: x\r\n\r\n")
    assert await answer(reader) == b"s GET /s HTTP/1.1"
    (pair,) = await rig.finish()
    assert pair.tags["proxyProtocol"] in ("socks4", "socks5")


async def test_absolute_form_follows_each_request_to_its_target(start: Start, origin: Origin) -> None:
    first, second = await origin(says(b"first")), await origin(says(b"second"))
    rig = await start()
    reader, writer = await rig.connect(Side.OUT)
    for port, name in ((first, b"first"), (first, b"first"), (second, b"second"), (first, b"first")):
        writer.write(b"GET http://127.0.0.1:%d/p?q=1 HTTP/1.1\r\nHost: x\r\nProxy-Connection: a\r\n\r\n" % port)
        assert await answer(reader) == name + b" GET /p?q=1 HTTP/1.1"
    pairs = await rig.finish()
    assert [p.doc["network_address"] for p in pairs] == [f"127.0.0.1:{p}" for p in (first, first, second, first)]
    assert {p.doc["http"]["req"]["uri"] for p in pairs} == {"/p?q=1"}
    rig.check_books()


async def test_absolute_form_pipelined_to_two_targets(start: Start, origin: Origin) -> None:
    first, second = await origin(says(b"first")), await origin(says(b"second"))
    rig = await start()
    reader, writer = await rig.connect(Side.OUT)
    ports = (first, second, second, first)
    writer.write(b"".join(b"GET http://127.0.0.1:%d/ HTTP/1.1\r\nHost: x\r\n\r\n" % p for p in ports))
    got = [(await answer(reader)).split()[0] for _ in ports]
    assert got == [b"first", b"second", b"second", b"first"]
    assert len(await rig.finish()) == 4


async def test_server_that_speaks_first_is_not_delayed(start: Start, origin: Origin) -> None:
    async def handle(reader: Reader, writer: Writer) -> None:
        writer.write(b"220 mail ready\r\n")
        assert await reader.readline() == b"EHLO me\r\n"
        writer.write(b"250 ok\r\n")

    port = await origin(handle)
    for environment in ({}, {"TLS_OUT_UNWRAP": "true"}):
        rig = await start(**environment)
        reader, writer = await rig.connect(Side.OUT)
        writer.write(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n\r\n" % port)
        assert await reader.readuntil(b"\r\n\r\n") == CONNECTED
        assert await reader.readline() == b"220 mail ready\r\n"  # before the client said a word
        writer.write(b"EHLO me\r\n")
        assert await reader.readline() == b"250 ok\r\n"
        *_, pair = await rig.finish()
        assert (pair.doc["l7protocol"], pair.doc["location"]) == ("tcp", f"127.0.0.1:{port}")
        assert pair.doc["netinfo"]["downstream"]["bytesSent"] == "9"
        assert pair.doc["netinfo"]["upstream"]["bytesSent"] == "24"
        assert rig.count("opaque.not_http") == 1
        rig.check_books()


async def test_binary_protocol_in_both_directions(start: Start, origin: Origin) -> None:
    payload = bytes(range(256)) * 5000
    port = await origin(echo)
    rig = await start(port)
    reader, writer = await rig.connect()
    writer.write(b"\x00\x00\x00\x08\x04\xd2\x16\x2f" + payload)
    writer.write_eof()
    assert await reader.read(-1) == b"\x00\x00\x00\x08\x04\xd2\x16\x2f" + payload
    (pair,) = await rig.finish()
    assert pair.tags["detectedProtocol"] == "postgres"
    assert pair.doc["netinfo"]["upstream"]["bytesSent"] == str(len(payload) + 8)


async def test_http_that_turns_to_nonsense_flows_on(start: Start, origin: Origin) -> None:
    port = await origin(echo)
    rig = await start(port)
    reader, writer = await rig.connect()
    wire = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd" + b"\0" * 999
    writer.write(wire)
    assert await reader.readexactly(len(wire)) == wire
    (pair,) = await rig.finish()
    assert pair.doc["l7protocol"] == "tcp"
    assert rig.count("dropped.parse_error") == 1
    rig.check_books()


@pytest.mark.parametrize(
    ("wire", "cause", "begins"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "no_target", b"HTTP/1.1 400 "),
        (b"CONNECT nonsense HTTP/1.1\r\n\r\n", "bad_preamble", b"HTTP/1.1 400 "),
        (b"\x05\x01\x02", "bad_preamble", b"\x05\xff"),
        (b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n\r\n", "connect_failed", b"HTTP/1.1 502 "),
    ],
)
async def test_client_without_a_target_is_told(
    start: Start, unused_port: int, wire: bytes, cause: str, begins: bytes
) -> None:
    rig = await start()
    reader, writer = await rig.connect(Side.OUT)
    writer.write(wire % unused_port if b"%d" in wire else wire)
    assert (await reader.read(-1)).startswith(begins)
    assert rig.count(f"refused.{cause}") == 1
    await rig.finish()
    rig.check_books()


async def test_going_to_ourselves_is_refused(start: Start) -> None:
    rig = await start()
    reader, writer = await rig.connect(Side.OUT)
    writer.write(b"CONNECT localhost:%d HTTP/1.1\r\n\r\n" % rig.out_port)
    assert (await reader.read(-1)).startswith(b"HTTP/1.1 403 ")
    assert rig.count("refused.loop") == 1
