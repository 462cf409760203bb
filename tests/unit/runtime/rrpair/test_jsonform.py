"""Pairs as JSON: everything comes back, and what is none is refused with its place."""

from __future__ import annotations

import json

import pytest

from speedscale_runtime.rrpair import RRPair, jsonform
from speedscale_schemas.errors import ConfigError


def test_pretty_and_line_hold_the_same(pair: RRPair) -> None:
    pretty, line = jsonform.dumps(pair), jsonform.dumps_line(pair)
    assert pretty.startswith(b'{\n  "msgType": "rrpair",\n')
    assert pretty.endswith(b"}\n")
    assert b"\n" not in line
    assert json.loads(pretty) == json.loads(line) == pair.to_doc()
    assert jsonform.loads(pretty) == jsonform.loads(line) == pair


def test_values_that_orjson_would_change_survive() -> None:
    text = b'{"direction":"IN","big":123456789012345678901234567890,"neg":-9223372036854775809,"lone":"\\ud800x"}'
    pair = jsonform.loads(text)
    assert pair.doc["big"] == 123456789012345678901234567890
    assert json.loads(jsonform.dumps_line(pair)) == json.loads(text)
    assert json.loads(jsonform.dumps(pair)) == json.loads(text)


def test_a_byte_order_mark_is_allowed() -> None:
    assert jsonform.loads(b'\xef\xbb\xbf{"direction":"IN"}').direction == "IN"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'{"direction": "IN",\n "x": }', "f.json:2:7: expected JSON: "),
        (b"[]", "f.json:1: expected an RRPair, a JSON object; found list"),
        (b"null", "f.json:1: expected an RRPair, a JSON object; found NoneType"),
        (b'{"id": 1}', "f.json:1: expected an RRPair; found none of its keys"),
        (b'{"http":{"req":{"bodyBase64":"*"}}}', "f.json:1: http.req.bodyBase64: expected base64"),
        (b"", "f.json:1:1: expected JSON"),
    ],
)
def test_what_is_no_pair_is_refused(text: bytes, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        jsonform.loads(text, "f.json")
    assert str(caught.value).startswith(message)
