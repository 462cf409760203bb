"""The outbox: bounds, order, causes; every pair is counted exactly once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from speedscale_runtime.protocols.exchange import Cause, Exchange
from speedscale_runtime.recording.capture import Facts, Recorder
from speedscale_runtime.recording.causes import Drop, Side
from speedscale_runtime.recording.config import Identity
from speedscale_runtime.recording.ledger import Ledger
from speedscale_runtime.recording.outbox import Outbox
from speedscale_runtime.recording.spill import Spill
from speedscale_schemas import frames

FACTS = Facts(1, Side.IN, ("c", 1), 1)


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    made = Ledger.create()
    yield made
    made.close()


class BadRecorder:
    """Fails as told."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def http(self, facts: Facts, exchange: Exchange) -> bytes:
        raise self.error

    def opaque(self, facts: Facts, started_ns: int, ended_ns: int) -> bytes:
        raise self.error


def outbox(ledger: Ledger, *, limit: int = 10**6, recorder: Any = None, **more: Any) -> Outbox:
    who = Identity("s", "c", "n", "", "", "", "p")
    made = recorder or Recorder(who, proxy_type="dual", proxy_protocol="tcp", reverse=("h", 1))
    options = {"batch_max_bytes": 4096, "spill": None, **more}
    return Outbox(made, ledger, limit=limit, **options)


def exchange(incomplete: str = "", status: int = 200, body: bytes = b"") -> Exchange:
    made = Exchange(b"GET", b"/", b"1.1", [], 1)
    made.status, made.incomplete, made.response_body, made.response_body_length = status, incomplete, body, len(body)
    return made


async def test_batches_keep_order_and_stay_below_their_limit(ledger: Ledger) -> None:
    box = outbox(ledger)
    for _ in range(50):
        box.add(FACTS, exchange(body=b"x" * 300))
    assert ledger.in_flight() == 50
    sizes, numbers = [], []
    while (batch := await box.take()) is not None:
        sizes.append(batch.size)
        found = list(frames.decode_all(batch.body))
        assert len(found) == batch.pairs
        numbers += [f.head.partition(b'"sequence":"')[2].partition(b'"')[0] for f in found]
        box.settle(batch, None)
    assert max(sizes) <= 4096
    assert numbers == [b"%d" % n for n in range(1, 51)]
    assert (ledger.get("captured"), ledger.in_flight(), box.held) == (50, 0, 0)


async def test_pair_larger_than_a_batch_goes_alone(ledger: Ledger) -> None:
    box = outbox(ledger)
    box.add(FACTS, exchange(body=b"x" * 9000))
    box.add(FACTS, exchange())
    first = await box.take()
    assert first is not None
    assert first.pairs == 1
    assert first.size > 9000


def test_beyond_the_limit_pairs_are_dropped_and_counted(ledger: Ledger) -> None:
    box = outbox(ledger, limit=10_000)
    for _ in range(100):
        box.add(FACTS, exchange())
        assert box.held <= 10_000
    assert box.held <= 10_000
    assert ledger.get("dropped.queue_full") == 100 - ledger.in_flight() > 80
    assert ledger.get("queue_bytes") == box.held


@pytest.mark.parametrize(
    ("one", "cause"),
    [
        (exchange(Cause.CLIENT_GONE, 0), Drop.BODY_INCOMPLETE),
        (exchange(Cause.SERVER_GONE, 0), Drop.SERVER_GONE),
        (exchange(Cause.BAD_HEADER, 0), Drop.PARSE_ERROR),
    ],
)
def test_exchange_without_an_answer_is_dropped_for_its_cause(ledger: Ledger, one: Exchange, cause: Drop) -> None:
    box = outbox(ledger)
    box.add(FACTS, one)
    assert (ledger.get("seen"), ledger.get(f"dropped.{cause}"), ledger.in_flight()) == (1, 1, 0)


def test_client_that_left_after_its_request_is_told_apart_from_one_that_left_within(ledger: Ledger) -> None:
    one = exchange(Cause.CLIENT_GONE, 0)
    one.request_end_ns = 5
    outbox(ledger).add(FACTS, one)
    assert ledger.get("dropped.client_gone") == 1


async def test_answer_that_was_cut_is_kept(ledger: Ledger) -> None:
    box = outbox(ledger)
    box.add(FACTS, exchange(Cause.SERVER_GONE, 200, b"part"))
    batch = await box.take()
    assert batch is not None
    assert b'"incomplete":"server_gone"' in batch.body


@pytest.mark.parametrize(
    ("error", "cause"), [(frames.FrameError(0, "too long"), Drop.TOO_LARGE), (RuntimeError("bug"), Drop.INTERNAL)]
)
def test_pair_that_cannot_be_rendered_is_counted(ledger: Ledger, error: Exception, cause: Drop) -> None:
    box = outbox(ledger, recorder=BadRecorder(error))
    box.add(FACTS, exchange())
    box.add_opaque(FACTS, 1, 2)
    assert (ledger.get(f"dropped.{cause}"), ledger.in_flight(), box.held) == (2, 0, 0)


async def test_rejected_batch_is_counted_by_pairs(ledger: Ledger) -> None:
    box = outbox(ledger)
    for _ in range(3):
        box.add(FACTS, exchange())
    batch = await box.take()
    assert batch is not None
    box.settle(batch, Drop.FORWARDER_REJECTED)
    assert (ledger.get("dropped.forwarder_rejected"), ledger.in_flight()) == (3, 0)


def test_abandoned_pairs_are_counted_wherever_they_were(ledger: Ledger) -> None:
    box = outbox(ledger)
    for _ in range(3):
        box.add(FACTS, exchange())
    box.add(FACTS, exchange())
    assert box.abandon(Drop.SHUTDOWN) == 4
    assert (ledger.get("dropped.shutdown"), ledger.in_flight()) == (4, 0)


async def test_overflow_keeps_the_order(ledger: Ledger, tmp_path: Any) -> None:
    spill = Spill(max_bytes=10**6, block_bytes=3000, directory=str(tmp_path))
    box = outbox(ledger, limit=8000, spill=spill)
    numbers: list[bytes] = []
    for _ in range(30):
        box.add(FACTS, exchange())
    assert spill.count > 10
    while not box.empty:
        batch = await box.take()
        assert batch is not None
        numbers += [f.head.partition(b'"sequence":"')[2].partition(b'"')[0] for f in frames.decode_all(batch.body)]
        box.settle(batch, None)
    assert numbers == [b"%d" % n for n in range(1, 31)]
    assert (ledger.get("captured"), ledger.in_flight()) == (30, 0)
    spill.close()


def test_the_sender_is_told_of_the_first_pair_and_of_each_whole_batch(ledger: Ledger) -> None:
    box = outbox(ledger, batch_max_bytes=2000)
    told: list[bool] = []
    box.on_data = lambda: told.append(box.batch_ready)
    for _ in range(5):
        box.add(FACTS, exchange(body=b"x" * 100))
    assert told == [False, True, True]  # two fit into a batch
