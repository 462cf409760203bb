"""Names of people under names of fields that say little: what stands beside or above them decides."""

from __future__ import annotations

import json
from typing import Any

import pytest

from speedscale_runtime.dlp import Redactor, builtin
from speedscale_runtime.dlp.rules import read
from speedscale_runtime.dlp.traverse import json_text


def names(redactor: Redactor, doc: Any) -> list[str]:
    """Return the originals that were taken as names, and check that both ways of reading JSON take the same."""
    data = json.dumps(doc, ensure_ascii=False, separators=(",", ":")).encode()
    outcome = redactor.redact_text(data, "application/json")
    out = outcome[0] if isinstance(outcome, tuple) else outcome
    full = json_text.edits(redactor.engine, data, 0, redactor.engine.hits(data))
    found = [data[e.start : e.end].decode() for e in full if e.notes[0].kind == "NAME"]
    assert out.count(b"REDACTED-NAME-") == len(found)
    return found


@pytest.mark.parametrize(
    ("doc", "expected"),
    [
        ({"nome": "João da Silva", "celular": "(11) 91234-5678"}, ["João da Silva"]),
        ({"nombre": "María", "apellidos": "García López"}, ["María", "García López"]),
        ({"nom": "Dupont", "prénom": "Hélène"}, ["Dupont", "Hélène"]),
        ({"名前": "ann lee", "電話番号": "090-1234-5678"}, ["ann lee"]),
        ({"name": "Jo", "surname": "Li"}, ["Jo", "Li"]),
        ({"name": {"first": "Ann", "last": "Lee"}, "n": 1}, ["Ann", "Lee"]),
        ({"customerName": {"last": "Lee", "first": "Ann"}}, ["Lee", "Ann"]),
    ],
)
def test_a_bare_name_counts_beside_marks_of_a_person(
    standard: Redactor, doc: dict[str, Any], expected: list[str]
) -> None:
    assert names(standard, doc) == expected


@pytest.mark.parametrize(
    "doc",
    [
        {"nombre": "Lámpara azul", "precio": 3},
        {"nome": "Lamp", "telefone": "(11) 91234-5678"},
        {"name": {"en": "Blue Lamp", "first": 1}},
        {"page": {"first": "a b", "last": "c d"}},
        {"full_name": "octocat/hello-world"},
    ],
)
def test_without_them_it_stays(standard: Redactor, doc: dict[str, Any]) -> None:
    assert [n for n in names(standard, doc) if not n.startswith("(")] == []


def test_a_bare_name_is_found_however_it_is_written(standard: Redactor) -> None:
    """What is looked for first, the byte after the quote, leaves none of the names out."""
    bare = [name for rule in read(builtin("standard")).key_rules if rule.person for name in rule.exact]
    missed = [
        written
        for name in bare
        for written in (name, name.lower(), name.title(), name.upper())
        if not standard.engine.names.bare.search(f'{{"{written}":1}}'.encode())
    ]
    assert bare
    assert missed == []


def test_a_date_of_birth_in_parts_goes_part_by_part(standard: Redactor) -> None:
    doc = {"birthDate": {"day": 29, "month": "Feb", "year": 1984}, "created": {"day": 29, "month": 2, "year": 1984}}
    out = json.loads(standard.redact_text(json.dumps(doc).encode(), "application/json")[0])
    assert out["created"] == doc["created"]
    assert out["birthDate"]["day"] > 31
    assert out["birthDate"]["year"] > 9000
    assert out["birthDate"]["month"].startswith("REDACTED-BIRTH_DATE-")
    again = standard.redact_text(json.dumps(out).encode(), "application/json")[1]
    assert again == ()


@pytest.mark.parametrize(
    ("doc", "expected"),
    [
        ({"customer": {"id": 7, "name": "Ann Lee"}}, ["Ann Lee"]),
        ({"passengers": [{"name": "Ann Lee"}, {"name": "Bo Li"}]}, ["Ann Lee", "Bo Li"]),
        ({"name": [{"use": "usual", "text": "Ann Lee", "family": "Lee", "given": ["Ann"]}]}, ["Ann Lee", "Lee", "Ann"]),
        ({"owners": [{"names": ["Ann Lee"], "phone": "+14155552671"}]}, ["Ann Lee"]),
        ({"lastName": {"S": "Lee"}, "firstName": {"stringValue": "Ann"}}, ["Lee", "Ann"]),
        ({"query": {"match": {"lastName": {"query": "Lee", "operator": "and"}}}}, ["Lee"]),
        ([{"op": "replace", "path": "/lastName", "value": "Lee"}], ["Lee"]),
        ([{"Name": "given_name", "Value": "Ann"}, {"Name": "name", "Value": "Ann Lee"}], ["Ann", "Ann Lee"]),
        ({"姓名": "王小明", "name": "李小龙", "手机号": "13800138000"}, ["王小明", "李小龙"]),
    ],
)
def test_what_is_around_a_field_says_whose_it_is(standard: Redactor, doc: Any, expected: list[str]) -> None:
    assert names(standard, doc) == expected


@pytest.mark.parametrize(
    ("doc", "left"),
    [
        ({"product": {"name": "Blue Lamp"}}, "Blue Lamp"),
        ({"customer": {"name": "svc-orders"}}, "svc-orders"),
        ({"displayName": {"text": "Blue Cafe", "languageCode": "en"}}, "Blue Cafe"),
        ({"password": {"type": "string", "description": "Input only."}}, "Input only."),
        ({"type": "token", "value": "identifier"}, "identifier"),
        ({"vehicle": {"number": "abc12345"}}, "abc12345"),
    ],
)
def test_elsewhere_the_same_field_stays(standard: Redactor, doc: Any, left: str) -> None:
    assert left in standard.redact_text(json.dumps(doc).encode(), "application/json")[0].decode()


@pytest.mark.parametrize(
    ("text", "kind", "gone"),
    [
        ("name=Ann+Lee&email=a%40example.org&n=1", "application/x-www-form-urlencoded", "Ann+Lee"),
        ("passport[number]=X1234567&n=1", "application/x-www-form-urlencoded", "X1234567"),
        ("dob[year]=1984&dob[month]=02", "application/x-www-form-urlencoded", "1984"),
        ("<c><name>Ann Lee</name><phone>+14155552671</phone></c>", "application/xml", "Ann Lee"),
        ("<patient><name>Ann Lee</name></patient><mail>a@b.example</mail>", "application/xml", "Ann Lee"),
        ('<c name="Ann Lee" email="a@b.example"/>', "application/xml", "Ann Lee"),
        (
            '<s:Attribute Name="http://schemas.example/claims/surname"><s:AttributeValue>Lee</s:AttributeValue>'
            "</s:Attribute>",
            "application/xml",
            ">Lee<",
        ),
        ("<dict><key>password</key><string>hunter2</string></dict>", "application/xml", "hunter2"),
        ("<member><name>password</name><value><string>hunter2</string></value></member>", "text/xml", "hunter2"),
        ("<tr><th>Last name:</th><td>Lee</td></tr>", "text/html", ">Lee<"),
        ("<input name=password value=hunter2>", "text/html", "hunter2"),
        ("INSERT INTO t (name, email) VALUES ('Ann Lee', 'a@b.example')", "text/plain", "Ann Lee"),
        ("INSERT INTO t (last_name) VALUES (N'Lee')", "text/plain", "'Lee'"),
        (
            '--b\r\nContent-Disposition: form-data; name="name"\r\n\r\nAnn Lee\r\n--b\r\n'
            'Content-Disposition: form-data; name="email"\r\n\r\na@b.example\r\n--b--\r\n',
            "multipart/form-data; boundary=b",
            "Ann Lee",
        ),
    ],
)
def test_other_formats_look_around_a_field_as_well(standard: Redactor, text: str, kind: str, gone: str) -> None:
    assert gone in text
    once = standard.redact_text(text.encode(), kind)[0]
    assert gone not in once.decode()
    assert standard.redact_text(once, kind)[1] == ()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("name=Blue+Lamp&price=3&city=Rome", "application/x-www-form-urlencoded"),
        ("<item><name>Blue Lamp</name><price>3</price></item><c><mail>x</mail></c>", "application/xml"),
        ("INSERT INTO products (name, price) VALUES ('Blue Lamp', 3)", "text/plain"),
    ],
)
def test_a_name_of_a_thing_stays_in_them(standard: Redactor, text: str, kind: str) -> None:
    assert standard.redact_text(text.encode(), kind)[0].decode() == text


@pytest.mark.parametrize("text", ["By default, the secret is assumed to be here", "const token = makeToken(a)"])
def test_sentences_and_calls_hold_no_secret(standard: Redactor, text: str) -> None:
    assert standard.redact_text(text.encode(), "text/plain")[0].decode() == text


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("full_name: Ada van der Byron\nTotal: 3", "van der Byron"),
        ("Billing address: 12 Elm Street, Springfield\nTotal: 3", "Elm Street, Springfield"),
        ("address=12 Elm Street city=Rome", "Elm Street"),
    ],
)
def test_what_stands_behind_a_name_goes_to_its_end(standard: Redactor, text: str, gone: str) -> None:
    out = standard.redact_text(text.encode(), "text/plain")[0].decode()
    assert gone not in out
    assert out.endswith(("Total: 3", "city=Rome"))
