"""The connection, without sockets: any chunking of the same bytes gives the same answers, in order, within bounds."""

from __future__ import annotations

import asyncio
import ssl
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedscale_runtime.responder.connection import PIPELINE_MAX, Connection, Slot
from speedscale_runtime.responder.live import Live
from speedscale_runtime.responder.tlslayer import TlsLayer, base_context
from speedscale_runtime.tls.authority import Authority


class Wire:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.data = b""
        self.closed = self.aborted = False
        self.reading = True

    def write(self, data: bytes) -> None:
        self.data += data

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.aborted = True

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def get_extra_info(self, name: str) -> None:
        return None


class Echo:
    """Answers with what was asked; `late` paths wait until told."""

    def __init__(self, tls: TlsLayer | None = None) -> None:
        self._tls = tls
        self.lives: list[Live] = []
        self.waiting: list[tuple[Slot, bytes]] = []
        self.reasons: list[str] = []

    def handle(self, connection: Connection, live: Live, keep: bool) -> None:
        self.lives.append(live)
        said = b"[%s %s %s %s]" % (live.method, live.host, live.url, live.body)
        if live.url.startswith(b"/late"):
            self.waiting.append((connection.slot(), said))
        else:
            connection.send(said, close=not keep)

    def tls_layer(self) -> TlsLayer | None:
        return self._tls

    def opened(self, connection: Connection) -> None: ...

    def closed(self, connection: Connection) -> None: ...

    def broken(self, reason: str) -> None:
        self.reasons.append(reason)


def connect(echo: Echo, *, proxy: bool = True) -> tuple[Connection, Wire]:
    wire = Wire()
    connection = Connection(echo, proxy=proxy)
    connection.connection_made(cast("asyncio.BaseTransport", wire))
    return connection, wire


REQUESTS = (
    b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
    b"POST /b?x=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"
    b"POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    b"GET http://other:81/d HTTP/1.1\r\nHost: ignored\r\n\r\n"
)
ANSWERS = b"[GET h /a ][POST h /b?x=1 hello][POST h /c abcde][GET other:81 /d ]"
PREAMBLES = {
    "plain": (b"", b""),
    "connect": (b"CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n", b"HTTP/1.1 200 Connection established\r\n\r\n"),
}


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(p % (len(data) + 1) for p in places), len(data)]
    return [data[a:b] for a, b in pairwise(edges) if a < b]


@given(st.sampled_from(sorted(PREAMBLES)), st.lists(st.integers(0, 10_000), max_size=40))
def test_any_chunking_gives_the_same_answers(kind: str, places: list[int]) -> None:
    before, reply = PREAMBLES[kind]
    echo = Echo()
    connection, wire = connect(echo)
    for part in cut(before + REQUESTS, places):
        connection.data_received(part)
    assert wire.data == reply + ANSWERS
    assert not wire.closed


@given(st.lists(st.integers(0, 10_000), max_size=40))
def test_any_chunking_of_socks_gives_the_same_answers(places: list[int]) -> None:
    hello = b"\x05\x01\x00" + b"\x05\x01\x00\x03\x01h\x00\x50"
    connection, wire = connect(Echo())
    for part in cut(hello + REQUESTS, places):
        connection.data_received(part)
    assert wire.data.startswith(b"\x05\x00\x05\x00")
    assert wire.data.endswith(ANSWERS)


def test_byte_by_byte() -> None:
    connection, wire = connect(Echo())
    for n in range(len(REQUESTS)):
        connection.data_received(REQUESTS[n : n + 1])
    assert wire.data == ANSWERS


def test_a_proxy_target_comes_from_connect_or_the_absolute_form() -> None:
    echo = Echo()
    connection, _ = connect(echo)
    connection.data_received(b"GET https://a.example/x HTTP/1.1\r\nHost: b\r\n\r\n")
    connection.data_received(b"CONNECT c.example:8443 HTTP/1.1\r\n\r\nGET /y HTTP/1.1\r\nHost: c.example:8443\r\n\r\n")
    assert [str(live.target) for live in echo.lives] == ["https://a.example:443", "http://c.example:8443"]
    direct = Echo()
    connection, _ = connect(direct, proxy=False)
    connection.data_received(b"GET http://a.example/x HTTP/1.1\r\nHost: b\r\n\r\n")
    assert direct.lives[0].target is None
    assert (direct.lives[0].host, direct.lives[0].url) == (b"a.example", b"/x")


def test_an_answer_that_waits_holds_back_those_behind_it() -> None:
    echo = Echo()
    connection, wire = connect(echo)
    connection.data_received(b"GET /late1 HTTP/1.1\r\nHost: h\r\n\r\nGET /late2 HTTP/1.1\r\nHost: h\r\n\r\n")
    connection.data_received(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n")
    (first, one), (second, two) = echo.waiting
    second.finish(two)
    assert wire.data == b""
    first.write(one[:3])
    assert wire.data == one[:3]
    first.finish(one[3:])
    assert wire.data == one + two + b"[GET h /a ]"


def test_reading_stops_while_too_many_answers_wait() -> None:
    echo = Echo()
    connection, wire = connect(echo)
    connection.data_received(b"GET /late HTTP/1.1\r\nHost: h\r\n\r\n" * PIPELINE_MAX)
    assert not wire.reading
    echo.waiting[0][0].finish(b"x")
    assert wire.reading


def test_reading_stops_while_the_client_does_not_read() -> None:
    connection, wire = connect(Echo())
    connection.pause_writing()
    assert not wire.reading
    connection.resume_writing()
    assert wire.reading


def test_connection_close_closes_behind_the_answer() -> None:
    connection, wire = connect(Echo())
    request = b"GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    connection.data_received(request * 2)
    assert wire.data == b"[GET h /a ]"
    assert wire.closed


def test_a_half_closed_client_gets_what_is_due() -> None:
    echo = Echo()
    connection, wire = connect(echo)
    connection.data_received(b"GET /late HTTP/1.1\r\nHost: h\r\n\r\n")
    assert connection.eof_received() is True
    assert not wire.closed
    slot, said = echo.waiting[0]
    slot.finish(said)
    assert wire.closed
    assert wire.data == said


@pytest.mark.parametrize(
    ("data", "reason", "status"),
    [
        (b"NONSENSE\r\n\r\n", "http", b"400"),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 200_000 + b"\r\n\r\n", "head-too-long", b"431"),
        (b"CONNECT nowhere HTTP/1.1\r\n\r\n", "connect", b"400"),
        (b"CONNECT h:99999 HTTP/1.1\r\n\r\n", "connect", b"400"),
        (b"\x16\x03\x01\x00\x05hello", "tls", b""),
        (b"\x05\x01\x02", "socks", b""),
    ],
)
def test_broken_clients_are_refused_and_counted(data: bytes, reason: str, status: bytes) -> None:
    echo = Echo()
    connection, wire = connect(echo)
    connection.data_received(data)
    assert echo.reasons == [reason]
    assert wire.closed
    assert status in wire.data
    assert not echo.lives


def test_connect_is_refused_on_a_direct_port() -> None:
    echo = Echo()
    connection, wire = connect(echo, proxy=False)
    connection.data_received(b"CONNECT h:80 HTTP/1.1\r\n\r\n")
    assert b"400" in wire.data
    assert wire.closed


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.load_or_create(tmp_path_factory.mktemp("home"))


@pytest.mark.parametrize("step", [1, 7, 100_000])
@pytest.mark.parametrize("before", [b"", b"CONNECT api.example.com:443 HTTP/1.1\r\n\r\n"])
def test_tls_by_sni_in_any_chunking(authority: Authority, step: int, before: bytes) -> None:
    context = ssl.create_default_context(cafile=str(Path(authority.certificate_path)))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname="api.example.com")
    echo = Echo(TlsLayer(base_context(authority.context_for, "localhost")))
    connection, wire = connect(echo)
    pending = before

    def exchange() -> None:
        nonlocal pending
        pending += outgoing.read()
        for start in range(0, len(pending), step):
            connection.data_received(pending[start : start + step])
        pending = b""
        reply, wire.data = wire.data, b""
        incoming.write(reply.removeprefix(b"HTTP/1.1 200 Connection established\r\n\r\n"))

    for _ in range(4):
        try:
            client.do_handshake()
            break
        except ssl.SSLWantReadError:
            exchange()
    client.write(REQUESTS)
    exchange()
    plain = b""
    while len(plain) < len(ANSWERS):
        plain += client.read(10_000)
    assert plain == ANSWERS
    assert echo.lives[0].tls
    names: Any = client.getpeercert()
    assert ("DNS", "api.example.com") in names["subjectAltName"]
