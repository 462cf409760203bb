"""Seeded damage to bytes: of HTTP messages, batches of frames and recordings. The same seed, the same bytes.

`spoil` does what chance does to any bytes; the `REQUESTS` and `ANSWERS` below are wrong in ways that people and
attackers found. No I/O here.
"""

from __future__ import annotations

import random
from collections.abc import Callable

Make = Callable[[random.Random], bytes]


def flip(r: random.Random, data: bytes) -> bytes:
    """One to three bits."""
    out = bytearray(data)
    for _ in range(r.randint(1, 3)):
        out[r.randrange(len(out))] ^= 1 << r.randrange(8)
    return bytes(out)


def cut(r: random.Random, data: bytes) -> bytes:
    """An end that comes too early."""
    return data[: r.randint(1, len(data))]


def insert(r: random.Random, data: bytes) -> bytes:
    """Bytes that do not belong here, control bytes before all."""
    at = r.randrange(len(data) + 1)
    extra = r.choice((b"\0", b"\r", b"\n", b"\x7f", b"\xff\xfe", b" ", b"\t", b":", b"\r\n\r\n", r.randbytes(8)))
    return data[:at] + extra * r.randint(1, 3) + data[at:]


def lose(r: random.Random, data: bytes) -> bytes:
    """A gap."""
    at = r.randrange(len(data))
    return data[:at] + data[at + r.randint(1, 12) :] or b"\n"


def double(r: random.Random, data: bytes) -> bytes:
    """A piece twice."""
    start = r.randrange(len(data))
    stop = min(len(data), start + r.randint(1, 60))
    return data[:stop] + data[start:]


SPOILERS = (flip, cut, insert, lose, double)


def spoil(r: random.Random, data: bytes) -> bytes:
    """Damage bytes in one to three ways; never empty."""
    for _ in range(r.randint(1, 3)):
        data = r.choice(SPOILERS)(r, data)
    return data


# -- requests


def plain(r: random.Random, target: bytes = b"/bad") -> bytes:
    """A well-formed request: with a body by length, a body in chunks, or without one."""
    number = b"%d" % r.randrange(10**9)
    head = b"Host: shop.example\r\nUser-Agent: fuzz/1\r\nAccept: */*\r\nX-Number: " + number + b"\r\n"
    kind = r.randrange(3)
    if kind == 0:
        return b"GET " + target + b"?n=" + number + b" HTTP/1.1\r\n" + head + b"\r\n"
    body = r.randbytes(r.randrange(1, 300))
    if kind == 1:
        return b"POST " + target + b" HTTP/1.1\r\n" + head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    return b"PUT " + target + b" HTTP/1.1\r\n" + head + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(r, body)


def chunked(r: random.Random, body: bytes) -> bytes:
    """A body in chunks of odd sizes, with extensions and trailers now and then."""
    out = b""
    while body:
        size = r.randint(1, 97)
        piece, body = body[:size], body[size:]
        extension = b";note=1" if r.random() < 0.2 else b""
        out += b"%x" % len(piece) + extension + b"\r\n" + piece + b"\r\n"
    return out + b"0\r\n" + (b"X-Trailer: t\r\n" if r.random() < 0.3 else b"") + b"\r\n"


def spoiled(r: random.Random) -> bytes:
    return spoil(r, plain(r))


def wrong_length(r: random.Random) -> bytes:
    length = r.choice((b"10000", b"0", b"-1", b"+5", b"0x10", b"9" * 25, b"5, 6", b"5,5", b"", b" ", b"1e3", b"5\0"))
    return b"POST /bad HTTP/1.1\r\nHost: a\r\nContent-Length: " + length + b"\r\n\r\n" + r.randbytes(r.randrange(20))


def two_lengths(r: random.Random) -> bytes:
    fields = [b"Content-Length: 5", b"Transfer-Encoding: chunked", b"Content-Length: 7"]
    r.shuffle(fields)
    chosen = b"\r\n".join(fields[: r.randint(2, 3)])
    return b"POST /bad HTTP/1.1\r\nHost: a\r\n" + chosen + b"\r\n\r\n5\r\nhello\r\n0\r\n\r\n"


def odd_coding(r: random.Random) -> bytes:
    coding = r.choice(
        (b"chunked, gzip", b"gzip", b"chunked, chunked", b"xchunked", b"Chunked\x0b", b"identity", b"\tchunked", b"")
    )
    return b"POST /bad HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: " + coding + b"\r\n\r\n5\r\nhello\r\n0\r\n\r\n"


def bad_chunk(r: random.Random) -> bytes:
    size = r.choice(
        (b"5g", b"-5", b"0x5", b"F" * 17, b" 5", b"5 ", b"", b"5\n", b"5;" + b"e" * 9000, b"\0", b"7fffffff")
    )
    head = b"POST /bad HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + size + b"\r\nhello" + r.choice((b"\r\n", b"\n", b"xx")) + b"0\r\n\r\n"


def control_bytes(r: random.Random) -> bytes:
    byte = bytes([r.choice((*range(0x20), 0x7F))])
    where = r.randrange(3)
    target, name, value = (byte if where == i else b"" for i in range(3))
    return b"GET /bad" + target + b" HTTP/1.1\r\nHost: a\r\nX-" + name + b"A: v" + value + b"w\r\n\r\n"


def huge_head(r: random.Random) -> bytes:
    size = r.choice((20_000, 70_000, 200_000))
    return r.choice(
        (
            b"GET /bad" + b"a" * size + b" HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET /bad HTTP/1.1\r\nHost: a\r\nX: " + b"b" * size + b"\r\n\r\n",
            b"GET /bad HTTP/1.1\r\nHost: a\r\n" + b"X-Y: 1\r\n" * (size // 8) + b"\r\n",
            b"A" * size,
        )
    )


def other_words(r: random.Random) -> bytes:
    return r.choice(
        (
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + r.randbytes(20),
            b"\x16\x03\x01" + r.randbytes(60),
            b"\x00\x00\x00\x08\x04\xd2\x16\x2f",
            b"*1\r\n$4\r\nPING\r\n",
            b"GET /bad\r\n",
            b"GET /bad HTTP/0.9\r\n\r\n",
            b"GET /bad HTTP/1.1\nHost: a\n\n",
            b"\r\n" * r.randint(1, 2000),
            b"GET  /bad  HTTP/1.1\r\n\r\n",
            b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody",
            b"GET /bad HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n" + r.randbytes(90),
            b"GET /bad HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n",
            b"GET /bad HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
            b"GET /bad HTTP/1.1\r\n: no name\r\n\r\n",
            b"GET /bad HTTP/1.1\r\nHost: a\r\n\r\n" * r.randint(2, 80),
            r.randbytes(r.randint(1, 400)),
        )
    )


REQUESTS: tuple[Make, ...] = (
    *(spoiled,) * 5,
    wrong_length,
    two_lengths,
    odd_coding,
    bad_chunk,
    control_bytes,
    huge_head,
    other_words,
)


def request(r: random.Random) -> bytes:
    """A request that is wrong, or was well-formed before chance came."""
    return r.choice(REQUESTS)(r)


# -- answers


def answer(r: random.Random) -> bytes:
    """An answer of any kind: about a third is well-formed."""
    body = r.randbytes(r.randrange(200))
    fine = r.choice(
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body,
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(r, body),
            b"HTTP/1.1 204 No Content\r\n\r\n",
            b"HTTP/1.0 404 Not Found\r\n\r\n" + body,
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        )
    )
    kind = r.random()
    if kind < 0.3:
        return fine
    if kind < 0.7:
        return spoil(r, fine)
    return r.choice(
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\nshort",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
            b"HTTP/1.1 99999 Much\r\n\r\n",
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n" + body,
            b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
            b"HTTP/1.1 200 " + b"\xff\xfe" + b"\r\nX-\xe9: \xe9\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body,
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" * 3,
            b"220 mail.example ESMTP\r\n",
            b"",
            body,
        )
    )
