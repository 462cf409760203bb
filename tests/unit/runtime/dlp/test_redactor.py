"""Whole pairs: clean ones stay byte-identical, headers agree with bodies, what cannot be read fails closed."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from speedscale_runtime.demo.leaks import find_leaks
from speedscale_runtime.dlp import KeyRing, Redactor, builtin, compile_rule
from speedscale_runtime.dlp.explain import explain
from speedscale_runtime.dlp.prefilter import Prefilter
from speedscale_runtime.dlp.traverse import json_spots, json_text
from speedscale_runtime.rrpair import RRPair, recording
from speedscale_schemas.frames import Frame


def head(response: dict[str, str] | None = None, **fields: Any) -> dict[str, Any]:
    headers = {k: [v] for k, v in (response or {}).items()}
    request = {"url": "/x", "uri": "/x", "method": "GET", "headers": {"Host": ["10.0.0.7:80"]}}
    return {"msgType": "rrpair", "direction": "IN", "location": "/x", "network_address": "10.0.0.7:80",
            "netinfo": {"downstream": {"ipAddress": "10.2.3.4", "port": 41111}},
            "http": {"req": request, "res": {"statusCode": 200, "headers": headers}}, **fields}  # fmt: skip


def frame(body: bytes, response: dict[str, str] | None = None, **fields: Any) -> Frame:
    return Frame(json.dumps(head(response, **fields)).encode(), b"", body)


CLEAN = [
    b"", b'{"id":1,"title":"lamp","big":123456789012345678901234567890,"f":1.50,"e":1e5}', b"<a><b>x &amp; y</b></a>",
    b"a=1&b=two+words", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", b'{"broken": ', b"plain text", b'"just a string"',
    json.dumps({"u": "caf\u00e9 \u2603", "id": "6f1f7e5a-1c9d-4b49-b5ab-7ac4db2f4a0e"}).encode(),
    "žluťoučký".encode("utf-16"),
]  # fmt: skip


@pytest.mark.parametrize("body", CLEAN)
@pytest.mark.parametrize("coding", ["", "gzip"])
def test_a_clean_frame_is_the_very_frame(standard: Redactor, body: bytes, coding: str) -> None:
    wire = gzip.compress(body) if coding else body
    clean = frame(wire, {"Content-Encoding": coding} if coding else None)
    outcome = standard.redact_frame(clean)
    assert outcome.frame is clean
    assert outcome.modified is False
    assert outcome.findings == ()


def test_a_clean_document_is_not_parsed(standard: Redactor, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> bool:
        raise AssertionError("parsed")

    monkeypatch.setattr(json_text, "valid", refuse)
    assert standard.redact_text(b'{"id":1,"title":"lamp"}', "application/json") == (b'{"id":1,"title":"lamp"}', ())


def test_only_the_value_changes(standard: Redactor) -> None:
    body = b'{ "big" : 123456789012345678901234567890,\t"f":1.50, "m" : "ada@example.com" ,"e":1E5}'
    out = standard.redact_frame(frame(body)).frame.response_body
    start, end = body.split(b"ada@example.com")
    assert out.startswith(start)
    assert out.endswith(end)


def test_structural_addresses_stay_and_others_go(standard: Redactor) -> None:
    doc = head({"X-Client-Ip": "203.0.113.9"}, events=[{"message": "from 203.0.113.10"}])
    out = json.loads(standard.redact_frame(Frame(json.dumps(doc).encode(), b"", b"")).frame.head)
    assert out["netinfo"] == doc["netinfo"]
    assert out["network_address"] == doc["network_address"]
    assert out["http"]["req"]["headers"] == doc["http"]["req"]["headers"]
    assert "203.0.113" not in json.dumps(out)


def test_length_and_digests_fit_the_new_body(standard: Redactor) -> None:
    body = b'{"m":"ada@example.com"}'
    sha = base64.b64encode(hashlib.sha256(body).digest()).decode()
    given = {
        "Content-Length": str(len(body)),
        "Content-MD5": base64.b64encode(hashlib.md5(body).digest()).decode(),
        "Digest": f"SHA-256={sha}",
        "Content-Digest": f"sha-256=:{sha}:",
        "ETag": f'"{hashlib.md5(body).hexdigest()}"',
        "X-Hub-Signature-256": "sha256=" + "ab" * 32,
    }
    frame_ = standard.redact_frame(frame(body, given)).frame
    doc = json.loads(frame_.head)
    new = frame_.response_body
    headers = {k: v[0] for k, v in doc["http"]["res"]["headers"].items()}
    now = base64.b64encode(hashlib.sha256(new).digest()).decode()
    assert headers["Content-Length"] == str(len(new))
    assert headers["Content-MD5"] == base64.b64encode(hashlib.md5(new).digest()).decode()
    assert headers["Digest"] == f"SHA-256={now}"
    assert headers["Content-Digest"] == f"sha-256=:{now}:"
    assert headers["ETag"] == f'"{hashlib.md5(new).hexdigest()}"'
    assert doc["tags"]["dlpBrokenSignature"] == "X-Hub-Signature-256"


def test_the_hash_of_a_request_body_in_the_signature_follows(standard: Redactor) -> None:
    body = b"mail=ada@example.com"
    coded = base64.b64encode(hashlib.sha256(body).digest()).decode()
    doc = head(signature={"http:requestBodyHash": coded})
    out = standard.redact_frame(Frame(json.dumps(doc).encode(), body, b"")).frame
    expected = base64.b64encode(hashlib.sha256(out.request_body).digest()).decode()
    assert json.loads(out.head)["signature"]["http:requestBodyHash"] == expected


class TestFailsClosed:
    @pytest.mark.parametrize(
        ("body", "coding"),
        [
            (gzip.compress(b"mail ada@example.com " * 50)[:-12], "gzip"),
            (b"\x1f\x8b\x08nonsense", "gzip"),
            (os.urandom(0) + b"\xff\xfe\x00\x01\x02", "br"),
            (b"\x00\x01\x02", "compress"),
            (b"PK\x03\x04 a zip", ""),
            (b"%PDF-1.7 x", ""),
            (gzip.compress(b"0" * 80_000_000), "gzip"),
        ],
        ids=["torn", "broken", "no brotli", "unknown coding", "zip", "pdf", "bomb"],
    )
    def test_what_cannot_be_read_is_replaced_and_counted(self, standard: Redactor, body: bytes, coding: str) -> None:
        outcome = standard.redact_frame(frame(body, {"Content-Encoding": coding}))
        assert [(f.kind, f.place) for f in outcome.findings] == [("UNDECODABLE", "http.res.body")]
        assert outcome.frame.response_body.startswith(b"REDACTED-UNDECODABLE-")
        assert "Content-Encoding" not in json.loads(outcome.frame.head)["http"]["res"]["headers"]
        assert not standard.redact_frame(outcome.frame).modified

    def test_json_stays_json(self, standard: Redactor) -> None:
        given = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
        out = standard.redact_frame(frame(b"\x1f\x8b\x08torn", given)).frame.response_body
        assert json.loads(out).startswith("REDACTED-UNDECODABLE-")

    def test_a_plain_body_whose_coding_was_undone_by_the_recorder_is_read(self, standard: Redactor) -> None:
        body = b'{"m":"ada@example.com","n":1}'
        out = standard.redact_frame(frame(body, {"Content-Encoding": "gzip"})).frame.response_body
        assert json.loads(out)["n"] == 1
        assert b"ada@" not in out

    def test_a_cut_body_in_which_something_fired_is_replaced(self, standard: Redactor) -> None:
        tags = {"responsePayloadTruncated": "100000"}
        outcome = standard.redact_frame(frame(b'{"m":"ada@example.com","ssn":"123-45-', tags=tags))
        assert outcome.frame.response_body.startswith(b"REDACTED-UNDECODABLE-")
        assert not standard.redact_frame(frame(b'{"title":"lam', tags=tags)).modified

    def test_nesting_has_a_bottom(self, standard: Redactor) -> None:
        body = b"ada@example.com"
        for _ in range(12):
            body = base64.b64encode(body)
        outcome = standard.redact_frame(frame(body))
        assert find_leaks(outcome.frame.response_body, ["ada@example.com"]) == []

    def test_the_opt_out_keeps_what_cannot_be_read(self, keys: KeyRing) -> None:
        rule = {**builtin("standard"), "id": "mine", "protected": False, "undecodable": "keep"}
        assert not compile_rule(rule, keys).redact_frame(frame(b"PK\x03\x04 a zip")).modified


DOCUMENTS = [
    {"name": "Ava Sullivan", "email": "ada@example.com"},
    {"products": [{"name": "Brass Lamp Tall"}], "contact": {"phone": "+14155552671"}},
    {"password": {"old": "a1", "new": ["b2", 34]}, "n": 1},
    {"fields": [{"name": "password", "value": "hunter2"}, {"name": "qty", "value": "2"}]},
    {"fields": [{"value": "hunter2", "name": "password"}]},
    {"mails": ["ada@example.com", "bob@example.com"], "ips": ["203.0.113.7"], "versions": ["1.2.3.4"]},
    {"ssn": 123456789, "card": 4111111111111111, "pin": 1234, "amount": 12.5, "n": [4111111111111111]},
    {"ada@example.com": {"x": 1}, "k": {"203.0.113.7": "y"}},
    {"a": None, "email": None, "ok": True, "token": "abcdef12", "token_type": "Bearer"},
    [["ada@example.com"], {"a": [{"b": "123-45-6789"}]}],
    {"address": {"street": "12 Elm Street", "city": "X"}, "zip": "12345", "phone": {"home": "4155552671"}},
    {"headers": {"authorization": "Bearer abcdef123456", "cookie": "sid=abcdefgh1234"}},
    "ada@example.com",
    {"secret": ["s3cr3tvalue"], "next": 5, "apiKey": "k-123456"},
]


@pytest.mark.parametrize("document", DOCUMENTS)
@pytest.mark.parametrize("spaces", [(",", ":"), (", ", ": "), (" ,\n ", " : ")])
def test_looking_at_spots_agrees_with_reading_in_full(
    standard: Redactor, document: object, spaces: tuple[str, str]
) -> None:
    data = json.dumps(document, separators=spaces).encode()
    engine = standard.engine
    full = json_text.edits(engine, data, 0, engine.hits(data))
    spots = json_spots.edits(engine, data, 0, engine.hits(data))
    if spots is not None:
        settled = sorted(json_spots.resolve(spots, data))
        assert settled == sorted(full)


def test_a_pair_is_redacted_like_its_frame_and_left_as_it_was(standard: Redactor, traffic: ModuleType) -> None:
    for sample in traffic.samples(3, 24):
        pair = RRPair.from_frame(sample.frame)
        before = pair.copy()
        outcome = standard.redact_pair(pair)
        assert pair == before
        assert outcome.pair == RRPair.from_frame(standard.redact_frame(sample.frame).frame)
        assert standard.redact_request(outcome.pair).modified is False


def test_protocol_bodies_in_the_head(standard: Redactor) -> None:
    bind = {
        "parameters": [{"asString": "ada@example.com"}, {"asString": base64.b64encode(b"ssn 123-45-6789").decode()}]
    }
    sql = "UPDATE u SET password = 'hunter22' WHERE mail = 'ada@example.com'"
    pair = RRPair({"l7protocol": "postgres", "location": sql, "postgres": {"request": {"bind": bind, "query": sql}}})
    out = standard.redact_pair(pair).pair
    assert find_leaks(json.dumps(out.doc).encode(), ["ada@example.com", "123-45-6789", "hunter22"]) == []


def test_a_head_that_is_no_object_is_refused(standard: Redactor) -> None:
    with pytest.raises(ValueError, match="JSON object"):
        standard.redact_frame(Frame(b"[]", b"", b""))


def test_compiling_scans_with_one_database(standard: Redactor) -> None:
    assert isinstance(standard.engine.prefilter, Prefilter)
    assert standard.engine.hits(b"nothing here") == []


def test_explanations_name_the_reason_of_each_candidate(standard: Redactor) -> None:
    text = b"card 4111 1111 1111 1111 or 4111111111111112, ssn 000-12-3456, password=hunter2"
    verdicts = {(c.detector, c.taken, c.why) for c in explain(standard.engine, text)}
    assert ("card", True, "issuer prefix and length, Luhn") in verdicts
    assert ("card", False, "fails the Luhn check") in verdicts
    assert ("ssn", False, "area 000 is never issued") in verdicts
    assert ("password", True, "stands under a key for a password") in verdicts


@pytest.mark.skipif("SPEEDSCALE_RECORDINGS" not in os.environ, reason="SPEEDSCALE_RECORDINGS names no folder")
def test_recordings_of_the_field(standard: Redactor) -> None:
    for entry in recording.read(Path(os.environ["SPEEDSCALE_RECORDINGS"])):
        assert entry.pair is not None, entry.error
        outcome = standard.redact_pair(entry.pair)
        assert not standard.redact_pair(outcome.pair).modified, entry.path


class TestEchoes:
    def test_what_a_name_gave_away_goes_everywhere_in_the_pair(self, standard: Redactor) -> None:
        value = 'pa"ss wörd-17'
        doc = head({"Content-Encoding": "gzip"}, events=[{"message": f"login with {value} failed"}])
        doc["tokenList"] = {f"PATTERN:{value}": {"replacement": base64.b64encode(value.encode()).decode()}}
        request = json.dumps({"password": value, "copy": f"it is {value}."}).encode()
        response = gzip.compress(f"you said {value}, so".encode())
        outcome = standard.redact_frame(Frame(json.dumps(doc).encode(), request, response))
        frame_ = outcome.frame
        assert find_leaks([frame_.head, frame_.request_body, frame_.response_body], [value]) == []
        assert gzip.decompress(frame_.response_body).startswith(b"you said REDACTED-PASSWORD-")
        assert not standard.redact_frame(frame_).modified

    @pytest.mark.parametrize("value", ["short", "production", "12345678"])
    def test_words_and_numbers_do_not_take_ordinary_text_with_them(self, standard: Redactor, value: str) -> None:
        body = json.dumps({"password": value, "text": f"in {value} today"}).encode()
        out = json.loads(standard.redact_frame(frame(body)).frame.response_body)
        assert out["text"] == f"in {value} today"

    def test_detectors_with_a_scope_keep_to_it_in_the_head(self, keys: KeyRing) -> None:
        custom = {"id": "badge", "kind": "BADGE", "keys": ["badge"], "paths": ["http.res.body:*"]}
        redactor = compile_rule({"id": "mine", "custom": [custom]}, keys)
        assert not redactor.redact_frame(frame(b"", badge="B-1")).modified
        assert redactor.redact_frame(frame(b'{"badge":"B-1"}')).modified


def test_an_address_in_a_structural_place_does_not_shield_what_stands_beside_it(standard: Redactor) -> None:
    coded = base64.b64encode(b"10.1.2.3:80 for ada@example.com").decode()
    doc = head(signature={"http:host": coded}, tags={"peer": "10.1.2.3 ada@example.com"})
    out = standard.redact_frame(Frame(json.dumps(doc).encode(), b"", b"")).frame
    assert find_leaks(out.head, ["ada@example.com"]) == []
    assert json.loads(out.head)["tags"]["peer"].startswith("10.1.2.3 REDACTED-EMAIL-")


@pytest.mark.parametrize(
    ("value", "stays", "goes"),
    [
        (
            'Digest username="jo", nonce="dcd98b7102dd", uri="/a", nc=00000001, cnonce="0a4f113b", '
            'response="6629fae49393a05397450978507c4ef1"',
            ('username="jo"', 'uri="/a"', "nc=00000001"),
            ("0a4f113b", "6629fae49393a05397450978507c4ef1"),
        ),
        (
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
            "SignedHeaders=host, Signature=fe5f80f77d5fa3beca038a248ff027d0445342fe2855ddc963176630326f1024",
            ("SignedHeaders=host",),
            ("AKIAIOSFODNN7EXAMPLE", "fe5f80f77d5fa3beca038a248ff027d0445342fe2855ddc963176630326f1024"),
        ),
        (
            'OAuth realm="r", oauth_token="kkk9d7dh3k39sjv7", oauth_signature="bYT5CMsGcbgUdFHObYMEfcx6bsw%3D"',
            ('realm="r"',),
            ("kkk9d7dh3k39sjv7", "bYT5CMsGcbgUdFHObYMEfcx6bsw"),
        ),
    ],
)
def test_proofs_in_schemes_with_parameters_go(
    standard: Redactor, value: str, stays: tuple[str, ...], goes: tuple[str, ...]
) -> None:
    request = {"method": "GET", "url": "/a", "uri": "/a", "headers": {"Authorization": [value]}}
    made = RRPair({"direction": "OUT", "http": {"req": request, "res": {"statusCode": 200}}}, b"", b"")
    outcome = standard.redact_pair(made)
    (shown,) = outcome.pair.doc["http"]["req"]["headers"]["Authorization"]
    assert all(text in shown for text in stays)
    assert not any(text in shown for text in goes)
    assert not standard.redact_pair(outcome.pair).modified
