"""The string formats that our schemas use, checked strictly; unknown formats are not judged.

Called by `validation` only. Source: JSON Schema 2020-12, validation section 7.3.
"""

from __future__ import annotations

import re
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import urlsplit
from uuid import UUID

from jsonschema import FormatChecker

FORMATS = FormatChecker(formats=())

_DATE_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


@FORMATS.checks("date-time", raises=ValueError)
def _date_time(value: object) -> bool:
    text = _text(value)
    if text is None:
        return True
    match = _DATE_TIME.fullmatch(text)
    return match is not None and datetime.fromisoformat(f"{match[1]}T{match[2]}") is not None


@FORMATS.checks("date", raises=ValueError)
def _date(value: object) -> bool:
    text = _text(value)
    return text is None or (len(text) == 10 and datetime.strptime(text, "%Y-%m-%d") is not None)


@FORMATS.checks("uri", raises=ValueError)
def _uri(value: object) -> bool:
    text = _text(value)
    if text is None:
        return True
    parts = urlsplit(text)
    return bool(parts.scheme and (parts.netloc or parts.path)) and not re.search(r"\s", text)


@FORMATS.checks("regex", raises=re.error)
def _regex(value: object) -> bool:
    text = _text(value)
    return text is None or re.compile(text) is not None


@FORMATS.checks("ipv4", raises=ValueError)
def _ipv4(value: object) -> bool:
    text = _text(value)
    return text is None or IPv4Address(text) is not None


@FORMATS.checks("ipv6", raises=ValueError)
def _ipv6(value: object) -> bool:
    text = _text(value)
    return text is None or IPv6Address(text) is not None


@FORMATS.checks("uuid", raises=ValueError)
def _uuid(value: object) -> bool:
    text = _text(value)
    return text is None or (len(text) == 36 and UUID(text) is not None)
