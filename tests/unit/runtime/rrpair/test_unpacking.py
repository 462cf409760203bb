"""Bodies in a recording can be read."""

from __future__ import annotations

import gzip

import brotli
import pytest

from speedscale_runtime.rrpair import RRPair, markdown
from speedscale_runtime.rrpair.unpacking import unpack

TEXT = b'{"colour": "blue"}'


def pair(request: bytes = b"", response: bytes = b"", coding: str = "gzip", **tags: str) -> RRPair:
    headers = {"Content-Encoding": [coding], "Content-Type": ["application/json"]}
    document = {
        "msgType": "rrpair",
        "ts": "2026-01-02T03:04:05.000000001Z",
        "direction": "OUT",
        "tags": dict(tags),
        "http": {
            "req": {"method": "POST", "uri": "/a", "url": "/a", "headers": dict(headers) if request else {}},
            "res": {"statusCode": 200, "statusMessage": "200 OK", "headers": dict(headers) if response else {}},
        },
    }
    return RRPair(document, request, response)


@pytest.mark.parametrize(
    ("coding", "packed"),
    [("gzip", gzip.compress(TEXT)), ("br", brotli.compress(TEXT)), ("gzip, br", brotli.compress(gzip.compress(TEXT)))],
)
def test_both_bodies_are_plain_and_the_header_still_tells_how_they_came(coding: str, packed: bytes) -> None:
    made = pair(packed, packed, coding)
    assert unpack(made)
    assert made.request_body == made.response_body == TEXT
    assert made.tags["decoded"] == "true"
    assert made.doc["http"]["res"]["headers"]["Content-Encoding"] == [coding]
    assert b'"colour": "blue"' in markdown.dumps(made)


def test_a_second_time_changes_nothing() -> None:
    made = pair(response=gzip.compress(TEXT))
    assert unpack(made)
    assert not unpack(made)
    assert made.response_body == TEXT


@pytest.mark.parametrize(
    "made",
    [
        pair(response=TEXT, coding="identity"),
        pair(response=gzip.compress(TEXT)[:-4]),
        pair(response=b"\x1f\x8bnonsense"),
        pair(response=gzip.compress(TEXT), responsePayloadTruncated="4000"),
        pair(response=TEXT, coding="unheard-of"),
        RRPair({"postgres": {"request": {}}}),
    ],
)
def test_what_cannot_be_unpacked_stays_as_it_came(made: RRPair) -> None:
    before = made.copy()
    assert not unpack(made)
    assert made == before
