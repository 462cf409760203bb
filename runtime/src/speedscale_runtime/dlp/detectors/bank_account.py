"""Bank accounts by the name they stand under: account and routing numbers, sort codes, BIC, IBANs without a check.

A US routing number in text counts with its check digit behind a word for it (ABA: weights 3, 7, 1).
"""

from __future__ import annotations

import re

from .base import Detector, KeyRule, Verdict, whole
from .checks import weighted

_NEAR = re.compile(rb"(?i)(?<![a-z])(?:routing|aba|rtn|transit)(?![a-z])")
_SHAPE = re.compile(rb"(?:[A-Za-z]{2}\d{2} ?)?[A-Za-z0-9][A-Za-z0-9 ./\-]{3,33}")
_BIC = re.compile(rb"[A-Za-z]{4}[A-Za-z]{2}[A-Za-z0-9]{2}(?:[A-Za-z0-9]{3})?")


def _validate(match: re.Match[bytes], data: bytes) -> Verdict:
    text = match.group()
    if weighted(text, (3, 7, 1) * 3) % 10:
        return "fails the check of routing numbers"
    if not (1 <= int(text[:2]) <= 12 or 21 <= int(text[:2]) <= 32 or 61 <= int(text[:2]) <= 72 or text[:2] == b"80"):
        return "no district of the Federal Reserve"
    if _NEAR.search(data, max(0, match.start() - 40), match.start()) is None:
        return "no word for it in the 40 bytes before"
    return whole(match, "check digit of a routing number, behind a word for it")


def _accept(value: bytes) -> str:
    text = value.strip()
    digits = sum(48 <= c <= 57 for c in text)
    return "digits of an account under a key for it" if digits >= 5 and _SHAPE.fullmatch(text) else ""


def _accept_bic(value: bytes) -> str:
    return "letters of a BIC under a key for it" if _BIC.fullmatch(value.strip()) else ""


DETECTORS = (
    Detector(
        name="routing_number",
        kind="BANK_ACCOUNT",
        prefilter=(r"(?:routing|aba|rtn|transit)[^a-z][^\n]{0,24}[0-9]{9}",),
        grammar=re.compile(rb"(?<![\w.\-])\d{9}(?![\w]|[.\-]\w)"),
        validate=_validate,
        before=56,
        after=4,
        examples=("routing number 021000021", "ABA: 011401533"),
        counter_examples=("routing number 021000022", "order 021000021", "routing 991000021"),
        caseless=True,
        near=_NEAR,
        group="bank_account",
    ),
)
KEY_RULES = (
    KeyRule(
        name="bank_account",
        kind="BANK_ACCOUNT",
        names=(
            "account number",
            "accountnumber",
            "account no",
            "bank account",
            "bankaccount",
            "acct number",
            "acct no",
            "routing number",
            "routing no",
            "sort code",
            "sortcode",
            "bsb",
            "ifsc",
            "iban",
            "iban number",
            "clabe",
            "kontonummer",
            "bankverbindung",
            "bankleitzahl",
            "numéro compte",
            "rib",
            "número cuenta",
            "conta bancária",
            "rekeningnummer",
            "numer konta",
            "bankgiro",
            "номер счета",
            "расчетный счет",
            "银行卡号",
            "银行账号",
            "口座番号",
            "계좌번호",
            "رقم الحساب",
            "हिसाब",
            "número conta",
            "conta corrente",
            "número de cuenta",
            "cuenta bancaria",
            "compte bancaire",
            "conto corrente",
            "číslo účtu",
            "hesap numarası",
            "bank account number",
            "bank routing number",
            "transit number",
        ),
        exact=("blz", "routing", "wire routing", "bankn", "bankl"),
        excluded=frozenset(("type", "name", "status", "country", "format", "label", "valid", "required", "id")),
        accept=_accept,
        numbers=True,
        examples=(
            ("accountNumber", "000123456789"),
            ("sort_code", "12-34-56"),
            ("BankRoutingNumber", "021000021"),
            ("iban", "DE00 1234 5678 9012 3456 78"),
        ),
        counter_examples=(("accountNumber", "none"), ("account_number_format", "999999"), ("accountability", "12345")),
    ),
    KeyRule(
        name="bic",
        kind="BANK_ACCOUNT",
        names=("swift code", "swiftcode", "bic code", "swift bic", "bic swift"),
        exact=("bic", "swift"),
        accept=_accept_bic,
        examples=(("bic", "DEUTDEFF500"), ("swiftCode", "NEDSZAJJ")),
        counter_examples=(("swift", "5.9"), ("bic", "ballpoint pen")),
        group="bank_account",
    ),
)
