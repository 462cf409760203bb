"""What a value looks like to somebody who searches a recording for people: for the coverage report only.

Looser than the detectors, since a person decides about what is shown. Pure; a shape keeps classes of characters
and their order, never a character of a name or a number, and no length.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from enum import StrEnum

MAX_CHARS = 4096  # of a value; what stands behind is not looked at
_SHAPE_CHARS = 40
_WORD = re.compile(r"[^\W\d_]+(?:['’.\-][^\W\d_]+)*\.?")
_OPAQUE = re.compile(r"[A-Za-z0-9+/_\-=.~]{20,512}")
_PURE = re.compile(r"[0-9]+|[a-f0-9]+|[A-F0-9]+|[a-z]+|[A-Z]+|[A-Za-z]+(?:[-_./][A-Za-z]+)*")
_UUID = re.compile(r"\{?[0-9a-fA-F]{8}(?:-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}\}?")
_DATE = re.compile(r"(?:19\d\d|200\d|201[0-4])[-/.](?:0?[1-9]|1[0-2])[-/.](?:0?[1-9]|[12]\d|3[01])(?:T00:00:00.*)?")
_DAY_FIRST = re.compile(r"(?:0?[1-9]|[12]\d|3[01])[-/.](?:0?[1-9]|1[0-2])[-/.](?:19\d\d|200\d|201[0-4])")
_ANY_DATE = re.compile(r"\d{4}[-/. ]\d{1,2}[-/. ]\d{1,2}|\d{1,2}[-/. ]\d{1,2}[-/. ]\d{2,4}")
_LONG_NUMBER = re.compile(r"[0-9][0-9 .\-]{6,30}[0-9]")
_COORDINATE = re.compile(r"-?1?\d{1,2}\.\d{4,}")
_BITS = 3.4  # of entropy per character: words have less, random text has more


class Look(StrEnum):
    """What a value could be by its own looks."""

    PERSON_NAME = "two to four words that each begin with a capital"
    OPAQUE = "text that looks random"
    LONG_NUMBER = "a long number"
    OLD_DATE = "a date long past"
    COORDINATE = "a coordinate"
    FREE_TEXT = "a text of many words"


def look(value: str | int | float) -> Look | None:
    """Return what a value looks like, None where it looks like nothing in particular."""
    if isinstance(value, (int, float)):
        return _number(value)
    text = value[:MAX_CHARS].strip()
    if not text or _UUID.fullmatch(text):
        return None
    if _DATE.fullmatch(text) or _DAY_FIRST.fullmatch(text):
        return Look.OLD_DATE
    if _COORDINATE.fullmatch(text):
        return Look.COORDINATE
    if _LONG_NUMBER.fullmatch(text) and not _ANY_DATE.fullmatch(text):
        return Look.LONG_NUMBER if _is_long(re.sub(r"\D", "", text)) else None
    words = text.split()
    if len(words) >= 6:
        return Look.FREE_TEXT if sum(_WORD.match(w) is not None for w in words) >= 4 else None
    if 2 <= len(words) <= 4 and len(text) <= 60 and all(_WORD.fullmatch(w) and w[0].isupper() for w in words):
        return Look.PERSON_NAME
    if _OPAQUE.fullmatch(text) and not _PURE.fullmatch(text) and _bits(text) >= _BITS:
        return Look.OPAQUE
    return None


def _number(value: int | float) -> Look | None:
    if isinstance(value, float):
        return Look.COORDINATE if -180 <= value <= 180 and _COORDINATE.fullmatch(repr(value)) else None
    return Look.LONG_NUMBER if _is_long(str(abs(value))) else None


def _is_long(digits: str) -> bool:
    """Say whether digits could identify somebody: not few, and no time since 1970 in (milli-, micro-, nano-)seconds."""
    if not 8 <= len(digits) <= 24:
        return False
    return not (len(digits) in (10, 13, 16, 19) and digits[0] == "1" and digits[1] in "3456789")


def _bits(text: str) -> float:
    size = len(text)
    return -sum(n / size * math.log2(n / size) for n in Counter(text).values())


def shape(value: str | int | float) -> str:
    """Return the classes of a value's characters in order, runs as one: `Ada Lovelace` and `Bo Li` are `Aa Aa`."""
    text = value if isinstance(value, str) else repr(value)
    out: list[str] = []
    for char in text[:MAX_CHARS]:
        mark = _class(char)
        if not out or out[-1] != mark:
            out.append(mark)
            if len(out) >= _SHAPE_CHARS:
                return "".join(out) + "…"
    return "".join(out)


def _class(char: str) -> str:
    kind = unicodedata.category(char)
    if kind == "Lu":
        return "A"
    if kind[0] == "L":
        return "a"
    if kind[0] == "N":
        return "9"
    return " " if kind[0] in "ZC" else char if char.isascii() else "?"
