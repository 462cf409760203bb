"""Dates of birth by the name they stand under; other dates stay."""

from __future__ import annotations

import re

from .base import KeyRule

_MONTH = rb"[A-Za-z\x80-\xff]{3,24}"
_DATE = re.compile(
    rb"(?:\d{4}[-/. ]{1,2}\d{1,2}[-/. ]{1,2}\d{1,2}\.?(?:[T ].{0,32})?"
    rb"|\d{1,2}[-/. ]{1,2}\d{1,2}[-/. ]{1,2}\d{2,4}(?:[T ].{0,24})?|\d{8}"
    rb"|\d{1,2}(?:\.|st|nd|rd|th|er)?[ -](?:de )?" + _MONTH + rb"\.?,?[ -](?:de )?\d{2,4}"
    rb"|(?:" + _MONTH + rb",? )?" + _MONTH + rb"\.? \d{1,2}(?:st|nd|rd|th)?,? \d{4}"
    rb"|\d{4} ?\xe5\xb9\xb4 ?\d{1,2} ?\xe6\x9c\x88 ?\d{1,2} ?\xe6\x97\xa5"
    rb"|\d{4}\xeb\x85\x84 ?\d{1,2}\xec\x9b\x94 ?\d{1,2}\xec\x9d\xbc|-?\d{9,13}|(?:--)?[01]?\d[-/.][0-3]?\d"
    rb"|/Date\(-?\d{1,14}\)/)"
)


_ELSEWHERE = (
    "born", "born on", "geburtsdatum", "geburtstag", "date de naissance", "date naissance", "fecha de nacimiento",
    "fecha nacimiento", "data di nascita", "data nascita", "data de nascimento", "data nascimento", "geboortedatum",
    "data urodzenia", "födelsedatum", "fødselsdato", "syntymäaika", "datum narození", "születési dátum",
    "data nașterii", "doğum tarihi", "ημερομηνία γέννησης", "дата рождения", "дата народження", "生年月日", "誕生日",
    "出生日期", "生日", "생년월일", "تاريخ الميلاد", "תאריך לידה", "जन्मतिथि", "जन्म तिथि",
    "วันเกิด", "ngày sinh", "tanggal lahir",
)  # fmt: skip


def _accept(value: bytes) -> str:
    return "a date under a key for birth" if _DATE.fullmatch(value.strip()) else ""


_PART = re.compile(rb"\d{1,2}|(?:18|19|20)\d\d|" + _MONTH + rb"\.?")


def _accept_part(value: bytes) -> str:
    return "a part of a date under a key for birth" if _PART.fullmatch(value.strip()) else ""


PARTS = frozenset((
    b"day", b"month", b"year", b"d", b"m", b"y", b"dd", b"mm", b"yy", b"yyyy", b"tag", b"monat", b"jahr", b"jour",
    b"mois", b"dia", b"mes", b"ano", b"giorno", b"mese", b"anno", b"dayofmonth", b"birthday", b"birthmonth",
    b"birthyear",
))  # fmt: skip
"""Names of fields in an object under a name for birth: `"birthDate": {"day": 29, "month": 2, "year": 1984}`."""
PART = KeyRule("birth_date", "BIRTH_DATE", (), _accept_part, (), (), numbers=True)
"""The rule for them."""
KEY_RULES = (
    KeyRule(
        name="birth_date",
        kind="BIRTH_DATE",
        names=(
            "dob",
            "date of birth",
            "dateofbirth",
            "birth date",
            "birthdate",
            "birthday",
            "birth day",
            "birthdays",
            "geburtstage",
            "gbdat",
            *_ELSEWHERE,
        ),
        accept=_accept,
        numbers=True,
        examples=(
            ("dob", "1984-02-29"),
            ("dateOfBirth", "29/02/1984"),
            ("birthday", "Feb 29, 1984"),
            ("Geburtsdatum", "29. Februar 1984"),
            ("生年月日", "1984年2月29日"),
            ("birthday", "02/29"),
            ("fechaNacimiento", "29 de febrero de 1984"),
        ),
        counter_examples=(("created_at", "1984-02-29"), ("birthday", "soon")),
    ),
    KeyRule(
        name="birth_year",
        kind="BIRTH_DATE",
        names=(
            "birth year",
            "year of birth",
            "yob",
            "birth month",
            "month of birth",
            "geburtsjahr",
            "año nacimiento",
            "année naissance",
            "ano nascimento",
            "anno nascita",
            "geboortejaar",
        ),
        accept=_accept_part,
        numbers=True,
        examples=(("birth_year", "1984"), ("yearOfBirth", "1984"), ("birthMonth", "Feb")),
        counter_examples=(("birthYear", "unknown year"), ("modelYear", "1984")),
        group="birth_date",
    ),
)
