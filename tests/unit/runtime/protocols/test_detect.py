"""First bytes of each protocol, and bytes that look like one and are not."""

from __future__ import annotations

import struct

import pytest

from speedscale_runtime.protocols.detect import LOOK, Detector, Protocol, from_client, from_server

STARTUP = struct.pack(">II", 41, 196608) + b"user\0alice\0database\0shop\0\0"
KAFKA = struct.pack(">IHHIH", 35, 18, 3, 1, 8) + b"rdkafka1\0\x0blibrdkafka\x062.3.0\0"
MONGO = struct.pack("<IIII", 200, 1, 0, 2013) + bytes(5)
OLD_MONGO = struct.pack("<IIII", 200, 1, 0, 2004) + bytes(4)

CLIENTS = [
    (b"GET / HTTP/1.1\r\n", Protocol.HTTP1),
    (b"PURGE /x HTTP/1.1\r\n", Protocol.HTTP1),
    (b"FROB /x HTTP/1.1\r\n", Protocol.HTTP1),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0", Protocol.HTTP2),
    (b"\x16\x03\x01\x02\x00\x01\x00", Protocol.TLS),
    (STARTUP, Protocol.POSTGRES),
    (struct.pack(">II", 8, 80877103), Protocol.POSTGRES),
    (struct.pack(">IIII", 16, 80877102, 1, 2), Protocol.POSTGRES),
    (MONGO, Protocol.MONGODB),
    (OLD_MONGO, Protocol.MONGODB),
    (b"*2\r\n$4\r\nLLEN\r\n", Protocol.REDIS),
    (b"PING\r\n", Protocol.REDIS),
    (b"auth secret\r\n", Protocol.REDIS),
    (KAFKA, Protocol.KAFKA),
    (b"AMQP\x00\x00\x09\x01", Protocol.AMQP),
    (b"SSH-2.0-OpenSSH\r\n", Protocol.OPAQUE),
    (b"EHLO me\r\n", Protocol.OPAQUE),
    (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", Protocol.OPAQUE),
    (b"\x16\x03\x01\x02\x00\x07\x00" + bytes(20), Protocol.OPAQUE),
    (b"PINGPONG /x\r\n", Protocol.OPAQUE),
    (b"\0" * LOOK, Protocol.OPAQUE),
]


@pytest.mark.parametrize(("first", "expected"), CLIENTS)
def test_first_bytes_of_a_client(first: bytes, expected: Protocol) -> None:
    assert from_client(first) is expected


@pytest.mark.parametrize(("first", "expected"), CLIENTS)
def test_byte_by_byte_gives_the_same_and_never_another_first(first: bytes, expected: Protocol) -> None:
    detector = Detector()
    seen = [detector.feed_client(first[i : i + 1]) for i in range(len(first))]
    decided = [protocol for protocol in seen if protocol is not None]
    assert set(decided) == {expected}


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (b"\x4a\x00\x00\x00\x0a8.0.36\x00" + bytes(20), Protocol.MYSQL),
        (b"\x6a\x00\x00\x00\x0a5.5.5-10.11.6-MariaDB\x00", Protocol.MYSQL),
        (b"\x17\x00\x00\x00\xff\x10\x04Too many connections", Protocol.MYSQL),
        (b"220 mail.example ESMTP\r\n", Protocol.OPAQUE),
        (b"SSH-2.0-x\r\n", Protocol.OPAQUE),
        (b"\x4a\x00\x00\x01\x0a8.0.36\x00", Protocol.OPAQUE),
    ],
)
def test_servers_that_speak_first(first: bytes, expected: Protocol) -> None:
    assert from_server(first) is expected
    detector = Detector()
    for i in range(len(first)):
        detector.feed_server(first[i : i + 1])
    assert detector.protocol is expected


def test_undecided_needs_more_and_memory_is_bounded() -> None:
    assert from_client(b"") is None
    assert from_client(b"P") is None
    assert from_server(b"\x4a\x00") is None
    detector = Detector()
    assert detector.feed_client(b"A" * 20) is None
    assert detector.feed_client(b"A" * 100_000) is Protocol.OPAQUE


def test_the_first_verdict_stays() -> None:
    detector = Detector()
    detector.feed_client(b"GET / HTTP/1.1\r\n")
    assert detector.feed_client(b"\x16\x03\x01\x02\x00\x01") is Protocol.HTTP1
    assert detector.feed_server(b"220 x") is Protocol.HTTP1
