"""ClientHellos as OpenSSL writes them, whole, cut, split into records, and damaged."""

from __future__ import annotations

import contextlib
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedscale_runtime.protocols.clienthello import HELLO_MAX, ClientHello, NeedMore, parse
from speedscale_schemas.errors import PeerError


def hello(name: str | None = "Shop.Example", alpn: list[str] | None = None) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    if alpn:
        context.set_alpn_protocols(alpn)
    outgoing = ssl.MemoryBIO()
    connection = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        connection.do_handshake()
    return outgoing.read()


def records(data: bytes, size: int) -> bytes:
    """Split the one record of `data` into records of at most `size` bytes."""
    message = data[5:]
    pieces = [message[i : i + size] for i in range(0, len(message), size)]
    return b"".join(data[:3] + len(piece).to_bytes(2, "big") + piece for piece in pieces)


@pytest.mark.parametrize(
    ("name", "alpn", "expected"),
    [
        ("Shop.Example", ["h2", "http/1.1"], ClientHello("shop.example", (b"h2", b"http/1.1"))),
        ("a_b.example", None, ClientHello("a_b.example", ())),
        (None, None, ClientHello("", ())),
    ],
)
def test_name_and_protocols(name: str | None, alpn: list[str] | None, expected: ClientHello) -> None:
    assert parse(hello(name, alpn) + b"later bytes") == expected


def test_every_prefix_needs_more() -> None:
    data = hello()
    for end in range(len(data)):
        with pytest.raises(NeedMore):
            parse(data[:end])


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 100])
def test_split_into_records(size: int) -> None:
    data = records(hello(alpn=["h2"]), size)
    assert parse(data) == ClientHello("shop.example", (b"h2",))
    with pytest.raises(NeedMore):
        parse(data[:-1])


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1",
        b"\x16\x02\x00",
        b"\x16\x03\x01\x00\x00",
        b"\x16\x03\x01\xff\xff",
        b"\x16\x03\x01\x00\x04\x02\x00\x00\x00",
        b"\x16\x03\x01\x00\x04\x01" + (HELLO_MAX + 1).to_bytes(3, "big"),
        b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00",
    ],
)
def test_what_is_no_hello_is_refused_at_once(data: bytes) -> None:
    with pytest.raises(PeerError, match="bad_client_hello"):
        parse(data)


def test_name_that_is_none_is_refused() -> None:
    with pytest.raises(PeerError):
        parse(hello("shop.example").replace(b"shop.example", b"shop example"))


def made(extensions: bytes) -> bytes:
    """A hello with these extensions and nothing else of interest."""
    body = b"\x03\x03" + bytes(32) + b"\0" + b"\0\x02\x13\x01" + b"\x01\0"
    body += len(extensions).to_bytes(2, "big") + extensions
    message = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + len(message).to_bytes(2, "big") + message


@pytest.mark.parametrize(
    "extensions",
    [
        b"\x00\x2b\x00\x05\x01\x02\x03",  # says 5 bytes, has 3
        b"\x00\x10\x00\x05\x00\x03\x05h2",  # a protocol name longer than its list
        b"\x00\x10\x00\x05\x00\x09\x02h2",  # a list longer than its extension
        b"\x00\x00\x00\x06\x00\x04\x00\x00\x09h",  # a name longer than its extension
        b"\x00\x00\x00\x06\x00\x04\x07\x00\x01h",  # a kind of name that does not exist
        b"\x00",
    ],
)
def test_lengths_that_point_outside_are_refused(extensions: bytes) -> None:
    assert parse(made(b"\x00\x00\x00\x06\x00\x04\x00\x00\x01h")).sni == "h"
    with pytest.raises(PeerError):
        parse(made(extensions))


def test_endless_records_are_refused() -> None:
    start = b"\x16\x03\x01\x00\x04\x01" + HELLO_MAX.to_bytes(3, "big")
    with pytest.raises(PeerError):
        parse(start + b"\x16\x03\x01\x00\x01a" * 20_000)


@given(st.integers(0, 600), st.integers(0, 255))
def test_a_damaged_byte_never_raises_anything_else(position: int, value: int) -> None:
    data = bytearray(HELLO)
    data[position % len(data)] = value
    with contextlib.suppress(NeedMore, PeerError):
        parse(bytes(data))


HELLO = hello(alpn=["h2", "http/1.1"])
