"""What a person is told about a bad document, keyword by keyword."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from speedscale_schemas import validation
from speedscale_schemas.errors import ConfigError
from speedscale_schemas.formats import FORMATS
from speedscale_schemas.wording import Problem, problems


def told(schema: dict[str, Any], document: object, source: str = "f.json") -> list[str]:
    validator = Draft202012Validator(schema, format_checker=FORMATS)
    return [str(p) for p in problems(validator.iter_errors(document), document, source)]


@pytest.mark.parametrize(
    ("schema", "document", "message"),
    [
        ({"type": "string"}, 1, "1: expected string, found integer"),
        ({"type": "string"}, True, "true: expected string, found boolean"),
        ({"type": ["string", "null"]}, [], "[]: expected string or null, found array"),
        ({"type": "object"}, None, "null: expected object, found null"),
        ({"enum": ["info", "warn"]}, "inof", "\"inof\": expected one of info, warn; did you mean 'info'?"),
        ({"const": 3}, 4, "4: expected 3"),
        ({"minimum": 1}, 0, "0: expected 1 or more"),
        ({"maximum": 65535}, 70000, "70000: expected 65535 or less"),
        ({"exclusiveMinimum": 0}, 0, "0: expected more than 0"),
        ({"exclusiveMaximum": 1}, 1, "1: expected less than 1"),
        ({"multipleOf": 2}, 3, "3: expected a multiple of 2"),
        ({"minLength": 2}, "a", '"a": expected at least 2 characters, found 1'),
        ({"maxLength": 2}, "abc", '"abc": expected at most 2 characters, found 3'),
        ({"minItems": 1}, [], "[]: expected at least 1 items, found 0"),
        ({"maxItems": 1}, [1, 2], "[1, 2]: expected at most 1 items, found 2"),
        ({"minProperties": 1}, {}, "{}: expected at least 1 keys, found 0"),
        ({"uniqueItems": True}, [1, 1], "[1, 1]: expected each item once"),
        (
            {"pattern": "^[a-z]+$", "examples": ["abc"]},
            "A1",
            '"A1": expected text that matches ^[a-z]+$, for example "abc"',
        ),
        ({"format": "date-time"}, "yesterday", '"yesterday": expected the format date-time'),
        ({"format": "uri"}, "not a uri", '"not a uri": expected the format uri'),
        ({"format": "regex"}, "(", '"(": expected the format regex'),
        ({"format": "ipv4"}, "1.2.3", '"1.2.3": expected the format ipv4'),
        ({"format": "ipv6"}, "::g", '"::g": expected the format ipv6'),
        ({"format": "uuid"}, "1", '"1": expected the format uuid'),
        ({"format": "date"}, "2026-02-30", '"2026-02-30": expected the format date'),
        ({"anyOf": [{"type": "string"}, {"type": "array"}]}, 5, "5: expected string or array, found integer"),
        (
            {"anyOf": [{"required": ["a"]}, {"required": ["b", "c"]}]},
            {},
            "{}: expected one of the keys 'a', 'b' with 'c'",
        ),
        ({"oneOf": [{"const": "x"}, {"enum": ["y"]}]}, "z", '"z": expected one of x, y'),
        (
            {"oneOf": [{"minimum": 0}, {"maximum": 9}]},
            5,
            "5: fits several alternatives where exactly one is allowed",
        ),
        ({"not": {"type": "string"}}, "a", '"a": this combination is not allowed'),
        ({"contains": {"const": 1}}, [2], "[2]: none of the items is as required"),
        (
            {"required": ["id"], "properties": {"id": {"description": "Name of the rule."}}},
            {"Id": "x"},
            "key 'id' is missing (Name of the rule); is 'Id' meant to be it?",
        ),
        (
            {"additionalProperties": False, "properties": {"filters": {}, "operator": {}}},
            {"filter": 1},
            "'filter': unknown key; known are filters, operator; did you mean 'filters'?",
        ),
        ({"additionalProperties": False}, {"a": 1}, "'a': unknown key; none is allowed here"),
        ({"type": "string", "writeOnly": True}, 12345, "(hidden): expected string, found integer"),
    ],
)
def test_wording(schema: dict[str, Any], document: object, message: str) -> None:
    (line,) = told(schema, document)
    assert line.endswith(message)
    assert line.startswith("f.json: ")


@pytest.mark.parametrize(
    ("fmt", "good"),
    [
        ("date-time", "2026-06-14T00:05:01.521470048Z"),
        ("date-time", "2026-06-14T00:05:01+02:00"),
        ("uri", "https://example.com/a?b=c"),
        ("regex", "^a+$"),
        ("ipv4", "10.0.0.1"),
        ("ipv6", "::1"),
        ("uuid", "7c9e6679-7425-40de-944b-e07fc1f90ae7"),
        ("date", "2026-02-28"),
        ("made-up", "anything"),
        ("date-time", 5),
    ],
)
def test_good_formats_pass(fmt: str, good: object) -> None:
    assert told({"format": fmt}, good) == []


def test_paths_and_document_order() -> None:
    schema = {
        "properties": {"b": {"items": {"properties": {"n": {"type": "integer"}}}}, "a": {"type": "string"}},
    }
    lines = told(schema, {"b": [{"n": 1}, {"n": "x"}], "a": 2})
    assert lines == [
        'f.json: b[1].n: "x": expected integer, found string',
        "f.json: a: 2: expected string, found integer",
    ]


def test_every_unknown_key_is_told_on_its_own() -> None:
    lines = told({"additionalProperties": False, "properties": {"one": {}}}, {"on": 1, "two": 2})
    assert [line.split(": ")[1] for line in lines] == ["on", "two"]


def test_the_branch_that_was_meant_is_told() -> None:
    branches = [
        {"properties": {"type": {"const": "csv"}, "path": {"type": "string"}}, "required": ["type", "path"]},
        {"properties": {"type": {"const": "date"}, "layout": {"type": "string"}}, "required": ["type", "layout"]},
    ]
    (line,) = told({"oneOf": branches}, {"type": "date", "layout": 1})
    assert line == "f.json: layout: 1: expected string, found integer"


def test_a_long_value_is_cut() -> None:
    (line,) = told({"type": "integer"}, "x" * 500)
    assert len(line) < 130
    assert "…" in line


def test_problems_without_a_source() -> None:
    assert str(Problem("", "a", "1", "expected string")) == "a: 1: expected string"
    assert str(Problem("", "", "1", "expected string")) == "(root): 1: expected string"


def test_unknown_kind_names_the_known_ones() -> None:
    with pytest.raises(KeyError, match="rrpair"):
        validation.schema("rrpairs")


def test_check_uses_the_schema_of_the_kind() -> None:
    assert validation.check("rrpair", {"direction": "IN", "unknown": [1]}) == []
    (problem,) = validation.check("rrpair", {"direction": 1}, source="p.json")
    assert str(problem) == "p.json: direction: 1: expected string, found integer"


def test_load_names_the_line() -> None:
    text = '{\n  "msgType": "rrpair",\n  "tags": {\n    "a": "b",\n    "c\\u0064": [1]\n  },\n  "uuid": 5\n}'
    with pytest.raises(ConfigError) as caught:
        validation.load("rrpair", text, source="x.json")
    assert [p.split(" ")[0:2] for p in caught.value.problems] == [
        ["x.json:5:", "tags.cd:"],
        ["x.json:7:", "uuid:"],
    ]


def test_load_returns_a_good_document() -> None:
    assert validation.load("rrpair", b'\xef\xbb\xbf{"direction":"IN"}', source="x") == {"direction": "IN"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'{"a": 1,}', "x.json:1:9: expected JSON: "),
        (b'{\n"a" 1}', "x.json:2:5: expected JSON: "),
        (b"\xff", "x.json: byte 0 is no UTF-8"),
        (b"[" * 5000, "x.json: expected JSON"),
    ],
)
def test_load_refuses_what_is_no_json(text: bytes, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        validation.load("rrpair", text, source="x.json")
    assert str(caught.value).startswith(message)


def test_lines_of_nested_arrays() -> None:
    from speedscale_schemas.positions import lines

    text = json.dumps({"a": [1, [2, {"b": None}]], "c": "x:{,}"}, indent=1)
    found = lines(text)
    rows = text.split("\n")
    assert '"b": null' in rows[found[("a", 1, 1, "b")] - 1]
    assert rows[found[("a", 1, 0)] - 1].strip() == "2,"
    assert '"c"' in rows[found[("c",)] - 1]
