"""Germany, Austria, Switzerland.

Sources: BZSt (tax identification number, ISO 7064 modulo 11 and 10), Deutsche Rentenversicherung (insurance number),
Austrian social insurance (modulo 11), Swiss AHV number (prefix 756, EAN-13 check digit).
"""

from __future__ import annotations

from speedscale_runtime.dlp.detectors.checks import mod_11_10, weighted

from .base import Scheme


def _idnr(text: bytes) -> str:
    counts = [text[:10].count(b"%d" % d) for d in range(10)]
    if counts.count(0) not in (1, 2) or max(counts) > 3:
        return "no digit, or too many, stand twice among the first ten"
    return "" if mod_11_10(text) else "fails modulo 11 and 10"


def _pension(text: bytes) -> str:
    letter = text[8] - 64
    digits = text[:8] + b"%02d" % letter + text[9:]
    weights = (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1)
    products = [(d - 48) * w for d, w in zip(digits, weights, strict=False)]
    return "" if sum(p // 10 + p % 10 for p in products[:12]) % 10 == text[11] - 48 else "wrong check digit"


def _at(text: bytes) -> str:
    digit = (weighted(text[:3], (3, 7, 9)) + weighted(text[4:], (5, 8, 4, 2, 1, 6))) % 11
    return "" if digit == text[3] - 48 else "wrong check digit"


def _ahv(text: bytes) -> str:
    return "" if -weighted(text, (1, 3) * 6) % 10 == text[12] - 48 else "wrong check digit"


SCHEMES = (
    Scheme(
        name="de_idnr",
        words=(
            "steuer id",
            "steuerid",
            "steueridentifikationsnummer",
            "identifikationsnummer",
            "steuerliche id",
            "idnr",
        ),
        shape=rb"[1-9]\d ?\d{3} ?\d{3} ?\d{3}",
        check=_idnr,
        valid=("86 095 742 719", "47036892816"),
        invalid=("86 095 742 718", "11111111111"),
    ),
    Scheme(
        name="de_pension",
        words=("sozialversicherungsnummer", "rentenversicherungsnummer", "versicherungsnummer", "sv nummer"),
        shape=rb"\d\d ?[0-3]\d[01]\d\d\d ?[A-Z] ?\d{3}",
        check=_pension,
        valid=("15 070649 C 103", "65170839J003"),
        invalid=("15 070649 C 104",),
        lead="[0-9]{2} ?[0-9]{6} ?[A-Z]",
    ),
    Scheme(
        name="at_vnr",
        words=("sozialversicherungsnummer", "svnr", "sv nr", "versicherungsnummer"),
        shape=rb"[1-9]\d{3} ?[0-3]\d[01]\d\d\d",
        check=_at,
        valid=("1237 010180", "1237010180"),
        invalid=("2237 010180",),
    ),
    Scheme(
        name="ch_ahv",
        words=("ahv", "avs", "ahvn13", "ahv nummer", "numéro avs", "sozialversicherungsnummer"),
        shape=rb"756\.?\d{4}\.?\d{4}\.?\d\d",
        check=_ahv,
        valid=("756.9217.0769.85", "7569217076985"),
        invalid=("756.9217.0769.84",),
    ),
)
