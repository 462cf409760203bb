"""The six assertions of a test config."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from speedscale_runtime.report.answer import Answer, understand
from speedscale_runtime.report.assertions import TYPES, compile_groups
from speedscale_runtime.report.volatile import Learnt
from speedscale_runtime.rrpair import RRPair
from speedscale_schemas.errors import ConfigError


def answer(status: int = 200, body: Any = b"", **headers: Any) -> Answer:
    data = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    named = {k.replace("_", "-"): v if isinstance(v, list) else [v] for k, v in headers.items()}
    return Answer(status, named, data)


def check(kind: str, config: dict[str, Any], a: Answer, b: Answer) -> tuple[bool, list[tuple[str, str]]]:
    suite = compile_groups([{"configs": [{"type": kind, "config": config}]}])
    (outcome,) = suite.check(RRPair({}), a, b, Learnt())
    assert all(d.assertion == kind for d in outcome.differences)
    return outcome.passed, [(d.path, d.kind) for d in outcome.differences]


def test_status_code() -> None:
    assert check("httpStatusCode", {}, answer(200), answer(200)) == (True, [])
    assert check("httpStatusCode", {}, answer(200), answer(503)) == (False, [("status", "changed")])


def test_headers_of_the_list_count_whatever_their_case() -> None:
    a, b = answer(ETag="x", Server="one", X_Id=["1", "2"]), answer(etag="y", Server="two", x_id=["1", "2"])
    assert check("httpHeaders", {"headers": "ETAG, X-Id"}, a, b) == (False, [("etag", "changed")])
    assert check("httpHeaders", {"headers": "X-Id"}, a, b) == (True, [])


def test_without_a_list_all_but_the_headers_of_the_moment_count() -> None:
    a = answer(Date="Fri, 02 Jan 2026 03:04:05 GMT", Cache_Control="no-store", Vary="Origin")
    b = answer(Date="Sat, 03 Jan 2026 03:04:05 GMT", Cache_Control="public", X_New="1")
    passed, found = check("httpHeaders", {}, a, b)
    assert not passed
    assert found == [("cache-control", "changed"), ("vary", "missing"), ("x-new", "added")]


def test_cookies_are_compared_by_value_and_attribute() -> None:
    a = answer(
        Set_Cookie=[
            "sid=a8Fk2xQ97bLm3Zt5Rw1Yc6Vd; Path=/; HttpOnly; Expires=Fri, 02 Jan 2026 03:04:05 GMT",
            "theme=dark",
        ]
    )
    b = answer(
        Set_Cookie=[
            "sid=z1Gh7kPq48vNb2Xs6Tf9Wd3J; Path=/; Expires=Sat, 03 Jan 2026 03:04:05 GMT",
            "theme=light",
            "new=1",
        ]
    )
    passed, found = check("httpResponseCookies", {}, a, b)
    assert not passed
    assert found == [
        ("sid", "volatile"),
        ("sid; httponly", "missing"),
        ("sid; expires", "volatile"),
        ("theme", "changed"),
        ("new", "added"),
    ]
    assert check("httpResponseCookies", {"cookies": "sid", "ignore": "sid"}, a, b) == (True, [])


@pytest.mark.parametrize(
    ("a", "b", "passed"),
    [
        ("application/json", "application/json; charset=utf-8", True),
        ("application/json", "Application/JSON", True),
        ("text/html; charset=utf-8", "text/html; charset=iso-8859-1", False),
        ("application/json", "text/html", False),
        ("", "", True),
    ],
)
def test_content_type(a: str, b: str, passed: bool) -> None:
    assert check("httpResponseContentType", {}, answer(Content_Type=a), answer(Content_Type=b))[0] is passed


def test_bodies_with_another_coding_or_layout_are_equal() -> None:
    a = answer(body=gzip.compress(b'{"a": 1, "b": [1, 2]}', mtime=0), Content_Encoding="gzip")
    b = answer(body=b'{"b":[1,2],"a":1}')
    assert check("httpResponseBody", {}, a, b) == (True, [])


def test_a_body_that_a_recorder_decoded_already_is_taken_as_it_is() -> None:
    a = answer(body=b'{"a":1}', Content_Encoding="gzip")
    assert check("httpResponseBody", {}, a, answer(body=b'{"a": 1}')) == (True, [])


def test_new_keys_pass_unless_forbidden() -> None:
    a, b = answer(body={"a": 1}), answer(body={"a": 1, "b": 2})
    assert check("httpResponseBody", {}, a, b) == (True, [("b", "added")])
    assert check("httpResponseBody", {"allowNew": "false"}, a, b) == (False, [("b", "added")])


def test_volatile_values_fail_only_when_exact() -> None:
    a, b = answer(body={"at": "2026-01-01T00:00:00Z"}), answer(body={"at": "2026-02-02T00:00:00Z"})
    assert check("httpResponseBody", {}, a, b) == (True, [("at", "volatile")])
    assert check("httpResponseBody", {"matchType": "exact"}, a, b) == (False, [("at", "volatile")])


def test_types_alone_count_when_asked() -> None:
    a = answer(body={"n": 1, "s": "x"})
    assert check("httpResponseBody", {"matchType": "true"}, a, answer(body={"n": 2, "s": "y"}))[0]
    assert not check("httpResponseBody", {"matchType": "true"}, a, answer(body={"n": "2", "s": "y"}))[0]


def test_match_all_shows_everything_and_fails_nothing() -> None:
    passed, found = check("httpResponseBody", {"matchAll": "true"}, answer(body={"a": 1}), answer(body={"a": 2}))
    assert passed
    assert found == [("a", "changed")]


def test_xml_is_compared_by_element_and_text_by_line() -> None:
    a = answer(body="<o><id>1</id><n>x</n></o>", Content_Type="application/xml")
    b = answer(body="<o>\n  <id>1</id>\n  <n>y</n>\n</o>", Content_Type="application/xml")
    assert check("httpResponseBody", {}, a, b) == (False, [("line 3", "changed")])
    c, d = answer(body="one\ntwo", Content_Type="text/plain"), answer(body="one\ntwo\nthree", Content_Type="text/plain")
    assert check("httpResponseBody", {}, c, d) == (False, [("line 3", "added")])


def test_binary_bodies_are_compared_by_their_bytes() -> None:
    a, b = answer(body=b"\x00\x01\xff"), answer(body=b"\x00\x01\xfe")
    assert check("httpResponseBody", {}, a, a) == (True, [])
    assert check("httpResponseBody", {}, a, b) == (False, [("$", "changed")])


def test_a_body_of_another_kind_or_none_at_all_fails() -> None:
    assert check("httpResponseBody", {}, answer(body={"a": 1}), answer(body="<html>", Content_Type="text/html"))[1] == [
        ("$", "type")
    ]
    assert check("httpResponseBody", {}, answer(body={"a": 1}), answer()) == (False, [("$", "missing")])


def test_the_schema_knows_keys_and_types_and_lets_arrays_grow() -> None:
    a = answer(body={"items": [{"id": 1, "tag": None}, {"id": 2, "tag": "x"}], "n": 1})
    assert check("httpResponseSchema", {}, a, answer(body={"items": [{"id": 9, "tag": "y"}] * 5, "n": 7})) == (True, [])
    assert check("httpResponseSchema", {}, a, answer(body={"items": [{"id": "9", "tag": "y"}], "n": 7})) == (
        False,
        [("items[].id", "type")],
    )
    assert check("httpResponseSchema", {}, a, answer(body={"items": [{"id": 9, "tag": "y"}]})) == (
        False,
        [("n", "missing")],
    )
    assert check("httpResponseSchema", {}, a, answer(body={"items": [{"id": 1}, {"id": 2, "tag": "x"}], "n": 1})) == (
        False,
        [("items[].tag", "missing")],
    )
    assert check("httpResponseSchema", {"matchType": "false"}, a, answer(body={"items": [], "n": "1"}))[0]


def test_large_integers_keep_their_digits() -> None:
    a, b = answer(body=b'{"id": 12345678901234567890123}'), answer(body=b'{"id": 12345678901234567890124}')
    assert not check("httpResponseBody", {}, a, b)[0]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "empty"),
        (b"  ", "empty"),
        (b"{}", "json"),
        (b"{", "text"),
        (b"\xff\x00", "binary"),
        (b"nope", "text"),
        (b"[" * 100_000, "text"),
    ],
)
def test_a_body_is_what_its_bytes_say(body: bytes, kind: str) -> None:
    assert understand(body, "").kind == kind


def test_every_mistake_in_a_config_is_named_at_once() -> None:
    groups = [
        {"configs": [{"type": "httpStatuscode"}, {"type": "httpResponseBody", "config": {"ingore": "a"}}]},
        {"configs": [{"type": "httpResponseBody", "config": {"allowNew": "perhaps"}}]},
    ]
    with pytest.raises(ConfigError) as caught:
        compile_groups(groups)
    first, second, third = caught.value.problems
    assert "did you mean 'httpStatusCode'?" in first
    assert "did you mean 'ignore'?" in second
    assert "assertionGroups[1].configs[0].config.allowNew: 'perhaps': expected true or false" in third


def test_a_group_applies_to_the_pairs_of_its_filter() -> None:
    rule = {"operator": "AND", "filters": [{"include": True, "operator": "CONTAINS", "detectedLocation": "/orders"}]}
    suite = compile_groups([{"filters": rule, "configs": [{"type": "httpStatusCode"}]}])
    orders, other = RRPair({"location": "/orders/1"}), RRPair({"location": "/carts/1"})
    assert suite.names(orders) == ["httpStatusCode"]
    assert suite.names(other) == []
    assert suite.check(other, answer(200), answer(500), Learnt()) == []


def test_all_public_types_exist() -> None:
    assert set(TYPES) == {
        "httpStatusCode",
        "httpHeaders",
        "httpResponseCookies",
        "httpResponseBody",
        "httpResponseSchema",
        "httpResponseContentType",
    }


def test_what_is_said_about_keys_does_not_hold_for_lines() -> None:
    a, b = answer(body="one", Content_Type="text/plain"), answer(body="two", Content_Type="text/plain")
    assert not check("httpResponseBody", {"includeOnly": "name"}, a, b)[0]
    assert not check("httpResponseBody", {"ignore": "line"}, a, b)[0]


def test_an_ignored_key_inside_an_array_is_left_out_of_schemas_too() -> None:
    a, b = answer(body={"items": [{"id": 1}]}), answer(body={"items": [{"id": "1"}]})
    assert check("httpResponseSchema", {"ignore": "items.id"}, a, b)[0]
