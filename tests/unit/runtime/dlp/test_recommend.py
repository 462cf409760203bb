"""Recommendations: that each one, accepted, takes out just the field it names, live requests included."""

from __future__ import annotations

import copy
import gzip
import json
from typing import Any
from urllib.parse import urlencode

import pytest

from speedscale_runtime import filters
from speedscale_runtime.dlp import KeyRing, Redactor, builtin, compile_rule, recommend
from speedscale_runtime.dlp.coverage import Confidence, Coverage
from speedscale_runtime.rrpair import RRPair
from speedscale_runtime.rrpair.unpacking import unpack
from speedscale_schemas import validation
from speedscale_schemas.errors import ConfigError

JSON = {"Content-Type": ["application/json"]}
FORM = {"Content-Type": ["application/x-www-form-urlencoded"]}
XML = {"Content-Type": ["application/xml"]}


def pair(
    location: str = "/people",
    *,
    request: bytes | None = None,
    response: bytes | None = None,
    req: dict[str, list[str]] | None = None,
    res: dict[str, list[str]] | None = None,
    **more: Any,
) -> RRPair:
    message = {"method": "POST", "uri": location, "url": location, "headers": req or JSON, **more}
    doc = {
        "l7protocol": "http",
        "command": "POST",
        "location": location,
        "http": {"req": message, "res": {"statusCode": 200, "headers": res or JSON}},
    }
    return RRPair(doc, request, response)


def proposed(redactor: Redactor, *pairs: RRPair, minimum: Confidence = Confidence.MEDIUM) -> dict[str, Any]:
    coverage = Coverage(redactor)
    for given in pairs:
        coverage.add(given)
    return recommend.recommend(coverage.report(), minimum)


NARROW = {"id": "narrow", "discover_patterns": True, "detectors": {"enable": ["email"]}}  # compiles at once


@pytest.fixture(scope="module")
def narrow(keys: KeyRing) -> Redactor:
    return compile_rule(NARROW, keys)


def accepted(document: dict[str, Any], keys: KeyRing) -> Redactor:
    rule = recommend.starting_rule(NARROW, "mine")
    recommend.merge(rule, recommend.chosen(document))
    return compile_rule(rule, keys, compile_filter=lambda spec: filters.compile_rule(spec).matches)


def shown(given: RRPair) -> str:
    plain = given.copy()
    unpack(plain)
    return json.dumps(plain.to_doc())


SECRET = "qwertz_uiop7"
CASES = {
    "json body of an answer": pair(response=json.dumps({"users": [{"nickname": SECRET}]}).encode()),
    "json body of a request": pair(request=json.dumps([{"nickname": SECRET}]).encode()),
    "name with a dot": pair(response=json.dumps({"a.b": {"nick name": SECRET}}).encode()),
    "form": pair(request=urlencode({"nickname": SECRET}).encode(), req=FORM),
    "xml element": pair(response=f"<a><nickname>{SECRET}</nickname></a>".encode(), res=XML),
    "xml attribute": pair(response=f'<a nickname="{SECRET}"/>'.encode(), res=XML),
    "header": pair(req={"X-Nickname": [SECRET]}),
    "header of an answer": pair(res={"X-Nickname": [SECRET]}),
    "cookie": pair(req={"Cookie": [f"theme=dark; nickname={SECRET}"]}),
    "set-cookie": pair(res={"Set-Cookie": [f"nickname={SECRET}; Path=/"]}),
    "query": pair(queryParams={"nickname": [SECRET]}, uri=f"/people?nickname={SECRET}", url="/people"),
    "body that a recorder unpacked": pair(
        response=json.dumps({"nickname": SECRET}).encode(), res={**JSON, "Content-Encoding": ["gzip"]}
    ),
    "packed body": pair(
        response=gzip.compress(json.dumps({"nickname": SECRET}).encode(), mtime=0),
        res={**JSON, "Content-Encoding": ["gzip"]},
    ),
    "id in the path": pair("/people/4711/x", response=json.dumps({"nickname": SECRET}).encode()),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_accepted_takes_the_field_out(case: str, narrow: Redactor, keys: KeyRing) -> None:
    given = CASES[case]
    assert SECRET in shown(narrow.redact_pair(given).pair)
    document = proposed(narrow, given)
    assert len(document["recommendations"]) == 1
    assert validation.check(recommend.KIND, document) == []
    assert SECRET not in json.dumps(document)
    tightened = accepted(document, keys)
    once = tightened.redact_pair(given).pair
    assert SECRET not in shown(once)
    twice = tightened.redact_pair(once).pair
    assert twice.to_doc() == once.to_doc()
    assert proposed(tightened, given)["recommendations"] == []


def test_what_is_not_named_stays(narrow: Redactor, keys: KeyRing) -> None:
    given = pair(response=json.dumps({"nickname": SECRET, "colour": "blue", "n": 7}).encode())
    out = accepted(proposed(narrow, given), keys).redact_pair(given).pair.response_body or b""
    body = json.loads(out)
    assert body["nickname"].startswith("REDACTED-")
    assert (body["colour"], body["n"]) == ("blue", 7)


def test_the_same_report_gives_the_same_bytes_and_ids(narrow: Redactor) -> None:
    pairs = list(CASES.values())
    first, second = proposed(narrow, *pairs), proposed(narrow, *reversed(pairs))
    assert json.dumps(first) == json.dumps(second)
    ids = [e["id"] for e in first["recommendations"]]
    assert len(ids) == len(set(ids))


def test_a_live_request_is_redacted_like_the_recorded_one(narrow: Redactor, keys: KeyRing) -> None:
    recorded = pair("/people/4711", request=json.dumps({"nickname": SECRET}).encode())
    tightened = accepted(proposed(narrow, recorded), keys)
    live = pair("/people/4712", request=json.dumps({"nickname": SECRET}).encode())
    live.doc |= {"direction": "OUT", "service": "my-app", "l7protocol": "https"}
    assert tightened.redact_request(live).pair.request_body == tightened.redact_pair(recorded).pair.request_body


def test_statements_of_databases_are_reached_by_their_place(narrow: Redactor, keys: KeyRing) -> None:
    row = {"dataRow": {"values": [{"asString": SECRET}], "nickname": SECRET}}
    given = RRPair({"l7protocol": "postgres", "command": "Query", "location": "SELECT 1",
                    "postgres": {"response": {"query": {"messages": [row]}}}})  # fmt: skip
    tightened = accepted(proposed(narrow, given), keys)
    text = json.dumps(tightened.redact_pair(given).pair.doc)
    assert '"nickname": "REDACTED-' in text


@pytest.fixture
def document(narrow: Redactor) -> dict[str, Any]:
    body = json.dumps({"nickname": SECRET, "customerNumber": "C-7714", "gender": "f"}).encode()
    return proposed(narrow, pair(response=body))


def test_what_is_marked_is_left_and_what_is_named_is_taken(document: dict[str, Any]) -> None:
    first, second = document["recommendations"]
    first["accept"] = False
    assert recommend.chosen(document) == [second]
    assert recommend.chosen(document, [first["id"]]) == [first]
    with pytest.raises(ConfigError, match="did you mean 'dlp-"):
        recommend.chosen(document, [first["id"][:-1] + "z"])


def test_accepting_twice_changes_nothing(document: dict[str, Any]) -> None:
    rule = recommend.starting_rule(builtin("standard"), "mine")
    added, there = recommend.merge(rule, recommend.chosen(document))
    assert (len(added), there) == (2, [])
    before = copy.deepcopy(rule)
    assert recommend.merge(rule, recommend.chosen(document)) == ([], added)
    assert rule == before


def test_a_protected_rule_is_not_changed(document: dict[str, Any]) -> None:
    for rule in ({"id": "standard"}, {"id": "x", "protected": True}):
        with pytest.raises(ConfigError, match="is protected: accept into a rule of your own"):
            recommend.merge(rule, recommend.chosen(document))


def test_another_entry_of_the_same_id_is_refused(document: dict[str, Any]) -> None:
    rule: dict[str, Any] = {"id": "mine"}
    recommend.merge(rule, recommend.chosen(document))
    rule["transforms"][0]["extractor"] = {"type": "session"}
    with pytest.raises(ConfigError, match="another entry of that id"):
        recommend.merge(rule, recommend.chosen(document))


def test_one_detector_by_name_serves_several_fields(narrow: Redactor, keys: KeyRing) -> None:
    pairs = [CASES["form"], CASES["xml element"], CASES["xml attribute"]]
    document = proposed(narrow, *pairs)
    rule = recommend.starting_rule(builtin("standard"), "mine")
    recommend.merge(rule, recommend.chosen(document))
    assert [c["keys"] for c in rule["custom"]] == [["nickname"]]


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ([], "object"),
        ({"rule": "standard"}, "recommendations"),
        ({"rule": "standard", "recommendations": [{"id": "a"}]}, "add"),
        ({"rule": "standard", "recommendations": [{"id": "a", "add": {"disable": ["x"]}}]}, "disable"),
    ],
)
def test_a_file_that_is_none_is_refused(broken: object, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        recommend.check(broken, source="x.yaml")
