"""When a pair happened, for records and partitions. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

from speedscale_runtime.filters.timerange import to_ns
from speedscale_runtime.rrpair import RRPair

_LATEST_NS = 253_402_300_800 * 10**9  # the year 10000, where calendars of readers end


def of_pair(pair: RRPair, received_ns: int) -> int:
    """Return the pair's time in ns since 1970; that of its receipt where it has none that calendars know."""
    try:
        at = to_ns(str(pair.doc.get("ts") or ""))
    except (ValueError, OverflowError):
        return received_ns
    return at if 0 <= at < _LATEST_NS else received_ns


def utc(at_ns: int) -> datetime:
    """Return an instant as a datetime, UTC, to the second."""
    return datetime.fromtimestamp(at_ns // 10**9, UTC)
