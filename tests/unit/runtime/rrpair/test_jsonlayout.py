"""JSON bodies laid out for people: token by token, so that squeezing gives back the very bytes."""

from __future__ import annotations

import pytest

from speedscale_runtime.rrpair import jsonlayout


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (b'{"a":1,"b":[]}', b'{\n  "a": 1,\n  "b": []\n}'),
        (b'[1.0E5,-0.0,"\\u00e9\\/",{}]', b'[\n  1.0E5,\n  -0.0,\n  "\\u00e9\\/",\n  {}\n]'),
        (b'{"a":1,"a":2}', b'{\n  "a": 1,\n  "a": 2\n}'),
        (b"[12345678901234567890123]", b"[\n  12345678901234567890123\n]"),
        (b'["a \\" , : { b"]', b'[\n  "a \\" , : { b"\n]'),
        (b'["\\ud800"]', b'[\n  "\\ud800"\n]'),
        (b'{ "a" :\t[ ] }\n', b'{\n  "a": []\n}'),
        (b"[[[]],{}]", b"[\n  [\n    []\n  ],\n  {}\n]"),
    ],
)
def test_tokens_are_never_rewritten(text: bytes, shown: bytes) -> None:
    assert jsonlayout.indent(text) == shown
    assert jsonlayout.squeeze(shown) == jsonlayout.squeeze(text)


@pytest.mark.parametrize(
    "text", [b"", b"1", b'"a"', b"{", b"[1,]", b"{'a':1}", b"\xff", b"[\xff]", b"text", b'{"a":1} x']
)
def test_what_is_no_object_or_array_is_left_alone(text: bytes) -> None:
    assert jsonlayout.indent(text) is None
    assert jsonlayout.squeeze(text) is None


def test_a_large_body_that_needs_the_slow_way_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonlayout, "SLOW_MAX", 10)
    assert jsonlayout.indent(b'{"a":1.0E5,"b":2}') is None
    assert jsonlayout.indent(b'{"a":10000.0,"b":2}') == b'{\n  "a": 10000.0,\n  "b": 2\n}'


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (b'{"a":1,"b":2}', b'{ "b": 2, "a": 1 }', True),
        (b'{"a":"<"}', b'{"a":"\\u003c"}', True),
        (b"[1]", b"[1.0]", False),
        (b"[1]", b"[true]", False),
        (b'{"a":1,"a":2}', b'{"a":2}', False),
        (b'{"a":1,"a":2}', b'{"a": 1, "a": 2}', True),
        (b"1", b"1", False),
        (b"[", b"[", False),
    ],
)
def test_same_values(one: bytes, other: bytes, same: bool) -> None:
    assert jsonlayout.same(one, other) is same
    assert jsonlayout.same(other, one) is same
