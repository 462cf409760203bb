"""Where a call went stays what it was, even where a recorder called the host a token; secrets go all the same."""

from __future__ import annotations

import json

from speedscale_runtime.dlp import Redactor
from speedscale_runtime.rrpair import RRPair

HOST = "api.shop.test"


def recorded(labelled: str) -> RRPair:
    """Return a pair in whose token list a recorder took something for a JWT."""
    token = {"uuid": "AAKF7V5QR6yYAkp7KmDbbA==", "token": {"location": "http.req.host", "pattern": "DATA_PATTERN_JWT"}}
    return RRPair(
        {
            "direction": "OUT",
            "command": "GET",
            "location": "/repos",
            "network_address": f"{HOST}:443",
            "http": {
                "req": {"url": "/repos", "uri": "/repos", "host": HOST, "headers": {"Host": [HOST]}},
                "res": {"headers": {"Content-Type": ["application/json"]}},
            },
            "tokenList": {f"JWT:{labelled}": {"id": f"JWT:{labelled}", "tokens": [token]}},
        },
        None,
        json.dumps({"next": f"https://{labelled}/repos?page=2"}).encode(),
    )


def test_a_host_that_was_labelled_a_token_is_still_where_the_call_went(standard: Redactor) -> None:
    out = standard.redact_pair(recorded(HOST)).pair
    assert out.doc["network_address"] == f"{HOST}:443"
    assert out.doc["http"]["req"]["host"] == HOST
    assert out.doc["http"]["req"]["headers"]["Host"] == [HOST]
    assert json.loads(out.response_body or b"") == {"next": f"https://{HOST}/repos?page=2"}


def test_any_other_labelled_value_goes_from_the_whole_pair(standard: Redactor) -> None:
    out = standard.redact_pair(recorded("opaque-4711.value.of-ours")).pair
    assert "opaque-4711" not in json.dumps(out.to_doc())
    assert b"opaque-4711" not in (out.response_body or b"")
