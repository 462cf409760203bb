"""United States and Canada.

Sources: IRS Publication 1915 (ITIN), CMS (NPI: Luhn over 80840 and the number; MBI: positions), DEA registration
numbers, Service Canada (SIN: Luhn). Employer numbers have no check digit; they count under a name only. US Social
Security numbers are a detector of their own (`ssn`).
"""

from __future__ import annotations

from speedscale_runtime.dlp.detectors.checks import luhn, weighted

from .base import SEPARATOR, Scheme


def _itin(text: bytes) -> str:
    group = int(text[3:5])
    issued = 50 <= group <= 65 or 70 <= group <= 88 or 90 <= group <= 92 or 94 <= group <= 99
    return "" if issued else "no group of digits that is issued"


def _npi(text: bytes) -> str:
    return "" if luhn(b"80840" + text) else "fails the Luhn check with its prefix"


def _dea(text: bytes) -> str:
    digits = text[2:]
    return "" if (weighted(digits, (1, 2, 1, 2, 1, 2))) % 10 == digits[6] - 48 else "wrong check digit"


def _mbi(text: bytes) -> str:
    return ""  # the shape is all there is: which positions hold digits and letters, and which letters are left out


def _sin(text: bytes) -> str:
    if text[:1] in (b"0", b"8"):
        return "begins with a digit that is not issued to persons"
    return "" if luhn(text) else "fails the Luhn check"


_L = rb"[AC-HJKMNP-RT-Y]"
_LD = rb"[0-9AC-HJKMNP-RT-Y]"
SCHEMES = (
    Scheme(
        name="us_itin",
        words=("itin", "individual taxpayer"),
        shape=rb"9\d\d([ \-]?)\d\d\1\d{4}",
        check=_itin,
        valid=("912-90-3456", "900700000"),
        invalid=("912-89-3456", "812-90-3456"),
    ),
    Scheme(
        name="us_npi",
        words=("national provider identifier", "provider npi"),
        guarded=("npi",),
        shape=rb"[12]\d{9}",
        check=_npi,
        valid=("1234567893", "1245319599"),
        invalid=("1234567890", "3234567893"),
    ),
    Scheme(
        name="us_dea",
        words=("dea number", "dea registration", "dea no"),
        guarded=("dea",),
        shape=rb"[A-HJ-NP-UX][A-Z9]\d{7}",
        check=_dea,
        valid=("AB1234563", "F91234563"),
        invalid=("AB1234567",),
        lead="[A-Z][A-Z9][0-9]{3}",
    ),
    Scheme(
        name="us_mbi",
        words=("medicare beneficiary", "medicare number", "medicare id"),
        guarded=("mbi",),
        shape=rb"[1-9]" + _L + _LD + rb"\d-?" + _L + _LD + rb"\d-?" + _L + _L + rb"\d\d",
        check=_mbi,
        valid=("1EG4-TE5-MK73", "1EG4TE5MK73"),
        invalid=("1SG4-TE5-MK73", "0EG4TE5MK73"),
        lead="[1-9][A-Z][A-Z0-9][0-9]",
    ),
    Scheme(
        name="ca_sin",
        words=("social insurance", "numéro d'assurance sociale", "assurance sociale"),
        guarded=("sin", "nas"),
        shape=rb"[1-79]\d\d(" + SEPARATOR + rb"?)\d{3}\1\d{3}",
        check=_sin,
        valid=("130 692 544", "193456787"),
        invalid=("130 692 545", "046 454 286"),
    ),
)
