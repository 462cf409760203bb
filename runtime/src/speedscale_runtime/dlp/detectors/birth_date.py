"""Dates of birth by the name they stand under; other dates stay."""

from __future__ import annotations

import re

from .base import KeyRule

_DATE = re.compile(
    rb"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}(?:[T ].{0,24})?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}|\d{8}"
    rb"|\d{1,2} [A-Za-z]{3,9} \d{4}"
    rb"|[A-Za-z]{3,9} \d{1,2},? \d{4}|-?\d{9,13})"
)


def _accept(value: bytes) -> str:
    return "a date under a key for birth" if _DATE.fullmatch(value.strip()) else ""


KEY_RULES = (
    KeyRule(
        name="birth_date",
        kind="BIRTH_DATE",
        names=("dob", "date of birth", "dateofbirth", "birth date", "birthdate", "birthday", "birth day"),
        accept=_accept,
        numbers=True,
        examples=(("dob", "1984-02-29"), ("dateOfBirth", "29/02/1984"), ("birthday", "Feb 29, 1984")),
        counter_examples=(("created_at", "1984-02-29"), ("birthday", "soon")),
    ),
)
