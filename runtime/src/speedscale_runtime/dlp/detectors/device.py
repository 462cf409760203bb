"""Devices and vehicles that are somebody's: IMEI (3GPP TS 23.003 section 6.2) and VIN (ISO 3779, 49 CFR 565.15).

In running text check digits and a word before it decide; under a name for one its shape does (European vehicles have no
check digit, and test data seldom a right one).
"""

from __future__ import annotations

import re

from .base import Detector, KeyRule, Verdict, whole
from .checks import luhn

_NEAR = 48  # bytes before a value in which its word has to stand
_IMEI_WORD = re.compile(rb"(?i)(?<![A-Za-z0-9])(?:imei(?:sv)?\d?|meid)(?![A-Za-z])")
_VIN_WORD = re.compile(
    rb"(?i)(?<![A-Za-z0-9])(?:vin|chassis(?: ?(?:no|number|nummer))?|vehicle[ _\-]?id\w{0,20}|"
    rb"fahrgestellnummer|fahrzeug-?ident\w{0,20}|fin)(?![A-Za-z])"
)
_IMEI = rb"\d{2}[ \-]?\d{6}[ \-]?\d{6}[ \-]?\d"
_VIN = rb"[A-HJ-NPR-Z0-9]{8}[0-9X][A-HJ-NPR-Z0-9]{8}"
_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
_VALUES = dict(
    zip(b"ABCDEFGHJKLMNPRSTUVWXYZ", (1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 7, 9, 2, 3, 4, 5, 6, 7, 8, 9), strict=True)
)
_VALUES |= {48 + i: i for i in range(10)}


def vin(text: bytes) -> bool:
    """Say whether 17 characters in upper case have the check digit of a vehicle sold in North America."""
    total = sum(_VALUES[c] * w for c, w in zip(text, _WEIGHTS, strict=True)) % 11
    return text[8:9] == (b"X" if total == 10 else b"%d" % total)


def _validate_imei(match: re.Match[bytes], data: bytes) -> Verdict:
    if not luhn(match.group().replace(b" ", b"").replace(b"-", b"")):
        return "wrong check digit"
    if _IMEI_WORD.search(data, max(0, match.start() - _NEAR), match.start()) is None:
        return f"no word for it in the {_NEAR} bytes before"
    return whole(match, "15 digits and their check digit, behind a word for an IMEI")


def _validate_vin(match: re.Match[bytes], data: bytes) -> Verdict:
    if not vin(match.group().upper()):
        return "wrong check digit"
    if _VIN_WORD.search(data, max(0, match.start() - _NEAR), match.start()) is None:
        return f"no word for it in the {_NEAR} bytes before"
    return whole(match, "17 characters and their check digit, behind a word for a vehicle")


_IMEI_SHAPE = re.compile(rb"(?:\d[ \-]?){13,15}\d")
_VIN_SHAPE = re.compile(rb"(?i)(?=.*\d)[A-HJ-NPR-Z0-9]{17}")


def _accept_imei(value: bytes) -> str:
    return "digits of an IMEI under a key for it" if _IMEI_SHAPE.fullmatch(value.strip()) else ""


def _accept_vin(value: bytes) -> str:
    return "17 characters under a key for a vehicle" if _VIN_SHAPE.fullmatch(value.strip()) else ""


DETECTORS = (
    Detector(
        name="imei",
        kind="DEVICE_ID",
        prefilter=(r"(?:imei|meid)[^\n]{0,44}[0-9]{2}[ \-+]?[0-9]{6}[ \-+]?[0-9]{6}",),
        grammar=re.compile(rb"(?<![\w.\-+/])" + _IMEI + rb"(?![\w]|[.\-/]\w)"),
        validate=_validate_imei,
        before=24,
        after=8,
        examples=("IMEI: 490154203237518", "imei 35-209900-176148-1"),
        counter_examples=("IMEI: 490154203237519", "order 490154203237518"),
        caseless=True,
        near=_IMEI_WORD,
    ),
    Detector(
        name="vin",
        kind="VEHICLE_ID",
        prefilter=(
            r"(?:vin|chassis|vehicle|fahrgestell|fahrzeug|fin)[^\n]{0,60}[A-HJ-NPR-Z0-9]{8}[0-9X][A-HJ-NPR-Z0-9]{8}",
        ),
        grammar=re.compile(rb"(?i)(?<![\w.\-+/])" + _VIN + rb"(?![\w]|[.\-/]\w)"),
        validate=_validate_vin,
        before=24,
        after=8,
        examples=("VIN 1M8GDM9AXKP042788", "vehicle identification number: 5GZCZ43D13S812715"),
        counter_examples=("VIN 1M8GDM9A1KP042788", "build 1M8GDM9AXKP042788", "vin chaud"),
        caseless=True,
        near=_VIN_WORD,
    ),
)
_PLATE = re.compile(rb"(?=.*\d)[A-Za-z0-9\x80-\xff][A-Za-z0-9\x80-\xff .\-]{2,15}")


def _accept_plate(value: bytes) -> str:
    return "letters and digits under a key for a number plate" if _PLATE.fullmatch(value.strip()) else ""


KEY_RULES = (
    KeyRule(
        name="imei_key",
        kind="DEVICE_ID",
        names=("imei", "imeisv", "meid", "imei number"),
        accept=_accept_imei,
        numbers=True,
        examples=(("imei", "490154203237518"), ("deviceImei", "35-209900-176148-1")),
        counter_examples=(("imei", "unknown"), ("device", "490154203237518")),
        group="imei",
    ),
    KeyRule(
        name="vin_key",
        kind="VEHICLE_ID",
        names=("vin", "vin number", "vehicle identification number", "chassis number", "fahrgestellnummer"),
        accept=_accept_vin,
        examples=(("vin", "WVWZZZ1JZXW000001"), ("vehicleVin", "1M8GDM9AXKP042788")),
        counter_examples=(("vin", "Bordeaux"), ("vin", "ABCDEFGHJKLMNPRST"), ("bovine", "1M8GDM9AXKP042788")),
        group="vin",
    ),
    KeyRule(
        name="plate_key",
        kind="VEHICLE_ID",
        names=(
            "license plate",
            "licence plate",
            "plate number",
            "number plate",
            "registration plate",
            "plate no",
            "kfz kennzeichen",
            "kennzeichen",
            "immatriculation",
            "targa",
            "kenteken",
            "车牌号",
            "车牌",
        ),
        excluded=frozenset(("state", "country", "type", "required", "count", "format")),
        accept=_accept_plate,
        examples=(("licensePlate", "ABC-1234"), ("Kennzeichen", "B AB 1234"), ("车牌号", "京A12345")),
        counter_examples=(("licensePlate", "unknown"), ("plate_number_format", "AA 1234"), ("template", "ABC-1234")),
        group="vin",
    ),
)
