"""Filter and redaction of a batch: order, what is left out, and that nothing passes as it came by mistake."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from speedscale_runtime.dlp import Redactor
from speedscale_runtime.filters import Rule, compile_rule
from speedscale_runtime.forwarder.core import Dropped, Pipeline
from speedscale_schemas import frames
from speedscale_schemas.errors import PeerError
from speedscale_schemas.frames import Frame

DROP = compile_rule({"id": "r", "query": 'service IS "noise"'})


def frame(service: str = "shop", body: bytes = b"secret") -> Frame:
    return Frame(json.dumps({"service": service}).encode(), body, b"")


def batch(*items: Frame) -> bytes:
    return b"".join(frames.encode(f) for f in items)


def redactor(redact: Callable[[Frame], Any]) -> Redactor:
    return cast(Redactor, SimpleNamespace(redact_frame=redact, rule_id="r"))


def masking(given: Frame) -> Any:
    if b"secret" not in given.request_body:
        return SimpleNamespace(frame=given, decisions=[], modified=False)
    masked = given._replace(request_body=given.request_body.replace(b"secret", b"*"))
    return SimpleNamespace(frame=masked, decisions=[("word", "WORD")], modified=True)


def test_filter_then_redact() -> None:
    seen: list[Frame] = []

    def redact(given: Frame) -> Any:
        seen.append(given)
        return masking(given)

    kept, clean = frame(), frame(body=b"clean")
    done = Pipeline(DROP, redactor(redact)).process(batch(frame("noise"), kept, clean))
    assert seen == [kept, clean]
    assert list(frames.decode_all(done.payload)) == [frame(body=b"*"), clean]
    assert (done.received, done.pairs, done.filtered, done.modified) == (3, 2, 1, 1)
    assert done.decisions == {("word", "WORD"): 1}
    assert not done.dropped


@pytest.mark.parametrize("error", [ValueError("secret"), RecursionError(), KeyError("secret"), MemoryError()])
def test_what_cannot_be_redacted_does_not_pass(error: Exception) -> None:
    def redact(given: Frame) -> Any:
        if b"bad" in given.request_body:
            raise error
        return masking(given)

    done = Pipeline(None, redactor(redact)).process(batch(frame(body=b"bad secret"), frame()))
    assert list(frames.decode_all(done.payload)) == [frame(body=b"*")]
    assert done.dropped == {Dropped.REDACTION_FAILED: 1}
    assert done.causes == {type(error).__name__: 1}
    assert b"bad" not in done.payload


def test_a_redacted_frame_over_the_limits_is_left_out() -> None:
    def redact(given: Frame) -> Any:
        return SimpleNamespace(frame=Frame(b"", b"", b""), decisions=[], modified=True)

    done = Pipeline(None, redactor(redact)).process(batch(frame()))
    assert (done.payload, done.dropped) == (b"", {Dropped.REDACTION_FAILED: 1})


def test_a_rule_that_fails_lets_nothing_through() -> None:
    def fail(pair: object) -> bool:
        raise TypeError("x")

    rule = cast(Rule, SimpleNamespace(id="r", may_match=lambda head: True, matches=fail))
    done = Pipeline(rule, redactor(masking)).process(batch(frame()))
    assert (done.pairs, done.dropped) == (0, {Dropped.FILTER_FAILED: 1})


@pytest.mark.parametrize("head", [b"[]", b"nonsense", b'"text"', b"\xff\xfe"])
def test_a_head_that_is_no_object_is_left_out(head: bytes) -> None:
    rule = compile_rule({"query": "service NOT x"})
    done = Pipeline(rule, redactor(masking)).process(batch(Frame(head, b"", b""), frame("x")))
    assert (done.pairs, done.dropped) == (1, {Dropped.MALFORMED_HEAD: 1})


def test_the_cluster_is_known_to_the_filter_where_the_pair_names_none() -> None:
    pipeline = Pipeline(compile_rule({"query": "cluster IS west"}), None, cluster="west")
    named = Frame(b'{"cluster":"east"}', b"", b"")
    done = pipeline.process(batch(Frame(b'{"cluster":"undefined"}', b"", b""), named, Frame(b"{}", b"", b"")))
    assert list(frames.decode_all(done.payload)) == [named]


def test_clean_frames_keep_their_bytes() -> None:
    payload = batch(frame(body=b"clean"), frame(body=b""))
    assert Pipeline(DROP, redactor(masking)).process(payload).payload == payload
    assert Pipeline(None, None).process(b"").payload == b""


@pytest.mark.parametrize("cut", [1, 5, 19, 25])
def test_bytes_that_are_no_frames_are_refused_as_a_whole(cut: int) -> None:
    payload = batch(frame(), frame())
    with pytest.raises(PeerError, match="malformed"):
        Pipeline(DROP, redactor(masking)).process(payload[:-cut])
