"""Characters that read like ASCII ones, texts in national character sets, values between the binary of MessagePack."""

from __future__ import annotations

import json

import pytest

from speedscale_runtime.dlp import Redactor
from speedscale_runtime.dlp.traverse import variants

_CARD = "4532015112830366"


@pytest.mark.parametrize(
    "text",
    [
        "カード ４５３２－０１５１－１２８３－０３６６ です",
        "card 4532\u200b0151\u200b1283\u200b0366",
        "card 4532\u20130151\u20131283\u20130366",
        "card 4532\u30000151\u30001283\u30000366",
        "mail maria.schmidt\u200b@example.org",
        "mail maria＠example.org",
        "ssn 536\u201322\u20138145",
        "tel +49\u00a0151\u00a023456789",
        "iban DE89\u00a03704\u00a00044\u00a00532\u00a00130\u00a000",
    ],
)
@pytest.mark.parametrize("ascii_only", [True, False])
def test_what_reads_like_a_value_is_one(standard: Redactor, text: str, ascii_only: bool) -> None:
    body = json.dumps({"note": text}, ensure_ascii=ascii_only).encode()
    out, findings = standard.redact_text(body, "application/json")
    assert findings
    assert len(json.loads(out)["note"].split("REDACTED-")) == 2
    assert not set("0123456789@") & set(
        variants.plain(json.loads(out)["note"].partition("REDACTED-")[0].encode()).decode()
    )
    assert standard.redact_text(out, "application/json")[1] == ()


def test_under_a_name_for_it_digits_of_any_script_count(standard: Redactor) -> None:
    doc = {"cardNumber": "".join(chr(ord("٠") + int(c)) for c in _CARD), "phone": "０９０１２３４５６７８"}
    out = json.loads(standard.redact_text(json.dumps(doc, ensure_ascii=False).encode(), "application/json")[0])
    assert out["cardNumber"].startswith("REDACTED-CREDIT_CARD-")
    assert out["phone"].startswith("REDACTED-PHONE-")


@pytest.mark.parametrize(
    "text", ["価格は１２００円です", "1\u00a0200 euros", "pages 12\u201315", "co\u00adoperate", "12\u200b"]
)
def test_other_texts_with_such_characters_stay(standard: Redactor, text: str) -> None:
    body = json.dumps({"note": text}, ensure_ascii=False).encode()
    assert standard.redact_text(body, "application/json")[0] == body


@pytest.mark.parametrize(
    ("codec", "key", "value"),
    [
        ("gb18030", "姓名", "王小明"),
        ("shift_jis", "氏名", "山田太郎"),
        ("windows-1251", "фамилия", "Иванова"),
        ("iso-8859-1", "prénom", "Hélène"),
        ("euc-kr", "이름", "김철수"),
    ],
)
def test_a_character_set_that_the_type_names_is_read(standard: Redactor, codec: str, key: str, value: str) -> None:
    body = json.dumps({key: value, "n": 1}, ensure_ascii=False).encode(codec)
    out = standard.redact_text(body, f"application/json; charset={codec}")[0]
    doc = json.loads(out.decode(codec))
    assert doc[key].startswith("REDACTED-NAME-")
    assert doc["n"] == 1


def test_a_character_set_that_is_named_wrongly_changes_nothing(standard: Redactor) -> None:
    body = '{"note":"Grüße","email":"a@b.example"}'.encode()
    out = standard.redact_text(body, "application/json; charset=gb18030")[0]
    assert json.loads(out)["note"] == "Grüße"


def test_values_between_the_lengths_of_messagepack_are_found(standard: Redactor) -> None:
    mail = b"maria.schmidt81@gmail.example"
    body = b"\x82\xa5email" + bytes([0xA0 | len(mail)]) + mail + b"\xa4cart\x07"
    out = standard.redact_text(body, "application/msgpack")[0]
    assert mail not in out
    assert len(out) == len(body)
