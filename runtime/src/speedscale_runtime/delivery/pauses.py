"""How long a receiver asks to be left alone. Pure but for the wall clock, which a date is compared with.

Used by everything of ours that sends over HTTP and tries again: the sidecar's sender, exporters, the backend's client,
results of a replay.
The pause between two attempts is the caller's own; what stands here only makes it longer.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_S = 300.0
"""Whatever is asked: a receiver whose clock is wrong, or that is none of ours, must not silence us for days."""


def _now() -> datetime:
    return datetime.now(UTC)


def retry_after(text: str | None, now: Callable[[], datetime] = _now) -> float:
    """Return the seconds that a Retry-After header asks for, 0 to LONGEST_S; 0 where nothing usable is said.

    RFC 9110 section 10.2.3 allows seconds or a date; a date without a zone is no HTTP-date and counts as nothing.
    """
    said = (text or "").strip()
    if said.isascii() and said.isdecimal():
        return min(float(said), LONGEST_S)
    try:
        at = parsedate_to_datetime(said)
        seconds = (at - now()).total_seconds() if at.tzinfo else 0.0
    except (TypeError, ValueError, OverflowError):
        return 0.0
    return min(max(seconds, 0.0), LONGEST_S)
