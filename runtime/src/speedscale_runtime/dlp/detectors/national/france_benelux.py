"""France, Belgium, the Netherlands, Luxembourg.

Sources: INSEE (NIR: modulo 97, Corsica's departments 2A and 2B), DGFiP (SPI number, modulo 511), Belgian national
register (modulo 97, a 2 in front from the year 2000 on), RvIG (BSN, the test of eleven).
"""

from __future__ import annotations

from speedscale_runtime.dlp.detectors.checks import weighted

from .base import SEPARATOR, Scheme

_S = SEPARATOR + rb"?"


def _nir(text: bytes) -> str:
    number = text[:13].replace(b"2A", b"19").replace(b"2B", b"18")
    return "" if 97 - int(number) % 97 == int(text[13:]) else "fails modulo 97"


def _spi(text: bytes) -> str:
    return "" if int(text[:10]) % 511 == int(text[10:]) else "fails modulo 511"


def _be(text: bytes) -> str:
    body, check = text[:9], int(text[9:])
    return "" if check in (97 - int(body) % 97, 97 - int(b"2" + body) % 97) else "fails modulo 97"


def _bsn(text: bytes) -> str:
    text = text.rjust(9, b"0")
    if not text.strip(b"0"):
        return "nothing but zeros"
    return "" if (weighted(text, range(9, 1, -1)) - (text[8] - 48)) % 11 == 0 else "fails the test of eleven"


SCHEMES = (
    Scheme(
        name="fr_nir",
        words=("sécurité sociale", "sécu", "numéro de sécu", "insee", "securite sociale", "nir", "numéro insee"),
        shape=rb"[1-478]"
        + _S
        + rb"\d\d"
        + _S
        + rb"\d\d"
        + _S
        + rb"(?:\d\d|2[AB])"
        + _S
        + rb"\d{3}"
        + _S
        + rb"\d{3}"
        + _S
        + rb"\d\d",
        check=_nir,
        valid=("2 55 08 14 168 025 38", "255081416802538"),
        invalid=("255081416802537",),
    ),
    Scheme(
        name="fr_spi",
        words=("numéro fiscal", "numero fiscal", "identifiant fiscal"),
        guarded=("spi",),
        shape=rb"[0-3]\d ?\d\d ?\d{3} ?\d{3} ?\d{3}",
        check=_spi,
        valid=("30 23 217 600 053", "3023217600053"),
        invalid=("3023217600054",),
    ),
    Scheme(
        name="be_nn",
        words=("rijksregisternummer", "registre national", "numéro national", "insz", "niss", "national register"),
        shape=rb"\d\d[.\- ]?\d\d[.\- ]?\d\d[.\- ]?\d{3}[.\- ]?\d\d",
        check=_be,
        valid=("85.07.30-033.28", "85073003328"),
        invalid=("85.07.30-033.61",),
    ),
    Scheme(
        name="nl_bsn",
        words=("burgerservicenummer", "sofinummer", "bsn"),
        shape=rb"\d{4}[. ]?\d\d[. ]?\d{3}|\d{3}[. ]\d{3}[. ]\d{3}",
        check=_bsn,
        valid=("1112.22.333", "111222333"),
        invalid=("1112.52.333",),
    ),
)
