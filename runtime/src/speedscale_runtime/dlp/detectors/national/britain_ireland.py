"""United Kingdom and Ireland.

Sources: NHS data dictionary (NHS number, modulo 11), HMRC NIM39110 (National Insurance number: which prefixes exist),
HMRC (UTR, modulo 11), Department of Social Protection (PPS number, modulo 23).
"""

from __future__ import annotations

from speedscale_runtime.dlp.detectors.checks import weighted

from .base import Scheme

_NO_PREFIX = frozenset((b"BG", b"GB", b"KN", b"NK", b"NT", b"TN", b"ZZ"))


def _nhs(text: bytes) -> str:
    digit = (11 - weighted(text, range(10, 1, -1)) % 11) % 11
    return "" if digit == text[9] - 48 else "fails the check modulo 11"


def _nino(text: bytes) -> str:
    return "a prefix that is never used" if text[:2] in _NO_PREFIX else ""


def _utr(text: bytes) -> str:
    digit = b"21987654321"[weighted(text[1:], (6, 7, 8, 9, 10, 5, 4, 3, 2)) % 11]
    return "" if text[0] == digit else "wrong check digit"


def _pps(text: bytes) -> str:
    total = weighted(text, range(8, 1, -1))
    if len(text) == 9 and text[8:] not in (b"W", b"T", b"X"):
        total += 9 * (text[8] - 64)
    return "" if b"WABCDEFGHIJKLMNOPQRSTUV"[total % 23] == text[7] else "wrong check letter"


SCHEMES = (
    Scheme(
        name="gb_nhs",
        words=("nhs", "nhs number", "nhs no"),
        shape=rb"\d{3}([ \-]?)\d{3}\1\d{4}",
        check=_nhs,
        valid=("943 476 5919", "9434765919"),
        invalid=("943 476 5918",),
    ),
    Scheme(
        name="gb_nino",
        words=("national insurance", "nino", "ni number", "ni no"),
        shape=rb"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d\d ?\d\d ?\d\d ?[A-D]",
        check=_nino,
        valid=("AB 12 34 56 C", "JG103759A"),
        invalid=("BG123456C", "QQ123456C"),
        lead="[A-Z]{2} ?[0-9]{2}",
    ),
    Scheme(
        name="gb_utr",
        words=("unique taxpayer reference",),
        guarded=("utr",),
        shape=rb"\d{5} ?\d{5}",
        check=_utr,
        valid=("1955839661", "19558 39661"),
        invalid=("2955839661",),
    ),
    Scheme(
        name="ie_pps",
        words=("ppsn", "pps number", "pps no", "personal public service"),
        guarded=("pps",),
        shape=rb"\d{7}[A-W][A-IWTX]?",
        check=_pps,
        valid=("6433435F", "6433435OA"),
        invalid=("6433435E",),
        lead="[0-9]{7}[A-W]",
    ),
)
