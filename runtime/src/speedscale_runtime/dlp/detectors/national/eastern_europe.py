"""Poland, Czechia and Slovakia, Romania, Bulgaria, Croatia, former Yugoslavia, Russia, Ukraine, Turkey.

Sources: the acts that define PESEL, NIP, rodné číslo (divisible by eleven), CNP, EGN, OIB (ISO 7064 modulo 11 and 10)
and JMBG; Russian pension fund (SNILS, modulo 101) and tax service (INN of a person, two check digits), Ukrainian
registration number, Turkish identity number.
"""

from __future__ import annotations

from speedscale_runtime.dlp.detectors.checks import day, mod_11_10, weighted

from .base import Scheme

_WRONG = "wrong check digit"


def _pesel(text: bytes) -> str:
    if not day(int(text[2:4]) % 20, int(text[4:6])):
        return "no date in it"
    return "" if -weighted(text, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)) % 10 == text[10] - 48 else _WRONG


def _nip(text: bytes) -> str:
    return "" if weighted(text, (6, 5, 7, 2, 3, 4, 5, 6, 7)) % 11 == text[9] - 48 else _WRONG


def _rc(text: bytes) -> str:
    month = int(text[2:4]) % 50
    if not day(month - 20 if month > 20 else month, int(text[4:6])):
        return "no date in it"
    if len(text) == 9:
        return ""  # before 1954, without a check digit
    return "" if int(text[:9]) % 11 % 10 == text[9] - 48 else "not divisible by eleven"


def _cnp(text: bytes) -> str:
    if not day(int(text[3:5]), int(text[5:7])):
        return "no date in it"
    digit = weighted(text, (2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9)) % 11
    return "" if (1 if digit == 10 else digit) == text[12] - 48 else _WRONG


def _egn(text: bytes) -> str:
    if not day(int(text[2:4]) % 20, int(text[4:6])):
        return "no date in it"
    return "" if weighted(text, (2, 4, 8, 5, 10, 9, 7, 3, 6)) % 11 % 10 == text[9] - 48 else _WRONG


def _oib(text: bytes) -> str:
    return "" if mod_11_10(text) else "fails modulo 11 and 10"


def _jmbg(text: bytes) -> str:
    if not day(int(text[2:4]), int(text[:2])):
        return "no date in it"
    digit = -weighted(text, (7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return "" if digit == text[12] - 48 else _WRONG


def _snils(text: bytes) -> str:
    return "" if weighted(text, range(9, 0, -1)) % 101 % 100 == int(text[9:]) else "fails modulo 101"


def _inn(text: bytes) -> str:
    first = weighted(text, (7, 2, 4, 10, 3, 5, 9, 4, 6, 8)) % 11 % 10
    second = weighted(text, (3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8)) % 11 % 10
    return "" if text[10:] == b"%d%d" % (first, second) else "wrong check digits"


def _ua(text: bytes) -> str:
    return "" if weighted(text, (-1, 5, 7, 9, 4, 6, 10, 5, 7)) % 11 % 10 == text[9] - 48 else _WRONG


def _tr(text: bytes) -> str:
    digits = [d - 48 for d in text]
    tenth = (7 * sum(digits[0:9:2]) - sum(digits[1:8:2])) % 10
    return "" if digits[9] == tenth and digits[10] == sum(digits[:10]) % 10 else "wrong check digits"


SCHEMES = (
    Scheme(
        name="pl_pesel",
        words=("pesel", "numer pesel"),
        shape=rb"\d{11}",
        check=_pesel,
        valid=("44051401359", "92060512186"),
        invalid=("44051401358", "44351401359"),
    ),
    Scheme(
        name="pl_nip",
        words=("numer identyfikacji podatkowej",),
        guarded=("nip",),
        shape=rb"\d{3}-?\d{3}-?\d\d-?\d\d|\d{3}-\d\d-\d\d-\d{3}",
        check=_nip,
        valid=("856-734-62-15", "8567346215"),
        invalid=("8567346216",),
    ),
    Scheme(
        name="cz_sk_rc",
        words=("rodné číslo", "rodne cislo", "rodnécíslo"),
        shape=rb"\d\d[0-8]\d[0-3]\d/?\d{3,4}",
        check=_rc,
        valid=("710319/2745", "7103192745"),
        invalid=("710319/2746", "711719/2745"),
    ),
    Scheme(
        name="ro_cnp",
        words=("cod numeric personal",),
        guarded=("cnp",),
        shape=rb"[1-9]\d{12}",
        check=_cnp,
        valid=("1630615123457",),
        invalid=("1630615123458", "1631315123457"),
    ),
    Scheme(
        name="bg_egn",
        words=("единен граждански номер", "егн"),
        guarded=("egn",),
        shape=rb"\d{10}",
        check=_egn,
        valid=("7523169263",),
        invalid=("7523169264",),
    ),
    Scheme(
        name="hr_oib",
        words=("osobni identifikacijski broj",),
        guarded=("oib",),
        shape=rb"\d{11}",
        check=_oib,
        valid=("33392005961",),
        invalid=("33392005962",),
    ),
    Scheme(
        name="yu_jmbg",
        words=("jmbg", "jedinstveni matični broj", "emšo", "emso", "јмбг"),
        shape=rb"[0-3]\d[01]\d{10}",
        check=_jmbg,
        valid=("0101006500006",),
        invalid=("0101006500007", "3213006500006"),
    ),
    Scheme(
        name="ru_snils",
        words=("снилс", "snils"),
        shape=rb"\d{3}-?\d{3}-?\d{3}[ \-]?\d\d",
        check=_snils,
        valid=("112-233-445 95", "11223344595"),
        invalid=("112-233-445 96",),
    ),
    Scheme(
        name="ru_inn",
        words=("инн",),
        guarded=("inn",),
        shape=rb"\d{12}",
        check=_inn,
        valid=("500100732259",),
        invalid=("500100732258",),
    ),
    Scheme(
        name="ua_rnokpp",
        words=("рнокпп", "ідентифікаційний код", "іпн", "rnokpp"),
        shape=rb"\d{10}",
        check=_ua,
        valid=("1759013776",),
        invalid=("1759013777",),
    ),
    Scheme(
        name="tr_kimlik",
        words=("tc kimlik", "kimlik no", "kimlik numarası", "tckn", "t c kimlik", "tckimlik"),
        shape=rb"[1-9]\d{10}",
        check=_tr,
        valid=("10000000146", "17291716060"),
        invalid=("17291716050",),
    ),
)
