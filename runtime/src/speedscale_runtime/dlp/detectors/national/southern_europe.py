"""Spain, Portugal, Italy, Greece.

Sources: Spanish ministry of the interior (DNI and NIE, modulo 23), Autoridade Tributária (NIF, modulo 11), Agenzia
delle Entrate (codice fiscale, its table of odd and even positions), Greek AMKA (Luhn) and AFM (powers of two).
"""

from __future__ import annotations

from speedscale_runtime.dlp.detectors.checks import day, luhn, weighted

from .base import Scheme

_ODD = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)
_WRONG = "wrong check letter"


def _dni(text: bytes) -> str:
    digits = text[:-1].translate(bytes.maketrans(b"XYZ", b"012"))
    return "" if b"TRWAGMYFPDXBNJZSQVHLCKE"[int(digits) % 23] == text[-1] else _WRONG


def _nif(text: bytes) -> str:
    digit = 11 - weighted(text, range(9, 1, -1)) % 11
    return "" if (digit if digit < 10 else 0) == text[8] - 48 else "wrong check digit"


def _place(char: int) -> int:
    return char - 48 if char < 58 else char - 65


def _fiscale(text: bytes) -> str:
    total = sum(_ODD[_place(c)] if i % 2 == 0 else _place(c) for i, c in enumerate(text[:15]))
    return "" if total % 26 == text[15] - 65 else _WRONG


def _amka(text: bytes) -> str:
    if not day(int(text[2:4]), int(text[:2])):
        return "no date in it"
    return "" if luhn(text) else "fails the Luhn check"


def _afm(text: bytes) -> str:
    digit = weighted(text, (256, 128, 64, 32, 16, 8, 4, 2)) % 11 % 10
    return "" if digit == text[8] - 48 and text.strip(b"0") else "wrong check digit"


SCHEMES = (
    Scheme(
        name="es_dni",
        words=("documento nacional de identidad", "dni nie", "número de identidad"),
        guarded=("dni", "nie", "nif"),
        shape=rb"(?:\d{8}|\d\d\.\d{3}\.\d{3}|[XYZ][ \-]?\d{7})[ \-]?[A-HJ-NP-TV-Z]",
        check=_dni,
        valid=("54362315K", "12345678-Z", "X-2482300W"),
        invalid=("54362315Z", "X2482300A"),
        lead="[0-9XYZ][0-9.\\- ]{6}",
    ),
    Scheme(
        name="pt_nif",
        words=("contribuinte", "número de contribuinte", "identificação fiscal"),
        guarded=("nif",),
        shape=rb"[1235689]\d\d ?\d{3} ?\d{3}",
        check=_nif,
        valid=("501 964 843", "123456789"),
        invalid=("501964842",),
    ),
    Scheme(
        name="it_codice_fiscale",
        words=("codice fiscale", "codicefiscale", "cod fisc", "c f"),
        guarded=("cf",),
        shape=rb"[A-Z]{3} ?[A-Z]{3} ?[0-9L-NP-V]{2}[A-EHLMPRST][0-9L-NP-V]{2} ?[A-Z][0-9L-NP-V]{3}[A-Z]",
        check=_fiscale,
        valid=("RCCMNL83S18D969H", "rccmnl83s18d969h"),
        invalid=("RCCMNL83S18D969A",),
        lead="[A-Z]{3} ?[A-Z]{3} ?[0-9L-V]{2}[A-T]",
    ),
    Scheme(
        name="gr_amka",
        words=("αμκα", "amka"),
        shape=rb"[0-3]\d[01]\d{8}",
        check=_amka,
        valid=("01013099997",),
        invalid=("01013099998", "01133099997"),
    ),
    Scheme(
        name="gr_afm",
        words=("αφμ",),
        guarded=("afm",),
        shape=rb"\d{9}",
        check=_afm,
        valid=("094259216",),
        invalid=("123456781",),
    ),
)
