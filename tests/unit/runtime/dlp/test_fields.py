"""Fields of a pair: what is yielded, where it stands, and that broken or hostile content is no trouble."""

from __future__ import annotations

import json
from typing import Any

import pytest

from speedscale_runtime.dlp.fields import MAX_DEPTH, MAX_FIELDS, Form, fields, is_value, json_path, pattern, place
from speedscale_runtime.rrpair import RRPair, paths


def pair(body: bytes = b"", kind: str = "application/json", **more: Any) -> RRPair:
    request = {"method": "POST", "uri": "/a", "headers": {"Content-Type": [kind], **more.pop("headers", {})}, **more}
    return RRPair({"location": "/a", "http": {"req": request, "res": {}}}, body, None)


def found(given: RRPair) -> dict[tuple[str, tuple[str | int, ...]], Any]:
    return {(f.part, f.path): f.value for f in fields(given) if f.form is not Form.SEGMENT}


def test_json_in_document_order_with_numbers_and_lists() -> None:
    body = b'{"user": {"mail": "a@b.cd", "ids": [7, {"x": null}]}, "ok": true}'
    assert list(found(pair(body)).items()) == [
        (("http.req.body", ("user", "mail")), "a@b.cd"),
        (("http.req.body", ("user", "ids", 0)), 7),
        (("http.req.body", ("user", "ids", 1, "x")), None),
        (("http.req.body", ("ok",)), True),
    ]


def test_forms_queries_headers_and_cookies() -> None:
    headers = {"Cookie": ["theme=dark; sid=abc"], "X-Customer": ["42"], "Accept": ["*/*"]}
    given = pair(
        b"name=Ada+L&x=%40", "application/x-www-form-urlencoded", headers=headers, queryParams={"q": ["1", "2"]}
    )
    assert found(given) == {
        ("http.req.queryParams", ("q",)): "2",
        ("http.req.cookies", ("theme",)): "dark",
        ("http.req.cookies", ("sid",)): "abc",
        ("http.req.headers", ("X-Customer", 0)): "42",
        ("http.req.body", ("name",)): "Ada L",
        ("http.req.body", ("x",)): "@",
    }


def test_attributes_of_set_cookie_are_no_fields() -> None:
    headers = {"Set-Cookie": ["sid=abc; Path=/; HttpOnly; Max-Age=60"]}
    given = RRPair({"http": {"req": {}, "res": {"headers": headers}}}, None, None)
    assert found(given) == {("http.res.cookies", ("sid",)): "abc"}


def test_xml_elements_and_attributes() -> None:
    given = pair(b'<p:a xmlns:p="urn:x"><b id="7">Ada</b><b>Bo</b></p:a>', "application/xml")
    assert found(given) == {
        ("http.req.body", ("a", 0, "b", "@id")): "7",
        ("http.req.body", ("a", 0, "b")): "Ada",
        ("http.req.body", ("a", 1, "b")): "Bo",
    }


@pytest.mark.parametrize(
    "body",
    [
        b'<!DOCTYPE a [<!ENTITY b "bbbb">]><a>&b;&b;</a>',
        b"<a><b></a>",
        b"plain words",
        b'{"broken": ',
    ],
)
def test_what_is_no_document_is_one_text(body: bytes) -> None:
    assert found(pair(body, "application/xml")) == {("http.req.body", ()): body.decode()}


def test_bytes_that_are_no_text_are_no_field() -> None:
    assert found(pair(bytes(range(256)) * 4, "application/octet-stream")) == {}


def test_what_a_protocol_said_is_read_and_what_the_record_says_is_not() -> None:
    doc = {
        "postgres": {"request": {"bind": {"parameters": [{"asString": "Ada"}]}}},
        "netinfo": {"downstream": {"ipAddress": "10.0.0.1"}},
        "tags": {"k8sAppLabel": "x"},
        "signature": {"postgres:query": "eA=="},
    }
    (field,) = fields(RRPair(doc))
    assert (field.part, field.path, field.name) == (
        "postgres",
        ("request", "bind", "parameters", 0, "asString"),
        "parameters",
    )


def test_depth_and_number_are_bounded() -> None:
    deep: Any = "x"
    for _ in range(MAX_DEPTH * 10):
        deep = [deep]
    assert found(pair(json.dumps({"deep": deep, "flat": 1}).encode())) == {("http.req.body", ("flat",)): 1}
    many = json.dumps(list(range(MAX_FIELDS * 2))).encode()
    assert sum(1 for _ in fields(pair(many))) == MAX_FIELDS


@pytest.mark.parametrize(
    "name",
    [
        "ada@example.com",
        "6f1f7e5a-1c9d-4b49-b5ab-7ac4db2f4a0e",
        "20260612",
        "4711",
        "x" * 60,
        "REDACTED-EMAIL-0123456789abcdef0123",
    ],
)
def test_names_that_are_values(name: str) -> None:
    assert is_value(name)
    assert pattern(("users", name, 3)) == ("users", "*", "*")


@pytest.mark.parametrize("name", ["email", "address2", "first_name", "v1", "prénom"])
def test_names_that_are_names(name: str) -> None:
    assert not is_value(name)


@pytest.mark.parametrize(
    ("path", "written"),
    [
        (("user", "mail"), "user.mail"),
        (("items", "*", "a.b"), "items[*].a\\.b"),
        (("*", "accountNumber"), "[*].accountNumber"),
        (("a", ""), 'a.[""]'),
    ],
)
def test_json_paths_find_what_they_were_made_of(path: tuple[str, ...], written: str) -> None:
    assert json_path(path) == written
    doc: Any = "here"
    for part in reversed(path):
        doc = [doc] if part == "*" else {part: doc}
    assert [m.value for m in paths.find(doc, json_path(path))] == ["here"]


def test_places_are_written_like_those_of_findings() -> None:
    assert place("http.res.body", Form.JSON, ("items", "*", "x")) == "http.res.body:$.items[*].x"
    assert place("http.req.headers", Form.HEADER, ("X-A", "*")) == "http.req.headers.X-A"
    assert place("http.req.body", Form.XML, ("a", "*", "b", "@id")) == "http.req.body/a/b/@id"
    assert place("postgres", Form.PROTOCOL, ("request", "*")) == "postgres.request[*]"
    assert place("http.res.body", Form.TEXT, ()) == "http.res.body"
