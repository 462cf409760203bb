"""Points in time with nanoseconds, and ranges of them.

Called by `criteria` and `query`. `datetime` stops at microseconds, recordings do not.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from speedscale_runtime.rrpair import RRPair

_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9})\d*)?)?(Z|z|[+-]\d\d:\d\d)?)?", re.ASCII
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_ns(text: str) -> int:
    """Return nanoseconds since 1970 of an RFC 3339 time; a date alone is its midnight, no zone means UTC.

    Raises ValueError with what was expected.
    """
    found = _RFC3339.fullmatch(text.strip())
    if not found:
        raise ValueError(f"time {text!r}: expected RFC 3339, such as 2025-10-09T14:43:41Z")
    year, month, day, hour, minute, second = (int(g or 0) for g in found.groups()[:6])
    fraction, zone = found[7] or "", found[8] or "Z"
    offset = timedelta(0)
    if zone not in "Zz":
        offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:])) * (-1 if zone[0] == "-" else 1)
    try:
        moment = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC) - offset
    except (ValueError, OverflowError) as error:
        raise ValueError(f"time {text!r}: {error}") from None
    since = moment - _EPOCH
    seconds = since.days * 86400 + since.seconds + max(0, second - 59)
    return seconds * 1_000_000_000 + int(fraction.ljust(9, "0") or 0)


def within(start: str, end: str) -> Callable[[RRPair], bool]:
    """Return a predicate: the pair's `ts` is in [start, end]; an empty side is open. ValueError if not times."""
    low = to_ns(start) if start else None
    high = to_ns(end) if end else None
    if low is not None and high is not None and low > high:
        raise ValueError(f"time range starts at {start}, after its end {end}")

    def inside(pair: RRPair) -> bool:
        try:
            at = to_ns(str(pair.doc.get("ts") or ""))
        except ValueError:
            return False
        return (low is None or at >= low) and (high is None or at <= high)

    return inside
