"""Flows at the moments that real sockets seldom show: bytes before both ends are joined, writes that do not fit."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from speedscale_runtime.proxy import config
from speedscale_runtime.proxy.hub import NOTE_BYTES, NOTES_MAX, Hub
from speedscale_runtime.proxy.inbound import InboundFlow
from speedscale_runtime.proxy.relay import End
from speedscale_runtime.recording.causes import Side
from speedscale_runtime.recording.ledger import Ledger


class Transport:
    """A transport over one end of a socket pair; what the loop would buffer is kept."""

    def __init__(self) -> None:
        self.sock, self.peer = socket.socketpair()
        self.sock.setblocking(False)
        self.peer.setblocking(False)
        self.buffer = b""
        self.closing = self.reading = False
        self.eof = False

    def get_extra_info(self, name: str) -> Any:
        return self.sock if name == "socket" else ("10.0.0.1", 5)

    def is_closing(self) -> bool:
        return self.closing

    def is_reading(self) -> bool:
        return self.reading

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def get_write_buffer_size(self) -> int:
        return len(self.buffer)

    def write(self, data: bytes) -> None:
        self.buffer += data

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.eof = True

    def close(self) -> None:
        self.closing = True

    abort = close

    def received(self) -> bytes:
        try:
            return self.peer.recv(10**7)
        except BlockingIOError:
            return b""


class Outbox:
    """Counts what flows hand over."""

    def __init__(self) -> None:
        self.exchanges: list[Any] = []
        self.opaque: list[Any] = []

    def add(self, facts: Any, exchange: Any) -> None:
        self.exchanges.append(exchange)

    def add_opaque(self, facts: Any, started_ns: int, ended_ns: int) -> None:
        self.opaque.append((facts.bytes_in, facts.bytes_out))


class Loop:
    """Dials nobody: the test plays the server."""

    def __init__(self) -> None:
        self.soon: list[Callable[[], None]] = []

    def create_task(self, coroutine: Any) -> None:
        coroutine.close()

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> None:
        self.soon.append(callback)


class Bench:
    """A flow between two socket pairs."""

    def __init__(self, ledger: Ledger) -> None:
        self.outbox = Outbox()
        self.loop = Loop()
        hub = Hub(config.parse({}), ledger, self.outbox, self.loop)  # type: ignore[arg-type]
        self.flow = InboundFlow(hub)
        self.client, self.server = Transport(), Transport()
        self.flow.client.connection_made(self.client)

    def wait(self) -> None:
        """Let the time pass after which is looked at what was noted."""
        soon, self.loop.soon = self.loop.soon, []
        for callback in soon:
            callback()

    def reach(self) -> End:
        server = End(self.flow)
        server.connection_made(self.server)
        return server

    def join(self, server: End) -> None:
        self.flow.observe()
        self.flow.join(server, self.flow._early)


@pytest.fixture
def bench() -> Iterator[Bench]:
    ledger = Ledger.create()
    made = Bench(ledger)
    yield made
    for transport in (made.client, made.server):
        transport.sock.close()
        transport.peer.close()
    ledger.close()


REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


def test_bytes_of_both_sides_before_they_are_joined_go_the_right_way(bench: Bench) -> None:
    bench.flow.client.data_received(b"early client ")
    server = bench.reach()
    server.data_received(b"banner ")
    bench.flow.client.data_received(b"more")
    bench.join(server)
    assert bench.server.received() == b"early client more"
    assert bench.client.received() == b"banner "


def test_bytes_are_written_before_they_are_looked_at(bench: Bench) -> None:
    server = bench.reach()
    bench.join(server)
    seen: list[bytes] = []
    bench.flow.client.tap = lambda end, data: seen.append(bench.server.received())
    bench.flow.client.data_received(REQUEST)
    assert seen == [REQUEST]


def test_fault_while_looking_costs_the_record_and_not_the_traffic(bench: Bench) -> None:
    server = bench.reach()
    bench.join(server)

    class Broken:
        active = True

        def feed_request(self, data: bytes, now_ns: int) -> None:
            raise RuntimeError("bug")

    bench.flow.observer = Broken()  # type: ignore[assignment]
    bench.flow.client.data_received(REQUEST)
    server.data_received(ANSWER)
    assert (bench.server.received(), bench.client.received()) == (REQUEST, ANSWER)
    bench.wait()
    assert bench.flow.opaque == "internal"


def test_what_the_kernel_does_not_take_is_buffered_in_order_and_slows_the_sender(bench: Bench) -> None:
    server = bench.reach()
    bench.join(server)
    bench.client.reading = bench.server.reading = True
    big = os.urandom(3_000_000)
    server.data_received(big)
    assert bench.flow.client.buffered
    server.data_received(b"tail")
    bench.flow.client.pause_writing()
    assert not bench.server.reading
    got = b""
    while piece := bench.client.received():
        got += piece
    assert got + bench.client.buffer == big + b"tail"
    bench.client.buffer = b""
    bench.flow.client.resume_writing()
    assert bench.server.reading
    assert not bench.flow.client.buffered
    server.data_received(b"direct again")
    assert bench.client.received() == b"direct again"


def test_what_came_goes_on_before_any_of_it_is_looked_at(bench: Bench) -> None:
    server = bench.reach()
    bench.join(server)
    bench.flow.client.data_received(REQUEST)
    server.data_received(ANSWER)
    assert (bench.server.received(), bench.client.received()) == (REQUEST, ANSWER)
    assert bench.outbox.exchanges == []
    bench.wait()
    assert len(bench.outbox.exchanges) == 1
    facts = bench.flow.facts
    assert (facts.bytes_in, facts.bytes_out) == (len(REQUEST), len(ANSWER))


@pytest.mark.parametrize("pieces", [1, NOTES_MAX - 1])
def test_what_waits_to_be_looked_at_is_bounded(bench: Bench, pieces: int) -> None:
    server = bench.reach()
    bench.join(server)
    bench.flow.client.data_received(REQUEST)
    body = b"x" * (NOTE_BYTES + 1) if pieces == 1 else b"x"
    server.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (len(body) * pieces))
    for _ in range(pieces):
        server.data_received(body)
    assert len(bench.outbox.exchanges) == (1 if pieces == 1 else 0)
    bench.wait()
    assert bench.outbox.exchanges[0].response_body_length == len(body) * pieces


def test_what_was_noted_is_looked_at_before_the_end_of_its_connection(bench: Bench) -> None:
    server = bench.reach()
    bench.join(server)
    bench.flow.client.data_received(REQUEST)
    server.data_received(ANSWER)
    server.connection_lost(None)
    assert [e.incomplete for e in bench.outbox.exchanges] == [""]


def test_idle_only_between_exchanges(bench: Bench) -> None:
    server = bench.reach()
    bench.join(server)
    assert not bench.flow.idle
    bench.flow.client.data_received(REQUEST)
    assert not bench.flow.idle
    server.data_received(ANSWER)
    assert bench.flow.idle
    bench.flow.client.data_received(REQUEST[:5])
    assert not bench.flow.idle
    assert len(bench.outbox.exchanges) == 1


def test_end_of_stream_is_passed_on_and_both_ends_close_it(bench: Bench) -> None:
    server = bench.reach()
    bench.join(server)
    assert bench.flow.client.eof_received()
    assert bench.server.eof
    assert not bench.client.closing
    assert server.eof_received()
    assert bench.client.closing
    assert bench.server.closing


def test_write_after_close_never_reaches_a_socket_that_reuses_the_number(bench: Bench) -> None:
    server = bench.reach()
    bench.join(server)
    server.close()
    bench.flow.client.data_received(b"late")
    assert bench.server.received() == b""


def test_connection_without_a_byte_leaves_no_record(bench: Bench) -> None:
    server = bench.reach()
    bench.join(server)
    bench.flow.client.connection_lost(None)
    server.connection_lost(None)
    assert bench.outbox.opaque == bench.outbox.exchanges == []
    cells = bench.flow.hub.cells
    from speedscale_runtime.recording.ledger import CLOSED, OPENED

    assert cells[OPENED[Side.IN]] == cells[CLOSED[Side.IN]] == 1
