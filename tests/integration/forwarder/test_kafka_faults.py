"""A Kafka broker that throttles, that cannot just now, and that refuses one message."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "scripts"))
sys.path.insert(0, str(Path(__file__).parent))
import kafka_server
from brokers import Gate
from destinations import arrived, entry, settings, uuids

pytestmark = pytest.mark.integration

NOT_ENOUGH_REPLICAS, REQUEST_TIMED_OUT, NO_RIGHT, INVALID_RECORD = 19, 7, 29, 87
SLACK_S = 0.1
"""Between the moments at which an answer passes the gate and arrives."""


@pytest.fixture
def gated(start: Callable[..., Any]) -> Iterator[tuple[kafka_server.Kafka, Gate]]:
    """A broker, and the gate that clients come through."""
    gates: list[Gate] = []

    def in_front(server: kafka_server.Kafka) -> None:
        gates.append(Gate(server.port))
        server.advertised = gates[0].port

    server = start("kafka", in_front)
    yield server, gates[0]
    gates[0].stop()


def begun(forwarder: Callable[..., Any], batch: Callable[..., bytes], gate: Gate, **more: object) -> Any:
    """Return a forwarder whose exporter has found the topic."""
    f = forwarder(**settings({"x": entry("kafka", gate.port, compression="none", **more)}))
    f.post(batch(0), 1)
    f.until(lambda: arrived(f))
    return f


@pytest.mark.exporter_faults("kafka", "throttling")
def test_a_quota_of_the_broker_is_kept(
    forwarder: Callable[..., Any], batch: Callable[..., bytes], gated: tuple[kafka_server.Kafka, Gate]
) -> None:
    server, gate = gated
    f = begun(forwarder, batch, gate)
    server.configure("clients", "speedscale-forwarder", producer_byte_rate=15_000)
    reasons: set[str] = set()

    def told(count: int) -> bool:
        reasons.add(f.status()["exporters"]["x"]["lastError"])
        return len(gate.throttled) >= count and arrived(f)

    for sequence in range(4):  # each goes out alone
        first = sequence * 20 + 1
        assert f.post(batch(*range(first, first + 20), response=b"r" * 3000), sequence + 2).status_code == 200
        f.until(lambda sequence=sequence: told(sequence))
    for at, seconds in gate.throttled:
        later = [moment for moment in gate.produced if moment > at]
        assert not later or min(later) - at >= seconds - SLACK_S
    assert max(seconds for _, seconds in gate.throttled) > 1
    assert "Kafka: throttled by a quota" in reasons
    assert sorted(server.uuids()) == uuids(*range(81))  # none twice: nothing ran into a time-out


@pytest.mark.exporter_faults("kafka", "throttling")
def test_what_a_broker_cannot_just_now_is_named_and_waited_for(
    forwarder: Callable[..., Any], batch: Callable[..., bytes], gated: tuple[kafka_server.Kafka, Gate]
) -> None:
    server, gate = gated
    f = begun(forwarder, batch, gate, timeout_s=2)
    for sequence, (code, name) in enumerate(
        [
            (NOT_ENOUGH_REPLICAS, "Kafka: NotEnoughReplicasError"),
            (REQUEST_TIMED_OUT, "Kafka: RequestTimedOutError"),
            (NO_RIGHT, "Kafka: TopicAuthorizationFailedError"),
        ]
    ):
        gate.script = [code] * 1000
        first = sequence * 10 + 1
        assert f.post(batch(*range(first, first + 10)), sequence + 2).status_code == 200
        f.until(lambda name=name: f.status()["exporters"]["x"]["lastError"] == name)
        errors = f.status()["exporters"]["x"]["errors"]
        f.until(lambda errors=errors: f.status()["exporters"]["x"]["errors"] >= errors + 2)
        assert gate.open <= 4  # a producer that was given up is gone
        gate.script = []
        f.until(lambda: arrived(f))
    assert set(server.uuids()) == set(uuids(*range(31)))
    assert f.status()["exporters"]["x"]["rejected"] == 0


@pytest.mark.exporter_faults("kafka", "refusal")
@pytest.mark.parametrize("who", ["the topic's limit", "a validation"])
def test_one_message_that_the_broker_refuses_costs_itself_alone(
    forwarder: Callable[..., Any], batch: Callable[..., bytes], gated: tuple[kafka_server.Kafka, Gate], who: str
) -> None:
    server, gate = gated
    f = begun(forwarder, batch, gate)
    if who == "a validation":
        gate.poison, gate.code = b"/orders/33", INVALID_RECORD
    else:
        server.configure("topics", kafka_server.TOPIC, max__message__bytes=20_000)
    large = b"x" * (30_000 if who != "a validation" else 1)
    f.post(batch(*range(30, 33)) + batch(33, response=large) + batch(*range(34, 60)), 2)
    f.until(lambda: arrived(f))
    assert set(server.uuids()) == set(uuids(0, *(n for n in range(30, 60) if n != 33)))
    status = f.status()["exporters"]["x"]
    assert (status["exported"], status["rejected"], status["lost"]) == (30, 1, 0)
