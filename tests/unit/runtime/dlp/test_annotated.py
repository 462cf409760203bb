"""A record that was redacted and then annotated: scanning it gives nothing, redacting it changes no byte."""

from __future__ import annotations

import base64
import json

import pytest

from speedscale_runtime.demo.leaks import find_leaks
from speedscale_runtime.dlp import Redactor
from speedscale_runtime.dlp.detectors import DETECTORS, KEY_RULES
from speedscale_runtime.rrpair import RRPair, jsonform
from speedscale_runtime.signatures import annotate

_VALUES = [
    *((d.name, "note", e) for d in DETECTORS for e in d.examples),
    *((k.name, name, value) for k in KEY_RULES for name, value in k.examples),
]


def _pair(key: str, value: str) -> RRPair:
    line = value.replace("\n", " ")
    req_headers = {"Content-Type": ["application/json"], "Authorization": ["Bearer " + line], "Cookie": ["sid=" + line]}
    res_headers = {"Content-Type": ["application/json"], "Set-Cookie": ["session=" + line]}
    request = {"method": "POST", "url": "/a", "uri": "/a?x=1", "host": "h", "headers": req_headers,
               "queryParams": {key: [value]}}  # fmt: skip
    doc = {"msgType": "rrpair", "uuid": "AAAAAAAAAAAAAAAAAAAAAA==", "l7protocol": "http",
           "http": {"req": request, "res": {"statusCode": 200, "headers": res_headers}}}  # fmt: skip
    body = json.dumps({key: value, "list": [value], "token": value}).encode()
    return RRPair(doc, body, body)


@pytest.mark.parametrize(("name", "key", "value"), _VALUES)
def test_an_annotated_record_is_clean(standard: Redactor, name: str, key: str, value: str) -> None:
    pair = standard.redact_pair(_pair(key, value)).pair
    annotate(pair)
    written = jsonform.dumps(pair)
    again = standard.redact_pair(jsonform.loads(written))
    assert again.findings == ()
    assert jsonform.dumps(again.pair) == written


def test_a_label_of_a_token_list_still_hides_nothing(standard: Redactor) -> None:
    entry = {
        "id": "PASSWORD:hunter22",
        "tokens": [
            {"token": {"location": "http.req.bodyBase64.p", "replacementValue": base64.b64encode(b"hunter22").decode()}}
        ],
    }
    mail = {"id": "EMAIL:ada@example.com", "tokens": [{"token": {"location": "x", "password": "hunter23"}}]}
    pair = RRPair({"tokenList": {"PASSWORD:hunter22": entry, "EMAIL:ada@example.com": mail}})
    out = standard.redact_pair(pair).pair
    assert find_leaks(json.dumps(out.doc).encode(), ["hunter22", "hunter23", "ada@example.com"]) == []
    assert [e["tokens"][0]["token"]["location"] for e in out.doc["tokenList"].values()] == [
        "http.req.bodyBase64.p",
        "x",
    ]
    assert not standard.redact_pair(out).modified
