"""The sender's judgement of answers, and that nothing is acknowledged by accident."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from speedscale_runtime.recording.causes import Drop, Send
from speedscale_runtime.recording.forwarder_client import Answer
from speedscale_runtime.recording.ledger import Ledger
from speedscale_runtime.recording.outbox import Batch
from speedscale_runtime.recording.sender import RETRY_MAX_S, Sender
from speedscale_schemas import frames


class Box:
    """An outbox with given batches."""

    def __init__(self, *bodies: bytes) -> None:
        self.batches = [Batch(body, 1, len(body)) for body in bodies]
        self.settled: list[tuple[bytes, Drop | None]] = []
        self.batch_ready = True

    @property
    def empty(self) -> bool:
        return not self.batches

    async def take(self) -> Batch | None:
        return self.batches.pop(0) if self.batches else None

    def settle(self, batch: Batch, cause: Drop | None) -> None:
        self.settled.append((batch.body, cause))

    def abandon(self, cause: Drop) -> int:
        return len(self.batches)


class Server:
    """Answers in turn; an exception is raised."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.requests: list[tuple[dict[str, str], bytes]] = []

    async def post(self, path: str, headers: list[tuple[str, str]], body: bytes) -> Answer:
        assert path == frames.BATCH_PATH
        self.requests.append((dict(headers), body))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        found: Answer = answer
        return found


def ok(sequence: int) -> Answer:
    return Answer(200, {}, json.dumps({"sequence": sequence}).encode())


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    made = Ledger.create()
    yield made
    made.close()


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the sender wanted to sleep; it does not."""
    times: list[float] = []

    async def sleep(seconds: float) -> None:
        times.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return times


async def run(box: Box, server: Server, ledger: Ledger) -> None:
    sender = Sender(
        box,  # type: ignore[arg-type]
        server,
        ledger,
        sender_id="me",
        epoch=7,
        linger_s=0,
        compression="none",
        token=lambda: "t",
    )
    sender.finish()
    await sender.run()


async def test_acknowledged_in_order(ledger: Ledger, slept: list[float]) -> None:
    box, server = Box(b"a", b"b"), Server(ok(1), ok(2))
    await run(box, server, ledger)
    assert box.settled == [(b"a", None), (b"b", None)]
    headers = [request[0] for request in server.requests]
    assert [h[frames.H_SEQUENCE] for h in headers] == ["1", "2"]
    assert {(h[frames.H_SENDER], h[frames.H_EPOCH], h["Authorization"]) for h in headers} == {("me", "7", "Bearer t")}
    assert slept == []


@pytest.mark.parametrize(
    ("answer", "outcome", "wait_s"),
    [
        (Answer(429, {"retry-after": "3"}, b"{}"), Send.SLOWED_DOWN, 3.0),
        (Answer(503, {"retry-after": "9999"}, b""), Send.SLOWED_DOWN, RETRY_MAX_S),
        (Answer(503, {"retry-after": "soon"}, b""), Send.SLOWED_DOWN, 0.1),
        (Answer(503, {}, b""), Send.SLOWED_DOWN, 0.1),
        (Answer(429, {"retry-after": "Wed, 21 Oct 2215 07:28:00 GMT"}, b""), Send.SLOWED_DOWN, RETRY_MAX_S),
        (Answer(401, {}, b'{"reason":"who"}'), Send.UNAUTHORIZED, 5.0),
        (Answer(500, {}, b"oops"), Send.FAILED, 0.1),
        (Answer(302, {}, b""), Send.FAILED, 0.1),
        (Answer(200, {}, b'{"sequence":99}'), Send.FAILED, 0.1),
        (Answer(200, {}, b"not json"), Send.FAILED, 0.1),
        (ConnectionRefusedError(), Send.FAILED, 0.1),
        (TimeoutError(), Send.FAILED, 0.1),
    ],
)
async def test_anything_but_an_acknowledgement_of_this_batch_means_again(
    ledger: Ledger, slept: list[float], answer: Any, outcome: Send, wait_s: float
) -> None:
    box, server = Box(b"a"), Server(answer, ok(1))
    await run(box, server, ledger)
    assert box.settled == [(b"a", None)]
    assert server.requests[0] == server.requests[1]
    assert slept == [wait_s]
    assert (ledger.get(f"sent.{outcome}"), ledger.get("sent.acknowledged"), ledger.get("batch_retries")) == (1, 1, 1)


@pytest.mark.parametrize("status", [400, 413])
async def test_malformed_is_given_up(ledger: Ledger, slept: list[float], status: int) -> None:
    box, server = Box(b"a", b"b"), Server(Answer(status, {}, b""), ok(2))
    await run(box, server, ledger)
    assert box.settled == [(b"a", Drop.FORWARDER_REJECTED), (b"b", None)]


async def test_failures_in_a_row_back_off_up_to_a_bound(ledger: Ledger, slept: list[float]) -> None:
    box, server = Box(b"a"), Server(*[ConnectionError()] * 12, ok(1))
    await run(box, server, ledger)
    assert slept[:4] == [0.1, 0.2, 0.4, 0.8]
    assert slept[-1] == RETRY_MAX_S
