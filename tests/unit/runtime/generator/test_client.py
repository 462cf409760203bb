"""The connection: any chunking of the same bytes gives the same answer, and each request ends exactly once."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedscale_runtime.generator.causes import Cause
from speedscale_runtime.generator.client import CountingConnection, RecordingConnection


class Transport:
    def __init__(self) -> None:
        self.written = b""
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    abort = close


class Owner:
    def __init__(self) -> None:
        self.ends: list[Any] = []

    def answered(self, connection: CountingConnection, end: float) -> None:
        body = b"".join(connection.body) if isinstance(connection, RecordingConnection) else None
        headers = connection.headers if isinstance(connection, RecordingConnection) else None
        self.ends.append((connection.status, headers, body, connection.alive))

    def failed(self, connection: CountingConnection | None, cause: Cause, *, untouched: bool) -> None:
        self.ends.append((cause, untouched))


def connect(kind: type[CountingConnection] = RecordingConnection, max_bytes: int = 1 << 20) -> tuple[Any, Transport]:
    made, transport = kind(max_bytes), Transport()
    made.connection_made(transport)  # type: ignore[arg-type]
    return made, transport


ANSWERS = [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: 1\r\n\r\nhello", False),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nT: 1\r\n\r\n", False),
    (b"HTTP/1.1 204 No Content\r\n\r\n", False),
    (b"HTTP/1.1 103 Hints\r\nL: x\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", False),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", True),
    (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", False),
]


@pytest.mark.parametrize(("data", "head_only"), ANSWERS)
@given(cuts=st.lists(st.integers(0, 120), max_size=12))
def test_any_chunking_gives_the_same_answer(data: bytes, head_only: bool, cuts: list[int]) -> None:
    whole, owner = connect()[0], Owner()
    whole.send(b"", owner, head_only)
    whole.data_received(data)
    pieces, other = connect()[0], Owner()
    pieces.send(b"", other, head_only)
    edges = sorted({0, len(data), *(min(cut, len(data)) for cut in cuts)})
    for start, end in pairwise(edges):
        pieces.data_received(data[start:end])
    assert len(owner.ends) == 1
    assert other.ends == owner.ends


@pytest.mark.parametrize("kind", [CountingConnection, RecordingConnection])
def test_one_connection_serves_many_requests(kind: type[CountingConnection]) -> None:
    connection, transport = connect(kind)
    owner = Owner()
    for head_only in (False, True, False):
        connection.send(b"x", owner, head_only)
        connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + (b"" if head_only else b"ok"))
    assert [end[0] for end in owner.ends] == [200, 200, 200]
    assert connection.alive
    assert transport.written == b"xxx"


def test_a_lost_connection_ends_a_request_once() -> None:
    connection, _ = connect()
    owner = Owner()
    connection.send(b"", owner, False)
    connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
    connection.connection_lost(ConnectionResetError())
    connection.connection_lost(None)
    assert owner.ends == [(Cause.RESET, False)]


def test_a_kept_connection_that_was_gone_is_untouched() -> None:
    connection, _ = connect()
    owner = Owner()
    connection.send(b"", owner, False)
    connection.data_received(b"HTTP/1.1 204 X\r\n\r\n")
    connection.send(b"", owner, False)
    connection.connection_lost(None)
    assert owner.ends[1] == (Cause.CLOSED, True)


def test_two_answers_to_one_request_give_the_first_and_close() -> None:
    connection, transport = connect()
    owner = Owner()
    connection.send(b"", owner, False)
    connection.data_received(b"HTTP/1.1 204 X\r\n\r\nHTTP/1.1 500 Y\r\nContent-Length: 0\r\n\r\n")
    assert [end[0] for end in owner.ends] == [204]
    assert transport.closed


def test_bytes_that_nobody_asked_for_close_the_connection() -> None:
    connection, transport = connect()
    owner = Owner()
    connection.send(b"", owner, False)
    connection.data_received(b"HTTP/1.1 204 X\r\n\r\n")
    connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert len(owner.ends) == 1
    assert transport.closed
    assert not connection.alive


@given(st.binary(max_size=200))
def test_garbage_never_raises_and_ends_at_most_once(data: bytes) -> None:
    connection, _ = connect()
    owner = Owner()
    connection.send(b"", owner, False)
    connection.data_received(data)
    connection.eof_received()
    connection.connection_lost(None)
    assert len(owner.ends) == 1
