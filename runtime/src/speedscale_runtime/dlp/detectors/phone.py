"""Phone numbers: international ones that `phonenumbers` calls possible, North American ones as they are written.

Bare digits count by key name only. Left alone: parts of GUIDs and of dashed ids, dates, decimals.
"""

from __future__ import annotations

import re
from functools import lru_cache

from .base import Detector, KeyRule, Verdict, whole

_INTERNATIONAL = re.compile(rb"(?<![\w+])\+[1-9](?:[ \-().\xa0]{0,2}\d){6,14}(?!\d)(?![\-]\d)")
_NANP = re.compile(
    rb"(?<![\w.\-+/])(?:\+?1[ .\-])?(?:\(([2-9]\d{2})\) ?|([2-9]\d{2})([ .\-]))([2-9]\d{2})([ .\-])(\d{4})"
    rb"(?![\w]|[\-.]\d)"
)


@lru_cache(maxsize=8192)
def _possible(text: str) -> bool:
    import phonenumbers  # half of the import time of this package: only when there is a candidate

    try:
        return bool(phonenumbers.is_possible_number(phonenumbers.parse(text, None)))
    except phonenumbers.NumberParseException:
        return False


def _validate_international(match: re.Match[bytes], data: bytes) -> Verdict:
    digits = "+" + "".join(chr(c) for c in match.group() if 48 <= c <= 57)
    if not _possible(digits):
        return "no possible number of its country"
    return whole(match, "+, country code, a possible length")


def _validate_nanp(match: re.Match[bytes], data: bytes) -> Verdict:
    area = match.group(1) or match.group(2)
    if area.endswith(b"11") or (match.group(4).endswith(b"11") and match.group(4) != b"511"):
        return "N11 is a service code"
    if match.group(3) is not None and match.group(3) != match.group(5):
        return "two different separators"
    return whole(match, "area code, exchange and line as written in North America")


def _accept(value: bytes) -> str:
    if not re.fullmatch(rb"[+()\d .\-/x\xa0\xc2]{7,32}", value):
        return ""
    return "digits of a phone number under a key for it" if 7 <= sum(48 <= c <= 57 for c in value) <= 18 else ""


DETECTORS = (
    Detector(
        name="phone_international",
        kind="PHONE",
        prefilter=(r"\+[1-9](?:[ \-+().\xa0]{0,2}[0-9]){6}",),
        grammar=_INTERNATIONAL,
        validate=_validate_international,
        before=32,
        after=32,
        examples=("+14155552671", "+44 20 7946 0958", "tel:+49-30-901820", "+1 (415) 555-2671"),
        counter_examples=("+1234567", "+99912345678", "1+4155552671", "+01:00"),
        group="phone",
    ),
    Detector(
        name="phone_nanp",
        kind="PHONE",
        prefilter=(r"[2-9][0-9]{2}\)?[ .\-+]?[2-9][0-9]{2}[ .\-+][0-9]{4}",),
        grammar=_NANP,
        validate=_validate_nanp,
        before=24,
        after=4,
        examples=("(415) 555-2671", "415-555-2671", "415.555.2671", "1-415-555-2671", "212 555 0187"),
        counter_examples=(
            "411-555-2671",
            "115-555-2671",
            "415-555-26711",
            "a415-555-2671b",
            "415-555.2671",
            "6f1f7e5a-415-555-2671",
        ),
        group="phone",
    ),
)
KEY_RULES = (
    KeyRule(
        name="phone_key",
        kind="PHONE",
        names=(
            "phone",
            "phone number",
            "phonenumber",
            "mobile",
            "mobile number",
            "cell phone",
            "cellphone",
            "telephone",
            "msisdn",
            "fax",
            "fax number",
            "whatsapp",
        ),
        exact=("tel", "cell"),
        excluded=frozenset(("id", "type", "model", "os", "version", "country", "code", "verified")),
        accept=_accept,
        numbers=True,
        nested=True,
        examples=(("phone", "4155552671"), ("mobileNumber", "020 7946 0958"), ("tel", "+1 415 555 2671")),
        counter_examples=(("phone_type", "4155552671"), ("phone", "none"), ("telemetry", "4155552671")),
        group="phone",
    ),
)
