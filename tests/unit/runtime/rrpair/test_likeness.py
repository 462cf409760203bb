"""Other tools' ways to show the same: the document's values are kept, the text survives, real edits take effect."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import pytest

from speedscale_runtime.rrpair import RRPair, jsonform, markdown

Make = Callable[..., RRPair]

SAME = [
    ("http://shop:8080/orders?dry=1", "http://10.0.0.7:8080/orders?dry=1"),
    ("http://shop:8080/orders?dry=1", "http://shop/orders?dry=1"),
    ("http://shop:8080/orders?dry=1", "http://shop:8080/%6frders?dry=%31"),
    ("HTTP/1.1 201 Created", "HTTP/2.0 201 Created"),
    ("HTTP/1.1 201 Created", "HTTP/1.1 201 Created "),
    ("Accept: text/html\\, */*, b\\\\c", "Accept: text/html, */*, b\\c"),
    ("X-Empty: \n", "X-Empty:\n"),
    ("direction: IN", "direction: in"),
    ("uuid: 00010203-0405-0607-0809-0a0b0c0d0e0f", "uuid: 00010203-0405-0607-0809-0A0B0C0D0E0F"),
    ("duration: 12ms", "duration: 0.012s"),
    ("ts: 2026-03-01T10:20:30.12345Z", "ts: 2026-03-01T10:20:30.123450000Z"),
    ("tags: captureMode=proxy, empty=, sequence=7", "tags: sequence=7, empty=, captureMode=proxy"),
    ("\\x9E\\x1BG\\xFF", "\\x9e\\x1b\\x47\\xff"),
]


def shown(pair: RRPair, old: str, new: str) -> bytes:
    data = markdown.dumps(pair)
    assert old.encode() in data
    return data.replace(old.encode(), new.encode(), 1)


@pytest.mark.parametrize(("old", "new"), SAME)
def test_the_document_stays_and_the_text_survives(pair: RRPair, old: str, new: str) -> None:
    data = shown(pair, old, new)
    again = markdown.loads(data)
    assert again == pair
    start = data.rindex(b"### INTERNAL")
    assert markdown.dumps(jsonform.loads(jsonform.dumps(again)))[:start] == data[:start]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("http://shop:8080/", "http://shop:80/"),
        ("http://shop:8080/", "http://shop2:8080/"),
        ("http://shop:8080/", "https://shop:8080/"),
        ("?dry=1", "?dry=2"),
        ("?dry=1", "?dry=1&x"),
        ("/orders?", "/Orders?"),
        ("201 Created", "201 Done"),
        ("201 Created", "200 Created"),
        ("X-Empty: \n", "X-Empty: x\n"),
        ("Host: shop:8080", "Host: shop"),
        ("direction: IN", "direction: OUT"),
        ("duration: 12ms", "duration: 13ms"),
        ("\\x9E\\x1BG\\xFF", "\\x9e\\x1b\\x48\\xff"),
        ("http:url is /orders", "http:url is /order"),
    ],
)
def test_edits_that_are_close_still_take_effect(pair: RRPair, old: str, new: str) -> None:
    again = markdown.loads(shown(pair, old, new))
    assert again != pair
    assert markdown.loads(markdown.dumps(again)) == again


@pytest.mark.parametrize("message", ["201 ", "201", "", None])
def test_a_reason_that_the_document_lacks_may_be_shown(make: Make, message: str | None) -> None:
    pair = make()
    pair.doc["http"]["res"]["statusMessage"] = message
    data = markdown.dumps(pair)
    first = data[data.index(b"### RESPONSE") :].split(b"\n")[2]
    for line in (b"HTTP/1.1 201 Created", b"HTTP/1.1 201 ", b"HTTP/1.1 201"):
        assert markdown.loads(data.replace(first + b"\n", line + b"\n", 1)) == pair


def test_a_coded_body_may_be_shown_decoded(make: Make) -> None:
    pair = make()
    pair.doc["http"]["res"]["headers"]["Content-Encoding"] = ["gzip"]
    pair.response_body = gzip.compress(b'{"ok":true}', mtime=0)
    raw = pair.response_body
    again = markdown.loads(markdown.dumps(pair).replace(raw, b'{\n  "ok": true\n}', 1))
    assert again == pair
    edited = markdown.loads(markdown.dumps(pair).replace(raw, b'{\n  "ok": false\n}', 1))
    assert edited.response_body == b'{"ok":false}'


def test_a_text_beside_other_bytes_may_be_shown(make: Make) -> None:
    doc = make().to_doc()
    doc["http"]["res"] |= {"body": "decoded", "bodyBase64": "CAESBWhlbGxv/w=="}
    pair = RRPair.from_doc(doc)
    data = markdown.dumps(pair).replace(b"\x08\x01\x12\x05hello\xff", b"decoded", 1)
    assert markdown.loads(data).to_doc()["http"]["res"]["bodyBase64"] == "CAESBWhlbGxv/w=="


@pytest.mark.parametrize(("kind", "kept"), [("application/grpc", True), ("image/png", True), ("text/plain", False)])
def test_a_note_in_place_of_a_binary_body(make: Make, kind: str, kept: bool) -> None:
    pair = make()
    pair.doc["http"]["res"]["headers"] = {"Content-Type": [kind]}
    pair.response_body = b"\x00\x01\xff\xfe"
    data = markdown.dumps(pair).replace(b"\x00\x01\xff\xfe", b'{"fieldsMap":{"1":"mine"}}', 1)
    again = markdown.loads(data)
    assert (again.response_body == pair.response_body) is kept
    start = data.rindex(b"### INTERNAL")
    if kept:
        assert markdown.dumps(jsonform.loads(jsonform.dumps(again)))[:start] == data[:start]
        again.doc["dlpModified"] = True
        assert b"mine" not in markdown.dumps(again)


@pytest.mark.parametrize("value", ["GET!", "POST", "plain text"])
def test_a_signature_that_is_not_in_base64(make: Make, value: str) -> None:
    pair = make(signature={"http:method": value})
    data = markdown.dumps(pair)
    line = data[data.index(b"http:method is ") :].split(b"\n")[0]
    again = markdown.loads(data.replace(line, b"http:method is " + value.encode(), 1))
    assert again.doc["signature"] == {"http:method": value}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('\n```\n{\n  "b": 1,\n  "a": []\n}\n```\n', ""),
        ("\n```\ndone\n\n```\n", ""),
        ("HTTP/1.1 201 Created\nContent-Type: text/plain\nDate: Sun\\, 01 Mar 2026 10:20:30 GMT\n", ""),
        ("uuid: 00010203-0405-0607-0809-0a0b0c0d0e0f\n", ""),
        ("tags: captureMode=proxy, empty=, sequence=7\n", ""),
    ],
)
def test_what_a_tool_left_out_was_not_removed(pair: RRPair, old: str, new: str) -> None:
    data = shown(pair, old, new)
    again = markdown.loads(data)
    assert again == pair
    start = data.rindex(b"### INTERNAL")
    assert markdown.dumps(jsonform.loads(jsonform.dumps(again)))[:start] == data[:start]


def test_a_signature_shown_as_none(make: Make) -> None:
    pair = make(signature={})
    again = markdown.loads(shown(pair, "### SIGNATURE ###\n```\n", "### SIGNATURE ###\n```\n-NONE-\n"))
    assert again == pair
    assert again.doc["signature"] == {}
