"""Explained pairs: every decision with its rule, detector, place and reason, and never a value."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

import pytest

from speedscale_runtime import filters
from speedscale_runtime.demo.leaks import find_leaks
from speedscale_runtime.dlp import KeyRing, Redactor, compile_rule, explain
from speedscale_runtime.dlp.explain import explain_pair
from speedscale_runtime.rrpair import RRPair


def pair(document: Any) -> RRPair:
    http = {"req": {"headers": {}}, "res": {"headers": {"Content-Type": ["application/json"]}}}
    doc = {"command": "GET", "location": "/x", "http": http}
    return RRPair(doc, None, json.dumps(document).encode())


def test_what_is_taken_and_what_is_left_with_the_reason(standard: Redactor) -> None:
    told = explain_pair(standard, pair({"mail": "ada@example.com", "order": "4111111111111112"}))
    assert told.rule == "standard"
    assert [(t.kind, t.place, t.detector) for t in told.taken] == [("EMAIL", "http.res.body:$.mail", "email")]
    left = {(c.kind, c.place, c.why) for c in told.left}
    assert ("CREDIT_CARD", "http.res.body:$.order", "fails the Luhn check") in left


def test_a_chain_is_named(keys: KeyRing) -> None:
    chain = {
        "filters": {"filters": [{"include": True, "operator": "EQUAL", "detectedCommand": "GET"}]},
        "extractor": {"type": "res_body"},
        "transforms": [{"type": "json_path", "config": {"path": "colour"}}, {"type": "dlp_field"}],
    }
    rule = {"id": "mine", "transforms": [{**chain, "id": "colours"}, {**chain, "extractor": {"type": "session"}}]}
    redactor = compile_rule(rule, keys, compile_filter=lambda spec: filters.compile_rule(spec).matches)
    (taken,) = explain_pair(redactor, pair({"colour": "blue"})).taken
    assert (taken.detector, taken.why) == ("dlp_field", "named by the chain 'colours'")


def test_a_detector_that_is_limited_to_other_places_says_so(keys: KeyRing) -> None:
    custom = {"id": "emp", "kind": "EMPLOYEE", "pattern": "EMP-[0-9]{6}", "paths": ["http.res.body:$.a"]}
    told = explain_pair(
        compile_rule({"id": "m", "custom": [custom]}, keys), pair({"a": "EMP-123456", "b": "EMP-123456"})
    )
    assert [t.place for t in told.taken] == ["http.res.body:$.a"]
    (left,) = [c for c in told.left if c.place == "http.res.body:$.b"]
    assert left.why.startswith("not at this place")


def test_no_value_is_explained(standard: Redactor, traffic: ModuleType) -> None:
    for sample in traffic.samples(21, 30):
        told = explain_pair(standard, RRPair.from_frame(sample.frame))
        text = "\n".join([repr(t) for t in told.taken] + [repr(c) for c in told.left])
        assert find_leaks(text.encode(), sample.planted) == []


def test_the_list_of_what_is_left_is_bounded(standard: Redactor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explain, "LEFT_MAX", 3)
    told = explain_pair(standard, pair({f"order_{chr(97 + i)}": "4111111111111112" for i in range(8)}))
    assert (len(told.left), told.more) == (3, 5)


def test_the_pair_is_not_changed(standard: Redactor) -> None:
    given = pair({"mail": "ada@example.com"})
    before = given.to_doc()
    explain_pair(standard, given)
    assert given.to_doc() == before
