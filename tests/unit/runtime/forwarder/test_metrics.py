"""What could not be looked into, and what was forgotten, has numbers of its own."""

from __future__ import annotations

import json

from prometheus_client import CollectorRegistry

from speedscale_runtime.dlp import KeyRing, builtin, compile_rule
from speedscale_runtime.forwarder.core import Pipeline
from speedscale_runtime.forwarder.metrics import Metrics
from speedscale_schemas import frames
from speedscale_schemas.frames import Frame


def test_what_could_not_be_looked_into_is_counted_apart() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    pipeline = Pipeline(None, compile_rule(builtin("standard"), KeyRing({"k": b"m" * 32})))
    head = json.dumps({"http": {"req": {}, "res": {"headers": {"Content-Encoding": ["gzip"]}}}}).encode()
    batch = frames.encode(Frame(head, b"mail ada@example.com", b"\x1f\x8b\x08 torn"))
    done = pipeline.process(batch + batch)
    assert done.redacted == {"EMAIL": 2, "UNDECODABLE": 2}
    metrics.stored("", len(batch), done.received, done.pairs, 0, done.redacted, {})
    assert metrics.undecodable == 2
    assert registry.get_sample_value("speedscale_forwarder_undecodable_parts_total") == 2
    assert registry.get_sample_value("speedscale_forwarder_redacted_values_total", {"kind": "UNDECODABLE"}) == 2


def test_evictions_add_up_over_rules() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    for total in (0, 5, 9, 2, 4):  # a new rule begins at 0
        metrics.evicted(total)
    assert metrics.evictions == 13
    assert registry.get_sample_value("speedscale_forwarder_redaction_evictions_total") == 13


def test_memories_of_redaction_are_bounded_and_counted() -> None:
    redactor = compile_rule(builtin("standard"), KeyRing({"k": b"m" * 32}))
    pad = "x" * 400
    for i in range(9000):
        redactor.redact_frame(Frame(json.dumps({"message": f"{i} {pad}"}).encode(), b"", b""))
    assert redactor.evictions > 0
    assert Pipeline(None, redactor).evictions == redactor.evictions
    assert Pipeline(None, None).evictions == 0
