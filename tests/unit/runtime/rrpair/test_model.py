"""The pair: bodies are lifted out as bytes and put back as they were; nothing else is touched."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from speedscale_runtime.rrpair import RRPair, jsontext


def http(**request: Any) -> dict[str, Any]:
    return {"http": {"req": request}}


def test_unchanged_bodies_are_put_back_verbatim(pair: RRPair, make: Callable[..., RRPair]) -> None:
    assert pair.request_body == b'{"b":1,"a":[]}'
    assert "body" not in pair.doc["http"]["req"]
    assert pair.to_doc() == make().to_doc()
    assert pair.to_doc()["http"]["res"]["bodyBase64"] == base64.b64encode(b"done\n").decode()
    assert "body" not in pair.to_doc()["http"]["res"]


def test_a_changed_body_is_written_in_both_forms(pair: RRPair) -> None:
    pair.response_body = b"new"
    res = pair.to_doc()["http"]["res"]
    assert (res["body"], res["bodyBase64"]) == ("new", "bmV3")
    pair.response_body = b"\xff"
    res = pair.to_doc()["http"]["res"]
    assert res["bodyBase64"] == "/w=="
    assert "body" not in res


def test_a_removed_body_leaves_no_trace(pair: RRPair) -> None:
    pair.request_body = None
    assert not {"body", "bodyBase64"} & pair.to_doc()["http"]["req"].keys()


@pytest.mark.parametrize("text", ["_-8=", "_-8", "/+8=", "/+\n8="])
def test_base64_of_either_alphabet(text: str) -> None:
    assert RRPair.from_doc(http(bodyBase64=text)).request_body == b"\xff\xef"


@pytest.mark.parametrize("text", ["a", "!!!!", "YWJj*"])
def test_what_is_no_base64_is_refused_with_its_path(text: str) -> None:
    with pytest.raises(ValueError, match=r"http\.req\.bodyBase64: expected base64"):
        RRPair.from_doc(http(bodyBase64=text))


@pytest.mark.parametrize(
    "fields",
    [
        {"body": {"a": 1}},
        {"body": 5, "bodyBase64": "YQ=="},
        {"bodyBase64": 5},
        {"bodyBase64": 5, "body": "x"},
        {"body": None},
        {"bodyBase64": None, "body": None},
        {"body": "", "bodyBase64": ""},
    ],
)
def test_bodies_of_unexpected_types_are_kept(fields: dict[str, Any]) -> None:
    pair = RRPair.from_doc(http(**fields))
    assert pair.to_doc() == http(**fields)
    pair.request_body = b"new"
    assert pair.to_doc()["http"]["req"]["body"] == "new"


def test_a_text_that_contradicts_the_bytes_stays_visible_in_the_document() -> None:
    pair = RRPair.from_doc(http(body="secret", bodyBase64="aGk="))
    assert pair.request_body == b"hi"
    assert pair.doc["http"]["req"] == {"body": "secret"}
    assert pair.to_doc() == http(body="secret", bodyBase64="aGk=")
    pair.request_body = b"other"
    assert pair.to_doc()["http"]["req"]["body"] == "other"


@pytest.mark.parametrize("value", [None, 1, [], "x", {"req": [1], "res": None}])
def test_http_of_unexpected_types_is_kept(value: Any) -> None:
    pair = RRPair.from_doc({"http": value})
    pair.request_body = b"cannot be placed"
    again = pair.to_doc()["http"]
    assert again == value if not isinstance(value, dict) else again["req"] == [1]
    assert pair.http_response is None


def test_copies_share_nothing_mutable(pair: RRPair) -> None:
    twin = pair.copy()
    twin.doc["tags"]["new"] = "x"
    assert twin != pair
    assert "new" not in pair.tags


def test_a_shallow_copy_has_its_own_top(pair: RRPair) -> None:
    twin = pair.shallow()
    twin.doc["ts"] = "later"
    assert pair.doc["ts"] != "later"
    assert twin.to_doc()["http"] == pair.to_doc()["http"]


def test_frames_carry_bodies_as_bytes(pair: RRPair) -> None:
    frame = pair.to_frame()
    assert frame.request_body == b'{"b":1,"a":[]}'
    assert b"bodyBase64" not in frame.head
    again = RRPair.from_frame(frame)
    assert again.doc == pair.doc
    assert again.response_body == b"done\n"


def test_frames_of_other_protocols_have_no_bodies() -> None:
    again = RRPair.from_frame(RRPair({"postgres": {"n": 2**70, "s": "\ud800"}}).to_frame())
    assert again.request_body is None
    assert again.doc == {"postgres": {"n": 2**70, "s": "\ud800"}}


def test_tags_of_an_unexpected_type_are_not_replaced() -> None:
    pair = RRPair({"tags": ["a"]})
    assert pair.tags == {}
    assert pair.doc == {"tags": ["a"]}
    assert RRPair({}).tags == {}


def test_deep_documents_are_refused_and_not_crashed_on() -> None:
    with pytest.raises(jsontext.JsonError, match="nested deeper"):
        jsontext.parse(b'{"a":' * 300 + b"1" + b"}" * 300)
    assert jsontext.parse(b'{"a":' * 200 + b"1" + b"}" * 200)
    with pytest.raises(jsontext.JsonError, match="nested deeper"):
        jsontext.parse(b"[" * 100_000 + b"]" * 100_000)
    assert jsontext.parse(b"[" + b"[1]," * 1000 + b"9007199254740993123]")[-1] == 9007199254740993123


@pytest.mark.parametrize(
    ("text", "place"),
    [(b'{"a": tru}', (1, 7)), (b'{"a":1,\n "b":\xff}', (2, 6)), (b"", (1, 1)), (b'{"a":NaN}', (1, 1))],
)
def test_errors_in_json_name_line_and_column(text: bytes, place: tuple[int, int]) -> None:
    with pytest.raises(jsontext.JsonError) as caught:
        jsontext.parse(text)
    assert (caught.value.line, caught.value.column) == place
