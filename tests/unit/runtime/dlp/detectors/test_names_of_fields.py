"""Names of fields in many scripts: one name however it is written, seen by the prefilter wherever the table sees it."""

from __future__ import annotations

import unicodedata

import pytest

from speedscale_runtime.dlp import KeyRing, Redactor, compile_rule
from speedscale_runtime.dlp.keynames import words
from speedscale_runtime.dlp.prefilter import KEY


@pytest.mark.parametrize(
    ("name", "cut"),
    [
        ("userPassword", ("user", "password")),
        ("Prénom", ("prenom",)),
        ("Straße", ("strasse",)),
        ("номер_телефона", ("номер", "телефона")),
        ("पूरा नाम", ("पूरा", "नाम")),
        ("電話番号", ("電話番号",)),
        ("FØDSELSNR", ("fodselsnr",)),
    ],
)
def test_names_are_cut_into_words(name: str, cut: tuple[str, ...]) -> None:
    assert words(name) == cut
    assert words(unicodedata.normalize("NFD", name)) == cut


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("prénom", "Zoé"),
        ("PRÉNOM", "Zoé"),
        ("prenom", "Zoé"),
        (unicodedata.normalize("NFD", "prénom"), "Zoé"),
        ("Фамилия", "Иванова"),
        ("ФАМИЛИЯ", "Иванова"),
        ("お客様電話番号", "03-1234-5678"),
        ("客户手机号", "13800138000"),
        ("비밀번호", "x1"),
        ("Contraseña", "x1"),
        ("contrasena", "x1"),
        ("جواز السفر", "A1234567"),
        ("clientCPF", "52998224725"),
        ("userDob", "1984-02-29"),
        ("SSN2", "123456789"),
    ],
)
def test_a_value_under_a_name_is_taken_however_it_is_spelt(standard: Redactor, name: str, value: str) -> None:
    data = f'{{"{name}": "{value}"}}'.encode()
    assert KEY in {i for i, _ in standard.engine.hits(data)}
    redacted, findings = standard.redact_text(data, "application/json")
    assert value.encode() not in redacted
    assert findings


@pytest.mark.parametrize(
    "text",
    [
        '{"true": true, "valued": "rue"}',
        '{"particular": "titular thing"}',
        '{"handyman": "0171 000"}',
        '{"keynote": "Morning", "compass": "north", "monkey": "banana1"}',
        '{"significant": "nif 1"}',
    ],
)
def test_words_inside_words_are_no_names(standard: Redactor, text: str) -> None:
    assert standard.redact_text(text.encode(), "application/json")[0] == text.encode()


def test_classes_of_data_run_only_when_a_rule_names_them(standard: Redactor, keys: KeyRing) -> None:
    text = b'{"id": "6f1f7e5a-1c9d-4b7e-8f0a-2b6c1d3e4f5a", "mail": "ada@example.com"}'
    assert b"6f1f7e5a" in standard.redact_text(text, "application/json")[0]
    also = compile_rule({"id": "r", "discover_patterns": True, "detectors": {"also": ["uuid"]}}, keys)
    redacted, findings = also.redact_text(text, "application/json")
    assert {f.kind for f in findings} == {"UUID", "EMAIL"}
    assert b"6f1f7e5a" not in redacted
    only = compile_rule({"id": "r", "discover_patterns": True, "detectors": {"enable": ["classes"]}}, keys)
    assert {f.kind for f in only.redact_text(text, "application/json")[1]} == {"UUID"}


def test_a_form_or_a_multipart_body_inside_something_else_is_read_as_one(standard: Redactor) -> None:
    form = b'{"payload": "ref=7&cc=4111+1111+1111+1111&dob=1984-02-29"}'
    redacted, _ = standard.redact_text(form, "application/json")
    assert b"4111" not in redacted
    assert b"1984" not in redacted
    parts = '--b1\\r\\nContent-Disposition: form-data; name=\\"dob\\"\\r\\n\\r\\n1984-02-29\\r\\n--b1--\\r\\n'
    redacted, _ = standard.redact_text(f'{{"payload": "{parts}"}}'.encode(), "application/json")
    assert b"1984" not in redacted
