"""Sweden, Norway, Denmark, Finland, Iceland, Estonia, Latvia, Lithuania.

Sources: Skatteverket (personnummer, Luhn over ten digits), Skatteetaten (fødselsnummer, two checks modulo 11), CPR-
kontoret (a date and four digits; no check since 2007), DVV (henkilötunnus, modulo 31), Þjóðskrá (kennitala), and the
shared check of Estonia and Lithuania (isikukood, asmens kodas).
"""

from __future__ import annotations

from speedscale_runtime.dlp.detectors.checks import day, luhn, weighted

from .base import Scheme

_HETU = b"0123456789ABCDEFHJKLMNPRSTUVWXY"


def _se(text: bytes) -> str:
    digits = text.replace(b"+", b"")[-10:]
    born = int(digits[4:6])
    if not day(int(digits[2:4]), born - 60 if born > 60 else born):
        return "no date in it"
    return "" if luhn(digits) else "fails the Luhn check"


def _no(text: bytes) -> str:
    first = weighted(text, (3, 7, 6, 1, 8, 9, 4, 5, 2, 1)) % 11
    second = weighted(text, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11
    return "" if first == second == 0 else "fails a check modulo 11"


def _dk(text: bytes) -> str:
    return "" if day(int(text[2:4]), int(text[:2])) else "no date in it"


def _fi(text: bytes) -> str:
    if not day(int(text[2:4]), int(text[:2])):
        return "no date in it"
    digits = text[:6] + text[-4:-1]
    return "" if _HETU[int(digits) % 31] == text[-1] else "wrong check character"


def _is(text: bytes) -> str:
    digit = -weighted(text, (3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return "" if digit == text[8] - 48 and text[9:] in (b"0", b"8", b"9") else "wrong check digit"


def _baltic(text: bytes) -> str:
    digit = weighted(text, (1, 2, 3, 4, 5, 6, 7, 8, 9, 1)) % 11
    if digit == 10:
        digit = weighted(text, (3, 4, 5, 6, 7, 8, 9, 1, 2, 3)) % 11 % 10
    return "" if digit == text[10] - 48 else "wrong check digit"


def _lv(text: bytes) -> str:
    if text[:2] == b"32":
        return ""  # issued since 2017, without a check digit
    digit = (1 + weighted(text, (10, 5, 8, 4, 2, 1, 6, 3, 7, 9))) % 11 % 10
    return "" if digit == text[10] - 48 else "wrong check digit"


SCHEMES = (
    Scheme(
        name="se_personnummer",
        words=("personnummer", "samordningsnummer", "personnr"),
        shape=rb"(?:19|20)?\d\d[01]\d[0-9]\d[\-+]?\d{4}",
        check=_se,
        valid=("880320-0016", "19880320-0016", "8803200016"),
        invalid=("880320-0018", "881320-0016"),
    ),
    Scheme(
        name="no_fodselsnummer",
        words=("fødselsnummer", "fodselsnummer", "personnummer", "fødselsnr", "d nummer"),
        shape=rb"[0-7]\d[0-9]\d{3} ?\d{5}",
        check=_no,
        valid=("151086 95088", "15108695088"),
        invalid=("15108695077",),
    ),
    Scheme(
        name="dk_cpr",
        words=("cpr nummer", "cprnummer", "personnummer", "cpr nr", "cpr number"),
        guarded=("cpr",),
        shape=rb"[0-3]\d[01]\d\d\d[\- ]?\d{4}",
        check=_dk,
        valid=("211062-5629", "2110625629"),
        invalid=("321062-5629", "211362-5629"),
    ),
    Scheme(
        name="fi_hetu",
        words=("henkilötunnus", "hetu", "personbeteckning", "sotu"),
        shape=rb"[0-3]\d[01]\d\d\d[\-+A-FYXWVU]\d{3}[0-9A-FHJ-NPR-Y]",
        check=_fi,
        valid=("131052-308T", "131052A308T"),
        invalid=("131052-308U", "131352-308T"),
    ),
    Scheme(
        name="is_kennitala",
        words=("kennitala",),
        shape=rb"[0-7]\d[01]\d\d\d-?\d{4}",
        check=_is,
        valid=("450401-3150", "120174-3399"),
        invalid=("530575-0299",),
    ),
    Scheme(
        name="ee_lt_code",
        words=("isikukood", "asmens kodas", "personal code"),
        shape=rb"[1-8]\d{10}",
        check=_baltic,
        valid=("36805280109", "33309240064"),
        invalid=("36805280108",),
    ),
    Scheme(
        name="lv_code",
        words=("personas kods", "personal code"),
        shape=rb"\d{6}-?\d{5}",
        check=_lv,
        valid=("161175-19997", "16117519997"),
        invalid=("161375-19998",),
    ),
)
