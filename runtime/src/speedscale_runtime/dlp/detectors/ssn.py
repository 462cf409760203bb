"""US Social Security numbers: area not 000, 666 or 9xx, group not 00, serial not 0000 (SSA numbering rules).

Written with one and the same separator anywhere; nine bare digits only near a word for it, or by key name.
"""

from __future__ import annotations

import re

from .base import Detector, KeyRule, Verdict, whole

_CONTEXT = re.compile(rb"(?i)(?<![a-z])(?:ssn|social[ _-]?security(?:[ _-]?(?:number|no|num))?)(?![a-z])")


_FOREIGN = re.compile(rb"(?=(?:[^0-9]*[0-9]){6})[A-Za-z0-9][A-Za-z0-9 ./+\-]{5,22}")


def _areas(digits: bytes) -> str:
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    if area in (b"000", b"666") or area[:1] == b"9":
        return f"area {area.decode()} is never issued"
    if group == b"00" or serial == b"0000":
        return "group 00 and serial 0000 are never issued"
    return ""


def _validate(match: re.Match[bytes], data: bytes) -> Verdict:
    digits = match.group(1) + match.group(3) + match.group(4)
    return _areas(digits) or whole(match, "area, group and serial are possible, one separator")


def _validate_bare(match: re.Match[bytes], data: bytes) -> Verdict:
    if not _CONTEXT.search(data, max(0, match.start() - 40), match.start()):
        return "nine bare digits without a word for it in the 40 bytes before"
    return _areas(match.group(1)) or whole(match, "nine digits behind a word for it", 1)


def _accept(value: bytes) -> str:
    digits = re.sub(rb"[ \-./]|\xc2\xa0|\xe2\x80[\x90-\x95]", b"", value)
    if digits.isdigit() and len(digits) == 9:
        return "nine digits under a key for it"
    if digits.isdigit() and len(digits) in (4, 8):  # the last four; a number that lost the zero it began with
        return "what is left of the digits under a key for it"
    # the same name is used for other countries' numbers
    return "letters and digits of an id under a key for it" if _FOREIGN.fullmatch(value.strip()) else ""


DETECTORS = (
    Detector(
        name="ssn",
        kind="SSN",
        prefilter=(
            r"[0-9]{3}[ \-+][0-9]{2}[ \-+][0-9]{4}",
            r"[0-9]{3}(?:\xc2\xa0|\xe2\x80[\x90-\x92])[0-9]{2}(?:\xc2\xa0|\xe2\x80[\x90-\x92])[0-9]{4}",
        ),
        grammar=re.compile(
            rb"(?<![\w.\-+])(\d{3})([ \-]|\xc2\xa0|\xe2\x80[\x90-\x92])(\d{2})\2(\d{4})(?![\w]|-\d|\.\d)"
        ),
        validate=_validate,
        before=20,
        after=4,
        examples=("123-45-6789", "ssn: 078-05-1120", "219 09 9999", "123\u201145\u20116789"),
        counter_examples=(
            "000-12-3456",
            "666-12-3456",
            "912-34-5678",
            "123-00-4567",
            "123-45-0000",
            "123-45 6789",
            "1123-45-6789",
            "2024-11-15",
        ),
    ),
    Detector(
        name="ssn_bare",
        kind="SSN",
        prefilter=(r"(?:ssn|social[ _-]?security)[^0-9]{0,32}[0-9]{9}",),
        grammar=re.compile(rb"(?<![\w.\-])(\d{9})(?![\w]|\.\d)"),
        validate=_validate_bare,
        before=10,
        after=4,
        caseless=True,
        near=_CONTEXT,
        examples=("SSN 123456789", "social security number: 219099999"),
        counter_examples=("order 123456789", "ssn 900123456", "ssn 1234567890"),
        group="ssn",
    ),
)
KEY_RULES = (
    KeyRule(
        name="ssn_key",
        kind="SSN",
        names=("ssn", "social security", "socialsecurity", "socialsecuritynumber", "ssn number", "social sec"),
        accept=_accept,
        numbers=True,
        examples=(
            ("ssn", "123456789"),
            ("socialSecurityNumber", "123-45-6789"),
            ("ssn_last_4", "6789"),
            ("ssn", "850730-033 28"),
        ),
        counter_examples=(("ssn", "on file"), ("ssn_verified", "true")),
        group="ssn",
    ),
)
