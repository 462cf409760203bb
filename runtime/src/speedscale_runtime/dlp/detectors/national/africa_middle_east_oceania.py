"""South Africa, Israel, the Emirates, Egypt, Nigeria, Australia, New Zealand.

Sources: Home Affairs of South Africa (Luhn), Israel's identity number (Luhn), Emirates ID (ISO 784, Luhn), Egyptian
national number (date and governorate), Australian Taxation Office (TFN, modulo 11) and Medicare (modulo 10), Inland
Revenue of New Zealand (IRD, modulo 11 twice).
"""

from __future__ import annotations

from speedscale_runtime.dlp.detectors.checks import day, luhn, weighted

from .base import Scheme

_LUHN = "fails the Luhn check"


def _za(text: bytes) -> str:
    if not day(int(text[2:4]), int(text[4:6])):
        return "no date in it"
    return "" if luhn(text) else _LUHN


def _il(text: bytes) -> str:
    return "" if text.strip(b"0") and luhn(text) else _LUHN


def _ae(text: bytes) -> str:
    return "" if luhn(text) else _LUHN


def _eg(text: bytes) -> str:
    return "" if day(int(text[3:5]), int(text[5:7])) else "no date in it"


def _tfn(text: bytes) -> str:
    total = weighted(text, (1, 4, 3, 7, 5, 8, 6, 9, 10) if len(text) == 9 else (10, 7, 8, 4, 6, 3, 5, 1))
    return "" if total % 11 == 0 else "fails modulo 11"


def _medicare(text: bytes) -> str:
    return "" if weighted(text, (1, 3, 7, 9, 1, 3, 7, 9)) % 10 == text[8] - 48 else "wrong check digit"


def _ird(text: bytes) -> str:
    body, digit = text[:-1].rjust(8, b"0"), text[-1] - 48
    check = -weighted(body, (3, 2, 7, 6, 5, 4, 3, 2)) % 11
    if check == 10:
        check = -weighted(body, (7, 4, 3, 2, 5, 2, 7, 6)) % 11
    return "" if check == digit and 10_000_000 < int(text) < 150_000_000 else "fails modulo 11"


SCHEMES = (
    Scheme(
        name="za_id",
        words=("south african id", "sa id", "rsa id", "identity number", "id number"),
        shape=rb"\d\d[01]\d[0-3]\d ?\d{4} ?[0-2]\d\d",
        check=_za,
        valid=("800101 5009 087", "9202204720083"),
        invalid=("9202204720082", "9232204720083"),
    ),
    Scheme(
        name="il_id",
        words=("teudat zehut", "תעודת זהות", "מספר זהות", "israeli id", "israel id"),
        shape=rb"\d{8}-?\d",
        check=_il,
        valid=("03933742-3", "039337423"),
        invalid=("393374231",),
    ),
    Scheme(
        name="ae_eid",
        words=("emirates id", "رقم الهوية", "eid number"),
        shape=rb"784-?\d{4}-?\d{7}-?\d",
        check=_ae,
        valid=("784-1990-1234567-6",),
        invalid=("784-1990-1234567-7",),
    ),
    Scheme(
        name="eg_id",
        words=("الرقم القومي", "egyptian national", "egypt id"),
        shape=rb"[23]\d\d[01]\d[0-3]\d{8}",
        check=_eg,
        valid=("29001011234567",),
        invalid=("29013011234567",),
    ),
    Scheme(
        name="au_tfn",
        words=("tax file number", "tax file"),
        guarded=("tfn",),
        shape=rb"\d{3} ?\d{3} ?\d{2,3}",
        check=_tfn,
        valid=("123 456 782", "876543210"),
        invalid=("999 999 999",),
    ),
    Scheme(
        name="au_medicare",
        words=("medicare", "medicare card", "medicare number", "medicare no"),
        shape=rb"[2-6]\d{3}[ \-]?\d{5}[ \-]?\d(?:[ \-/]?\d)?",
        check=_medicare,
        valid=("2123 45670 1", "2428778132"),
        invalid=("2123 45671 1",),
    ),
    Scheme(
        name="nz_ird",
        words=("ird number", "inland revenue number", "ird no"),
        guarded=("ird",),
        shape=rb"\d{2,3}-?\d{3}-?\d{3}",
        check=_ird,
        valid=("49-098-576", "136410132"),
        invalid=("136410133",),
    ),
)
