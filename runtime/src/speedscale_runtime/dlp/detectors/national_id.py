"""Passport, tax, licence and other national numbers by the name they stand under."""

from __future__ import annotations

import re

from .base import KeyRule


def _accept(value: bytes) -> str:
    text = value.strip()
    return (
        "letters and digits of an id under a key for it"
        if re.fullmatch(rb"[A-Za-z0-9][A-Za-z0-9 ./\-]{3,24}", text) and any(48 <= c <= 57 for c in text)
        else ""
    )


KEY_RULES = (
    KeyRule(
        name="national_id",
        kind="NATIONAL_ID",
        names=(
            "passport",
            "passport number",
            "passportnumber",
            "national id",
            "nationalid",
            "tax id",
            "taxid",
            "itin",
            "driver license",
            "drivers license",
            "driver licence",
            "license number",
            "licence number",
            "national insurance number",
            "nino",
            "nhs number",
            "aadhaar",
            "curp",
            "cpf",
            "medicare number",
        ),
        exact=("tin",),
        excluded=frozenset(("type", "country", "expiry", "expires", "status", "url", "verified", "office")),
        accept=_accept,
        numbers=True,
        examples=(("passportNumber", "X1234567"), ("tax_id", "12-3456789"), ("driver_license", "D123-4567")),
        counter_examples=(("passport_country", "DE1234"), ("tax_id", "pending"), ("tint", "12345")),
    ),
)
