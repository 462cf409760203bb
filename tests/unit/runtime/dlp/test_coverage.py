"""The coverage report: what is suspected, how sure, and that no value ever gets into it."""

from __future__ import annotations

import gzip
import json
import random
from dataclasses import asdict
from typing import Any

import pytest

from speedscale_runtime.dlp import KeyRing, Redactor, compile_rule
from speedscale_runtime.dlp import coverage as module
from speedscale_runtime.dlp.coverage import Confidence, Coverage, Report, Suspect
from speedscale_runtime.dlp.coverage_looks import Look, look, shape
from speedscale_runtime.dlp.coverage_names import concept
from speedscale_runtime.rrpair import RRPair


def answer(document: Any, location: str = "/people", **headers: list[str]) -> RRPair:
    res = {"statusCode": 200, "headers": {"Content-Type": ["application/json"], **headers}}
    req = {"method": "GET", "uri": location, "headers": {}}
    doc = {"l7protocol": "http", "command": "GET", "location": location, "http": {"req": req, "res": res}}
    return RRPair(doc, None, json.dumps(document).encode())


def report(redactor: Redactor, *pairs: RRPair, judge: Redactor | None = None) -> Report:
    made = Coverage(redactor, judge.engine if judge else None)
    for pair in pairs:
        made.add(pair)
    return made.report()


def suspects(found: Report) -> dict[str, Suspect]:
    return {s.spot.place: s for s in found.suspects}


PEOPLE = [
    {"id": i, "username": f"{name}_{i}", "memberNumber": str(235116033191 + i * 7919), "email": f"{name}@example.com"}
    for i, name in enumerate(("ada", "bo", "cyd", "dee", "eve", "fay"))
]


def test_what_is_redacted_is_no_suspect_and_what_is_left_under_a_telling_name_is(standard: Redactor) -> None:
    found = report(standard, *(answer({"users": [p]}) for p in PEOPLE))
    by_place = suspects(found)
    assert (found.pairs, found.redacted) == (6, 1)
    assert "http.res.body:$.users[*].email" not in by_place
    account = by_place["http.res.body:$.users[*].memberNumber"]
    assert (account.confidence, account.kind) == (Confidence.HIGH, "PERSON_ID")
    assert (account.values, account.redacted, account.distinct, account.shape) == (6, 0, 6, "9")
    assert by_place["http.res.body:$.users[*].username"].confidence is Confidence.HIGH
    assert "http.res.body:$.users[*].id" not in by_place


def test_bodies_are_looked_into_where_they_are_packed(standard: Redactor) -> None:
    pair = answer({}, **{"Content-Encoding": ["gzip"]})
    pair.response_body = gzip.compress(json.dumps(PEOPLE).encode())
    before = pair.response_body
    assert "http.res.body:$[*].username" in suspects(report(standard, pair))
    assert pair.response_body == before
    assert "decoded" not in pair.doc.get("tags", {})


def test_a_narrow_rule_is_judged_by_the_standard_one(standard: Redactor, keys: KeyRing) -> None:
    narrow = compile_rule({"id": "n", "discover_patterns": True, "detectors": {"enable": ["card"]}}, keys)
    pair = answer({"contact": "ada@example.com", "ssn": "536-22-1234", "colour": "blue", "token_count": 123456789})
    by_place = suspects(report(narrow, pair, judge=standard))
    assert by_place["http.res.body:$.contact"].kind == "EMAIL"
    assert "the rule standard would take 1 of its values for EMAIL" in by_place["http.res.body:$.contact"].because
    assert by_place["http.res.body:$.ssn"].confidence is Confidence.HIGH
    assert "http.res.body:$.colour" not in by_place


def test_a_field_that_is_redacted_only_in_part_is_told(keys: KeyRing) -> None:
    rule = {"id": "n", "discover_patterns": True, "detectors": {"enable": ["email"]}}
    pairs = [answer({"handle": v}) for v in ("ada@example.com", "bo_li", "cyd_x")]
    (found,) = report(compile_rule(rule, keys), *pairs).suspects
    assert (found.redacted, found.values, found.confidence) == (1, 3, Confidence.HIGH)
    assert "1 of its 3 values are redacted, the others are not" in found.because


@pytest.mark.parametrize(
    "document",
    [
        {"status": "active", "count": 12, "created_at": "2026-01-15T18:45:59Z", "id": 7},
        {"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "uuid": "6f1f7e5a-1c9d-4b49-b5ab-7ac4db2f4a0e"},
        {"emailVerified": True, "username": "", "password_policy": "strict", "account_type": "CHECKING"},
        {"ts": 1760021021, "ts_ms": 1760021021703, "version": "1.2.3", "amount": 249.95, "currency": "USD"},
    ],
)
def test_ordinary_fields_are_not_suspected(standard: Redactor, document: dict[str, Any]) -> None:
    found = report(standard, *(answer(document) for _ in range(12)))
    assert [s.spot.place for s in found.of(Confidence.MEDIUM)] == []


def test_places_are_gathered_by_endpoint_whatever_ids_are_in_the_path(standard: Redactor) -> None:
    pairs = [answer({"username": f"n{i}"}, f"/people/{4711 + i}/profile") for i in range(4)]
    found = report(standard, *pairs)
    assert {str(s.spot.endpoint) for s in found.suspects} == {"GET /people/*/profile"}
    assert suspects(found)["http.res.body:$.username"].values == 4


def test_the_order_of_pairs_makes_no_difference(standard: Redactor) -> None:
    pairs = [answer({"users": [p], "note": f"{p['username']} wrote a very long note about things"}) for p in PEOPLE]
    shuffled = random.Random(4).sample(pairs, len(pairs))
    assert report(standard, *pairs) == report(standard, *shuffled)


def test_no_value_is_in_a_report(standard: Redactor, traffic: Any) -> None:
    made = Coverage(standard)
    planted: list[str] = []
    for sample in traffic.samples(11, 60):
        made.add(RRPair.from_frame(sample.frame))
        planted += sample.planted
    for person in PEOPLE:
        made.add(answer(person))
    text = json.dumps([asdict(s) for s in made.report().suspects])
    assert "memberNumber" in text
    own = [str(p[k]) for p in PEOPLE for k in ("username", "memberNumber", "email")]
    assert [v for v in {*planted, *own} if len(v) > 3 and v in text] == []


def test_names_that_are_values_are_not_shown(standard: Redactor) -> None:
    found = report(standard, answer({"by_number": {"0049301234567": {"username": "ada"}}}))
    assert "http.res.body:$.by_number[*].username" in suspects(found)


def test_memory_is_bounded_and_what_does_not_fit_is_counted(
    standard: Redactor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_FIELDS", 3)
    monkeypatch.setattr(module, "MAX_DISTINCT", 5)
    found = report(standard, *(answer({"username": f"u{i}", "b": 1, "c": 2, "d": 3}) for i in range(9)))
    assert (found.fields, found.overflow) == (3, 9)
    assert suspects(found)["http.res.body:$.username"].distinct == 5


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("Ada Lovelace", Look.PERSON_NAME),
        ("Zoë O’Brien-Müller", Look.PERSON_NAME),
        ("Visual studio", None),
        ("kJ8#", None),
        ("xK92mQpL77vTz0BwRf3YhD", Look.OPAQUE),
        ("the-quick-brown-fox-jumps", None),
        ("6f1f7e5a-1c9d-4b49-b5ab-7ac4db2f4a0e", None),
        ("5d41402abc4b2a76b9719d911017c592", None),
        ("235116033191", Look.LONG_NUMBER),
        (235116033191, Look.LONG_NUMBER),
        (1760021021703, None),
        ("1984-02-29", Look.OLD_DATE),
        ("29/02/1984", Look.OLD_DATE),
        ("2026-01-15", None),
        (52.520008, Look.COORDINATE),
        (249.95, None),
        ("please call me back before the end of May", Look.FREE_TEXT),
        ("", None),
    ],
)
def test_looks(value: str | int | float, wanted: Look | None) -> None:
    assert look(value) is wanted


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("Ada Lovelace", "Aa Aa"),
        ("Bo Li", "Aa Aa"),
        (-12.5, "-9.9"),
        ("a@b.cd", "a@a.a"),
        ("Łódź 7", "Aa 9"),
        ("日本", "a"),
    ],
)
def test_shapes_keep_classes_and_no_lengths(value: str | float, wanted: str) -> None:
    assert shape(value) == wanted


def test_shapes_are_short() -> None:
    assert len(shape("a1" * 500)) <= 41


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("accountNumber", "ACCOUNT"),
        ("account_type", ""),
        ("userName", "USERNAME"),
        ("customer-number", "PERSON_ID"),
        ("passportNo", "GOVERNMENT_ID"),
        ("Geburtsdatum", "BIRTH"),
        ("gender", "GENDER"),
        ("email_verified", ""),
        ("colour", ""),
        ("", ""),
    ],
)
def test_names(name: str, wanted: str) -> None:
    assert concept(name) == wanted
