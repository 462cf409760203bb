"""The supervisor's loop: stale events, faults in callbacks, and the little rewriting it does itself."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from selectors import EVENT_READ

import pytest

from speedscale_runtime.proxy import config
from speedscale_runtime.proxy.splice import _close_after_one
from speedscale_runtime.proxy.supervisor import Supervisor


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    made = Supervisor(json.loads(config.parse({}).to_json()))
    yield made
    made.splicer.close()
    made.selector.close()
    made.ledger.close()


def test_callback_that_takes_another_away_leaves_no_stale_event(supervisor: Supervisor) -> None:
    pairs = [socket.socketpair() for _ in range(2)]
    ran: list[int] = []

    def callback(number: int) -> None:
        ran.append(number)
        for mine, _ in pairs:
            if mine.fileno() >= 0:
                supervisor.selector.unregister(mine)
                mine.close()

    for number, (mine, other) in enumerate(pairs):
        supervisor.selector.register(mine, EVENT_READ, lambda _, n=number: callback(n))
        other.send(b"x")
    events = supervisor.selector.select(0)
    assert len(events) == 2
    for key, mask in events:
        if supervisor._still_wanted(key):
            supervisor._call(key, mask)
    assert len(ran) == 1
    for _, other in pairs:
        other.close()


def test_fault_in_one_connection_is_logged_and_survived(
    supervisor: Supervisor, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_: int) -> None:
        raise RuntimeError("secret bytes")

    one, other = socket.socketpair()
    supervisor.selector.register(one, EVENT_READ, broken)
    other.send(b"x")
    for key, mask in supervisor.selector.select(0):
        supervisor._call(key, mask)
    entry = json.loads(capsys.readouterr().err)
    assert (entry["event"], entry["kind"]) == ("fault", "RuntimeError")
    assert "secret" not in str(entry)
    one.close()
    other.close()


@pytest.mark.parametrize(
    ("request_bytes", "wanted"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
        (
            b"POST / HTTP/1.1\r\nConnection: keep-alive\r\nKeep-Alive: 5\r\nA: b\r\n\r\nbody",
            b"POST / HTTP/1.1\r\nA: b\r\nConnection: close\r\n\r\nbody",
        ),
        (b"no head yet", b"no head yet"),
    ],
)
def test_one_request_a_connection_while_there_is_no_worker(request_bytes: bytes, wanted: bytes) -> None:
    assert _close_after_one(request_bytes) == wanted
