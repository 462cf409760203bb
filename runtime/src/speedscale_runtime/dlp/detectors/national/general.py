"""Passport, tax, licence and other national numbers by the unambiguous name they stand under.

Under such a name anything that looks like an identifier is one: test data seldom has valid check digits.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from speedscale_runtime.dlp.detectors.base import KeyRule

from .base import GROUP, KIND, Scheme

_SHAPE = re.compile(rb"[A-Za-z0-9][A-Za-z0-9 ./\-()+&]{3,27}")
_NAMES = (
    "passport", "passport number", "passportnumber", "passport no", "national id", "nationalid",
    "national number", "national identification", "national identity", "identity number", "identity card",
    "identity document", "id card number", "id number", "identification number", "citizen id", "citizen number",
    "personal id number", "personal identification", "personal code", "personal number", "tax id", "taxid",
    "tax number", "tax identification", "tax file number", "taxpayer id", "taxpayer identification", "vat id",
    "employer identification", "dl number", "driver license", "drivers license", "driving license", "driving licence",
    "driver licence", "drivers licence", "license number", "licence number", "national insurance number",
    "insurance number", "health insurance number", "health card", "medicare number", "medicare", "medicaid",
    "medical record number", "patient id number", "voter id", "visa number", "residence permit", "alien number",
    "green card", "document number", "personalausweis", "ausweisnummer", "reisepass", "reisepassnummer",
    "führerscheinnummer", "steuernummer", "krankenversicherungsnummer", "passeport", "numéro passeport",
    "permis de conduire", "carte identité", "pasaporte", "licencia de conducir", "cédula", "passaporto",
    "patente", "carta identità", "passaporte", "carteira identidade", "título eleitor", "paspoort",
    "paspoortnummer", "rijbewijs", "paszport", "dowód osobisty", "passnummer", "körkort", "førerkort", "passi",
    "pasaport", "паспорт", "серия паспорта", "номер паспорта", "旅券番号", "運転免許", "護照", "护照", "护照号",
    "驾驶证", "여권번호", "운전면허", "جواز السفر", "رقم الجواز", "דרכון", "पासपोर्ट", "หนังสือเดินทาง",
    "personalausweisnummer", "ausweisnr", "sozialversicherungsnummer", "numer paszportu", "nr paszportu", "nr dowodu",
    "numer dowodu", "パスポート番号", "証件", "证件号", "证件号码", "número pasaporte", "número passaporte",
    "numero passaporto", "numéro permis", "número documento", "id no",
    "hộ chiếu", "cmnd", "cccd", "paspor",
)  # fmt: skip
_EXCLUDED = frozenset(
    (
        "type", "country", "expiry", "expires", "expiration", "status", "url", "verified", "office", "issuer", "issued",
        "issue", "date", "format", "label", "state", "class", "valid", "category", "regex", "pattern", "mask",
        "required", "image", "photo", "scan", "rate", "name",
    )
)  # fmt: skip


def rule(schemes: Sequence[Scheme]) -> KeyRule:
    """Return the rule for all unambiguous names, those of the schemes among them."""
    phrases = [w for s in schemes for w in s.words if min(map(len, w.replace("'", " ").split())) > 1]
    names = dict.fromkeys((*_NAMES, *(p for p in phrases if len(p.split()) < 3 and (" " not in p or len(p) > 5))))
    return KeyRule(
        name="national_id",
        kind=KIND,
        names=tuple(names),
        exact=("tin", "ein", "mrn", "social", "fein", "rg", "idno"),
        excluded=_EXCLUDED,
        accept=_accept,
        numbers=True,
        examples=(
            ("passportNumber", "X1234567"),
            ("tax_id", "12-3456789"),
            ("driver_license", "D123-4567"),
            ("customerCpf", "529.982.247-25"),
            ("personnummer", "880320-0018"),
            ("身份证号", "11010519491231002X"),
            ("hkid", "A123456(3)"),
        ),
        counter_examples=(("passport_country", "DE1234"), ("tax_id", "pending"), ("tint", "12345"), ("tax_id", "v1")),
        group=GROUP,
    )


def _accept(value: bytes) -> str:
    text = value.strip()
    if _SHAPE.fullmatch(text) is None or sum(48 <= c <= 57 for c in text) < 3:
        return ""
    return "letters and digits of an id under a key for it"
