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
