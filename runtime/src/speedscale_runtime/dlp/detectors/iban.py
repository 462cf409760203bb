"""International bank account numbers: length by country and mod 97 (ISO 13616, SWIFT's IBAN registry)."""

from __future__ import annotations

import re

from .base import Detector, Take, Verdict

_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BI": 27, "BR": 29,
    "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27, "DK": 18, "DO": 28, "EE": 20, "EG": 29,
    "ES": 24, "FI": 18, "FK": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28,
    "HN": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20,
    "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19,
    "MN": 20, "MR": 27, "MT": 31, "MU": 30, "NI": 28, "NL": 18, "NO": 15, "OM": 23, "PK": 24, "PL": 28, "PS": 29,
    "PT": 25, "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24, "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24,
    "SM": 27, "SO": 23, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
    "YE": 30,
}  # fmt: skip
_GRAMMAR = re.compile(rb"(?<![A-Za-z0-9_])[A-Za-z]{2}\d{2}(?:[ \-]?[A-Za-z0-9]){11,29}")


def _mod97(text: bytes) -> bool:
    turned = text[4:] + text[:4]
    return int("".join(str(int(chr(c), 36)) for c in turned)) % 97 == 1


def _validate(match: re.Match[bytes], data: bytes) -> Verdict:
    text = match.group()
    length = _LENGTHS.get(text[:2].decode("ascii").upper())
    if length is None:
        return "no country that has IBANs"
    kept = [i for i, c in enumerate(text) if c not in b" -"]
    if len(kept) < length:
        return f"{len(kept)} characters; this country's have {length}"
    end = kept[length - 1] + 1
    if data[match.start() + end : match.start() + end + 1].isalnum():
        return f"longer than the {length} characters of this country's"
    compact = bytes(text[i] for i in kept[:length]).upper()
    if not _mod97(compact):
        return "fails mod 97"
    return Take(match.start(), match.start() + end, "length of the country, mod 97")


DETECTORS = (
    Detector(
        name="iban",
        kind="IBAN",
        prefilter=(r"(?:^|[^A-Za-z0-9_])[A-Za-z]{2}[0-9]{2}(?:[ \-+]?[A-Za-z0-9]){8}",),
        grammar=_GRAMMAR,
        validate=_validate,
        before=24,
        after=64,
        examples=(
            "DE89370400440532013000",
            "GB82 WEST 1234 5698 7654 32",
            "FR1420041010050500013M02606",
            "nl91abna0417164300",
        ),
        counter_examples=(
            "DE89370400440532013001",
            "XX89370400440532013000",
            "DE8937040044053201300",
            "ab12cd34ef56ab12",
        ),
    ),
)
