"""Counters in shared memory, and the books of a dead worker."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from speedscale_runtime.proxy.metrics import exposition
from speedscale_runtime.recording import ledger as slots
from speedscale_runtime.recording.causes import Drop, Side
from speedscale_runtime.recording.ledger import Ledger


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
    text = exposition(ledger).decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert all(family.type in ("counter", "gauge") and family.documentation for family in families.values())
    dropped = families["speedscale_goproxy_pairs_dropped"]
    assert {s.labels["cause"]: s.value for s in dropped.samples} == {c.value: n for n, c in enumerate(Drop, 1)}
    opened = families["speedscale_goproxy_connections_open"]
    assert {s.labels["side"] for s in opened.samples} == {side.value for side in Side}


def test_every_number_of_the_snapshot_is_a_metric(ledger: Ledger) -> None:
    for number, slot in enumerate(slots.SLOTS.values(), 1000):
        ledger.cells[slot] = number
    families = text_string_to_metric_families(exposition(ledger).decode())
    values = {sample.value for family in families for sample in family.samples}
    inside = {"heartbeat", "closed.in", "closed.out"}  # a time; and what `connections_open` has
    assert {name for name in slots.SLOTS if ledger.get(name) not in values} == inside


def test_snapshot_has_what_the_metrics_have(ledger: Ledger) -> None:
    ledger.cells[slots.SEEN] = 3
    found = ledger.snapshot()
    assert found["seen"] == found["in_flight"] == 3
    assert found["dropped"] == {cause.value: 0 for cause in Drop}
    assert "heartbeat" not in found
