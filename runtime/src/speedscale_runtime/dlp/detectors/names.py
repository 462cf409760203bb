"""Names of people by the name they stand under; a bare `name` only where the record has other marks of a person."""

from __future__ import annotations

import re

from .base import KeyRule

_LETTER = re.compile(rb"[A-Za-z\x80-\xff]")


def _accept(value: bytes) -> str:
    text = value.strip()
    if not 1 < len(text) <= 120 or not _LETTER.search(text) or text.startswith((b"http", b"{", b"[", b"$")):
        return ""
    return "stands under a key for a person's name"


def _accept_bare(value: bytes) -> str:
    text = value.strip()
    if re.search(rb"[\d_@/:<>{}=]", text) or b" " not in text:
        return ""
    return "several words under `name`, in a record with other marks of a person" if _accept(value) else ""


_NO_PERSON = frozenset(("file", "host", "domain", "column", "table", "field", "class", "type", "id", "tag", "event",
                        "company", "product", "app", "service", "space"))  # fmt: skip
KEY_RULES = (
    KeyRule(
        name="name",
        kind="NAME",
        names=(
            "first name",
            "firstname",
            "last name",
            "lastname",
            "full name",
            "fullname",
            "given name",
            "givenname",
            "family name",
            "familyname",
            "surname",
            "middle name",
            "middlename",
            "maiden name",
            "customer name",
            "customername",
            "cardholder",
            "cardholder name",
            "card holder",
            "name on card",
            "contact name",
            "patient name",
            "recipient name",
            "holder name",
            "account holder",
            "employee name",
            "beneficiary name",
            "fname",
            "lname",
        ),
        excluded=_NO_PERSON,
        accept=_accept,
        examples=(
            ("firstName", "Ava"),
            ("last_name", "Sullivan"),
            ("cardholder", "Ava Sullivan"),
            ("FullName", "Bo Li"),
        ),
        counter_examples=(
            ("filename", "a.txt"),
            ("hostname", "db-1"),
            ("product_name", "Lamp"),
            ("first_name", ""),
        ),
    ),
    KeyRule(
        name="name_bare",
        kind="NAME",
        names=(),
        exact=("name", "display name", "displayname"),
        accept=_accept_bare,
        person=True,
        examples=(("name", "Ava Sullivan"),),
        counter_examples=(("name", "widget-7"), ("name", "Lamp")),
        group="name",
    ),
)
