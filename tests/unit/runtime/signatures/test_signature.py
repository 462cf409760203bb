"""HTTP signatures: the same request has one digest however it is written, different requests have different ones."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedscale_runtime import signatures
from speedscale_runtime.rrpair import RRPair, recording


def pair(
    method: str = "GET",
    uri: str = "/v1/pay",
    body: bytes = b"",
    host: str = "api.example.com",
    **headers: str,
) -> RRPair:
    sent = {name.replace("_", "-"): [value] for name, value in headers.items()}
    req = {"method": method, "uri": uri, "url": uri.partition("?")[0], "host": host, "headers": sent}
    return RRPair({"http": {"req": req, "res": {"statusCode": 200}}, "direction": "OUT"}, body, b"")


def same(a: RRPair, b: RRPair) -> bool:
    return signatures.digest(signatures.signature(a)) == signatures.digest(signatures.signature(b))


def test_a_request_without_query_and_body_has_four_keys_with_an_empty_query() -> None:
    assert signatures.signature(pair()) == {
        "http:host": b"api.example.com",
        "http:method": b"GET",
        "http:queryparams": b"",
        "http:url": b"/v1/pay",
    }


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("api.example.com:8443", b"api.example.com"),
        ("API.example.com", b"api.example.com"),
        ("[2001:db8::1]:443", b"2001:db8::1"),
        ("2001:db8::1", b"2001:db8::1"),
        ("localhost", b"localhost"),
    ],
)
def test_the_host_is_signed_without_its_port(host: str, name: bytes) -> None:
    assert signatures.signature(pair(host=host))["http:host"] == name


def test_the_query_is_decoded_and_sorted() -> None:
    found = signatures.signature(pair(uri="/s?q=language%3Aruby+stars%3A%3E1000&order=desc"))
    assert found["http:queryparams"] == b"order=desc&q=language:ruby stars:>1000"


def test_query_order_does_not_matter_but_the_order_of_one_names_values_does() -> None:
    assert same(pair(uri="/s?a=1&b=2"), pair(uri="/s?b=2&a=1"))
    assert not same(pair(uri="/s?a=1&a=2"), pair(uri="/s?a=2&a=1"))


@pytest.mark.parametrize("prefix", ["http:queryparams:", "http:qp:"])
def test_one_key_a_parameter_means_the_same_as_one_key(prefix: str) -> None:
    ours = signatures.signature(pair(uri="/s?b=2&a=1"))
    newer = {k: v for k, v in ours.items() if k != "http:queryparams"} | {prefix + "a": b"1", prefix + "b": b"2"}
    assert signatures.digest(newer) == signatures.digest(ours)


def test_a_query_is_taken_from_the_parameters_where_the_uri_lacks_it() -> None:
    lacking = pair(uri="/s")
    lacking.doc["http"]["req"]["queryParams"] = {"b": ["2"], "a": ["1"]}
    assert same(lacking, pair(uri="/s?a=1&b=2"))


def test_json_is_compact_and_sorted_at_every_level() -> None:
    found = signatures.signature(pair("POST", body=b'{"b": [{"d": 1, "c": "\xc3\xa4"}], "a": null}'))
    assert found["http:requestBodyJSON"] == '{"a":null,"b":[{"c":"ä","d":1}]}'.encode()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), JSON), st.booleans(), st.integers(0, 4))
def test_how_json_is_written_does_not_matter(tree: dict[str, Any], ascii_only: bool, indent: int) -> None:
    turned = dict(reversed(tree.items()))
    other = json.dumps(turned, ensure_ascii=ascii_only, indent=indent).encode()
    assert same(pair("POST", body=json.dumps(tree).encode()), pair("POST", body=other))


def test_what_is_no_json_is_signed_by_its_hash() -> None:
    found = signatures.signature(pair("POST", body=b"<a/>", Content_Type="application/xml"))
    assert found["http:requestBodyHash"] == hashlib.sha256(b"<a/>").digest()
    assert "http:requestBodyHash" in signatures.signature(pair("POST", body=b"{broken"))


def test_a_form_is_signed_as_the_object_of_its_fields() -> None:
    form = "application/x-www-form-urlencoded"
    found = signatures.signature(pair("POST", body=b"user=a%20b&x=1&x=2", Content_Type=form))
    assert found["http:requestBodyJSON"] == b'{"user":"a b","x":["1","2"]}'
    assert same(pair("POST", body=b"a=1&b=2", Content_Type=form), pair("POST", body=b"b=2&a=1", Content_Type=form))
    shown_as_json = pair("POST", body=b'{"a":"1","b":"2"}', Content_Type=form)
    assert same(shown_as_json, pair("POST", body=b"b=2&a=1", Content_Type=form))


def test_compression_does_not_matter() -> None:
    packed = pair("POST", body=gzip.compress(b'{"a":1}'), Content_Encoding="gzip")
    assert same(packed, pair("POST", body=b'{"a":1}'))


def test_a_body_that_claims_a_coding_it_has_not_is_signed_as_it_is() -> None:
    assert same(pair("POST", body=b'{"a":1}', Content_Encoding="gzip"), pair("POST", body=b'{"a":1}'))


def test_multipart_boundaries_do_not_matter_but_parts_do() -> None:
    def upload(boundary: str, content: str) -> RRPair:
        body = f'--{boundary}\r\nContent-Disposition: form-data; name="f"\r\n\r\n{content}\r\n--{boundary}--\r\n'
        return pair("POST", body=body.encode(), Content_Type=f"multipart/form-data; boundary={boundary}")

    assert same(upload("aaa111", "x"), upload("zz-9", "x"))
    assert not same(upload("aaa111", "x"), upload("aaa111", "y"))


@pytest.mark.parametrize(
    "other",
    [
        pair("POST"),
        pair(uri="/v1/pays"),
        pair(uri="/v1/pay?a="),
        pair(host="api.example.org"),
        pair(body=b"{}"),
    ],
)
def test_requests_that_differ_have_different_digests(other: RRPair) -> None:
    assert not same(pair(), other)


def test_instance_does_not_count() -> None:
    plain = signatures.signature(pair())
    assert signatures.digest({**plain, "instance": b"3"}) == signatures.digest(plain)


def test_keys_and_values_cannot_run_into_each_other() -> None:
    assert signatures.digest({"a": b"b", "c": b""}) != signatures.digest({"a": b"", "bc": b""})


def test_other_protocols_keep_the_recorded_signature() -> None:
    query = RRPair({"postgres": {}, "signature": {"postgres:msg_type": "UXVlcnk="}})
    assert signatures.signature(query) == {"postgres:msg_type": b"Query"}


def test_a_document_signature_that_is_no_base64_is_text() -> None:
    assert signatures.from_document({"http:url": "/plain-text"}) == {"http:url": b"/plain-text"}


@given(st.dictionaries(st.text(), st.binary()))
def test_documents_give_back_what_was_put_in(signature: dict[str, bytes]) -> None:
    assert signatures.from_document(signatures.to_document(signature)) == signature


def test_recorded_signatures_are_computed_alike() -> None:
    folder = os.environ.get("SPEEDSCALE_RECORDINGS")
    if not folder:
        pytest.skip("SPEEDSCALE_RECORDINGS names no folder of recordings")
    checked = 0
    for entry in recording.read(Path(folder)):
        if entry.pair is None or entry.pair.http_request is None or not entry.pair.doc.get("signature"):
            continue
        assert signatures.signature(entry.pair) == signatures.recorded(entry.pair), entry.path
        checked += 1
    assert checked > 0


def test_xml_that_was_signed_as_a_document_matches_however_it_is_written() -> None:
    live = pair("POST", body=b'<?xml version="1.0"?>\n<a y="2" x="1">\n  <b> t </b>\n</a>')
    found = signatures.as_xml(signatures.signature(live), live.request_body or b"")
    assert found is not None
    plain = {k: v for k, v in signatures.signature(live).items() if k != "http:requestBodyHash"}
    recorded = {**plain, "http:requestBodyXML": b"<a x='1' y='2'><b>t</b></a>"}
    assert signatures.digest(found) == signatures.digest(recorded)
    assert signatures.as_xml(signatures.signature(pair()), b"") is None
    assert signatures.as_xml(signatures.signature(pair("POST", body=b"<broken")), b"<broken") is None
