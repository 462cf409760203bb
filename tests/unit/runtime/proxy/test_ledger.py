"""Counters in shared memory, and the books of a dead worker."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from prometheus_client import generate_latest

from speedscale_runtime.proxy import ledger as slots
from speedscale_runtime.proxy.causes import Drop, Side
from speedscale_runtime.proxy.ledger import Ledger
from speedscale_runtime.proxy.metrics import registry


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    made = Ledger.create()
    yield made
    made.close()


def test_two_mappings_see_the_same_numbers(ledger: Ledger) -> None:
    other = Ledger(os.dup(ledger.fd))
    other.cells[slots.SEEN] += 5
    assert ledger.get("seen") == 5
    other.close()


def test_closing_the_books_makes_the_sums_agree(ledger: Ledger) -> None:
    cells = ledger.cells
    cells[slots.SEEN], cells[slots.CAPTURED] = 10, 4
    cells[slots.DROPPED[Drop.QUEUE_FULL]] = 1
    cells[slots.OPENED[Side.IN]], cells[slots.CLOSED[Side.IN]] = 7, 5
    assert ledger.in_flight() == 5
    assert ledger.close_books() == (5, 2)
    assert (ledger.in_flight(), ledger.get("dropped.worker_died"), ledger.get("cut.in")) == (0, 5, 2)
    assert ledger.close_books() == (0, 0)


def test_every_cause_is_a_slot_and_a_metric(ledger: Ledger) -> None:
    for cause, slot in slots.DROPPED.items():
        ledger.cells[slot] = 1 + list(Drop).index(cause)
    text = generate_latest(registry(ledger)).decode()
    for number, cause in enumerate(Drop, 1):
        assert f'speedscale_goproxy_pairs_dropped_total{{cause="{cause}"}} {number}.0' in text
    assert "speedscale_goproxy_connections_open{" in text


def test_snapshot_has_what_the_metrics_have(ledger: Ledger) -> None:
    ledger.cells[slots.SEEN] = 3
    found = ledger.snapshot()
    assert found["seen"] == found["in_flight"] == 3
    assert found["dropped"] == {cause.value: 0 for cause in Drop}
    assert "heartbeat" not in found
