"""Instants of pairs as nanoseconds since 1970, since datetime keeps only microseconds. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:?\d\d)?", re.IGNORECASE)


def nanoseconds(text: str) -> int:
    """Return an RFC 3339 instant (UTC where no zone is given); ValueError where the text is none."""
    match = _RFC3339.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no RFC 3339 time such as 2026-01-31T12:00:00Z")
    day, clock, fraction, zone = match.groups()
    offset = "+00:00" if zone in (None, "Z", "z") else zone
    whole = datetime.fromisoformat(f"{day}T{clock}{offset}")
    return int(whole.timestamp()) * 1_000_000_000 + int((fraction or "").ljust(9, "0"))


def of_datetime(at: datetime) -> int:
    """Return a datetime's instant; one without a zone is taken as UTC."""
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    return int(aware.timestamp()) * 1_000_000_000 + aware.microsecond * 1000
