"""Walking a head by what is remembered agrees with reading it in full, cold and warm, and leaves it as it was."""

from __future__ import annotations

import copy
import json
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speedscale_runtime.dlp import KeyRing, Redactor, builtin, compile_rule
from speedscale_runtime.dlp.detectors import DETECTORS, KEY_RULES
from speedscale_runtime.dlp.edits import Note
from speedscale_runtime.dlp.traverse.head import Head

_VALUES = [e for d in DETECTORS for e in (*d.examples, *d.counter_examples)]
_NAMES = [n for k in KEY_RULES for n, _ in (*k.examples, *k.counter_examples)]
_texts = st.sampled_from(
    [*_VALUES, "", "x", "a\nb", "2026-01-02T03:04:05Z", "/a?mail=ada%40example.com", "Bearer abc123def456", "200"]
)
_names = st.sampled_from([*_NAMES, "a", "note", "ada@example.com", "value", "name", "url", "session", "uuid", "ts"])
_leaves = _texts | st.none() | st.booleans() | st.integers(0, 10**17) | st.floats(allow_nan=False)
_trees = st.recursive(
    _leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=4), max_leaves=10
)
_header_names = st.sampled_from(
    ["Authorization", "Cookie", "Set-Cookie", "Host", "Content-Length", "X-A", "Location", "X-Api-Key", "10.1.2.3"]
)
_headers = st.dictionaries(_header_names, st.lists(_texts, max_size=3) | _texts, max_size=4)
_sides = st.fixed_dictionaries({}, optional={"headers": _headers, "url": _texts, "queryParams": _trees, "host": _texts})
_heads = st.fixed_dictionaries(
    {},
    optional={
        "http": st.fixed_dictionaries({}, optional={"req": _sides, "res": _sides | _texts}),
        "tags": _trees,
        "netinfo": _trees,
        "location": _texts,
        "session": _texts,
        "uuid": _texts,
        "ts": _texts,
        "tokenList": _trees,
        "signature": st.dictionaries(_names, _texts, max_size=2),
        "ada@example.com": _texts,
        "events": _trees,
    },
)


@pytest.fixture(scope="module")
def warm() -> Redactor:
    return compile_rule(builtin("standard"), KeyRing({"k": b"h" * 32}))


def _both(head: Head, doc: dict[str, Any]) -> tuple[Any, Any]:
    walked: list[Note] = []
    full: list[Note] = []
    before = copy.deepcopy(doc)
    new = head.read(doc, walked)
    other = head.in_full(doc, full)
    assert doc == before
    assert (new is doc) == (not walked)
    return (json.dumps(new), sorted(walked)), (json.dumps(other), sorted(full))


@settings(max_examples=600, deadline=None, derandomize=True)
@given(_heads)
def test_walking_agrees_with_reading_in_full(warm: Redactor, doc: dict[str, Any]) -> None:
    for _ in range(2):
        walked, full = _both(warm._head, doc)
        assert walked == full


def test_traffic_agrees_cold_and_warm(warm: Redactor, traffic: ModuleType) -> None:
    for sample in traffic.samples(9, 60):
        doc = json.loads(sample.frame.head)
        for _ in range(2):
            walked, full = _both(warm._head, doc)
            assert walked == full, sample.name


def test_an_object_that_stands_in_two_places_is_redacted_in_both(warm: Redactor) -> None:
    shared = {"X-Mail": ["ada@example.com"]}
    doc = {"http": {"req": {"headers": shared}, "res": {"headers": shared}}}
    new = warm._head.read(doc, [])
    assert "ada@" not in json.dumps(new)
    assert "ada@" in json.dumps(doc)
    values = ["bob@example.com"]
    doc = {"http": {"req": {"headers": {"A": values, "B": values}}}}
    assert "bob@" not in json.dumps(warm._head.read(doc, []))


def test_a_rule_with_patterns_of_its_own_sees_where_a_text_begins() -> None:
    custom = {"id": "badge", "kind": "BADGE", "pattern": "^B[0-9]{4}$"}
    redactor = compile_rule({"id": "mine", "custom": [custom]}, KeyRing({"k": b"h" * 32}))
    new = redactor._head.read({"tags": {"a": "x", "b": "B1234", "c": "y"}}, [])
    assert new["tags"]["b"].startswith("REDACTED-BADGE-")
