"""What could not be looked into, and what was forgotten, has numbers of its own."""

from __future__ import annotations

import json

from prometheus_client import CollectorRegistry

from speedscale_runtime.dlp import KeyRing, builtin, compile_rule
from speedscale_runtime.forwarder.core import Pipeline
from speedscale_runtime.forwarder.metrics import Metrics
from speedscale_runtime.forwarder.rules import State
from speedscale_schemas import frames
from speedscale_schemas.frames import Frame


def test_what_could_not_be_looked_into_is_counted_apart() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    pipeline = Pipeline(None, compile_rule(builtin("standard"), KeyRing({"k": b"m" * 32})))
    head = json.dumps({"http": {"req": {}, "res": {"headers": {"Content-Encoding": ["gzip"]}}}}).encode()
    batch = frames.encode(Frame(head, b"mail ada@example.com", b"\x1f\x8b\x08 torn"))
    done = pipeline.process(batch + batch)
    assert done.decisions == {("email", "EMAIL"): 2, ("engine", "UNDECODABLE"): 2}
    metrics.stored("", len(batch), done.received, done.pairs, 0, {})
    metrics.redactions(pipeline.dlp_name, done.decisions)
    assert metrics.undecodable == 2
    assert registry.get_sample_value("speedscale_forwarder_undecodable_parts_total") == 2
    assert registry.get_sample_value("speedscale_forwarder_redacted_values_total", {"kind": "UNDECODABLE"}) == 2
    labels = {"rule": "standard", "detector": "email", "kind": "EMAIL"}
    assert registry.get_sample_value("speedscale_forwarder_rule_redacted_values_total", labels) == 2
    assert metrics.decided_by_rule() == {"standard": {"email": 2, "engine": 2}}


def test_names_from_rules_do_not_grow_the_metrics_without_bound() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    for i in range(3000):
        metrics.redactions("mine", {(f"detector-{i}", f"KIND_{i}"): 1})
    samples = [s for family in registry.collect() for s in family.samples if s.name.endswith("values_total")]
    assert len(samples) < 1300
    other = {"rule": "other", "detector": "other", "kind": "other"}
    assert registry.get_sample_value("speedscale_forwarder_rule_redacted_values_total", other) == 2000
    assert sum(metrics.redacted.values()) == 3000


def test_the_state_of_rules_is_shown_for_each_use() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    metrics.rules("base", State.MISSING)
    metrics.rules("base", State.LAST_GOOD)
    metrics.rules("firehose", State.CURRENT)
    shown = {
        (s.labels["use"], s.labels["state"]): s.value
        for family in registry.collect()
        for s in family.samples
        if s.name == "speedscale_forwarder_rule_state"
    }
    assert {k for k, v in shown.items() if v} == {("base", "last_good"), ("firehose", "current")}
    assert len(shown) == 6


def test_evictions_add_up_over_rules() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    for total in (0, 5, 9, 2, 4):  # a new rule begins at 0
        metrics.evicted(total)
    assert metrics.evictions == 13
    assert registry.get_sample_value("speedscale_forwarder_redaction_evictions_total") == 13


def test_memories_of_redaction_are_bounded_and_counted() -> None:
    redactor = compile_rule(builtin("standard"), KeyRing({"k": b"m" * 32}))
    for i in range(5000):
        redactor.redact_frame(Frame(json.dumps({f"message{i}": "a place of its own"}).encode(), b"", b""))
    assert redactor.evictions > 0
    assert Pipeline(None, redactor).evictions == redactor.evictions
    assert Pipeline(None, None).evictions == 0


def test_look_ups_add_up_over_rules() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    for now in ((0, 4), (6, 5), (1, 0), (3, 2)):  # a new rule begins at 0
        metrics.looked_up({"shapes": now})
    counted = [
        registry.get_sample_value("speedscale_forwarder_redaction_lookups_total", {"memory": "shapes", "result": r})
        for r in ("hit", "miss")
    ]
    assert counted == [9, 7]
    assert metrics.lookups == {"shapes": (3, 2)}


def test_memories_of_redaction_say_how_often_they_knew() -> None:
    pipeline = Pipeline(None, compile_rule(builtin("standard"), KeyRing({"k": b"m" * 32})))
    for i in range(20):
        head = {
            "location": f"/orders/{i}",
            "http": {"req": {"headers": {"Authorization": ["Bearer abcdefgh12345678"]}}},
        }
        pipeline.process(frames.encode(Frame(json.dumps(head).encode(), b'{"password":"hunter2xy"}', b"")))
    known = pipeline.lookups
    assert known["shapes"] == (18, 2)  # the second is learnt
    assert known["values"][0] >= 18
    assert all(hits > 0 for hits, _ in (known["places"], known["shapes"]))
    assert sum(known["tokens"]) > 0
    assert Pipeline(None, None).lookups == {}
