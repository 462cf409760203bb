"""What the backend answers when it does not do what was asked: one table from reason to status.

Raised by everything below the HTTP face as `Refused`; shown by it as `{"reason", "message"}`; a label of the metric.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

from speedscale_runtime.spool import Refusal


class Reason(StrEnum):
    """Why; the words that clients decide by."""

    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    THROTTLED = "throttled"
    NOT_FOUND = "not_found"
    NO_SUCH_OPERATION = "no_such_operation"
    INVALID = "invalid"
    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    NOTHING_SELECTED = "nothing_selected"
    CONFLICT = "conflict"
    BUSY = "busy"
    JOURNAL_FULL = "journal_full"
    DISK_FULL = "disk_full"
    DISK_ERROR = "disk_error"
    STORE_UNAVAILABLE = "store_unavailable"
    STOPPING = "stopping"
    SLOW = "slow"
    INTERNAL = "internal"


# reason → status, and seconds in Retry-After or None where the same would be refused again
ANSWERS: Mapping[Reason, tuple[int, int | None]] = {
    Reason.UNAUTHENTICATED: (401, None),
    Reason.FORBIDDEN: (403, None),
    Reason.THROTTLED: (429, 30),
    Reason.NOT_FOUND: (404, None),
    Reason.NO_SUCH_OPERATION: (404, None),
    Reason.INVALID: (400, None),
    Reason.MALFORMED: (400, None),
    Reason.TOO_LARGE: (413, None),
    Reason.NOTHING_SELECTED: (422, None),
    Reason.CONFLICT: (409, None),
    Reason.BUSY: (429, 1),
    Reason.JOURNAL_FULL: (429, 2),
    Reason.DISK_FULL: (503, 5),
    Reason.DISK_ERROR: (503, 5),
    Reason.STORE_UNAVAILABLE: (503, 5),
    Reason.STOPPING: (503, 1),
    Reason.SLOW: (408, None),
    Reason.INTERNAL: (500, None),
}


class Refused(Refusal):
    """Not done; `message` is for people and holds nothing of traffic, keys or tokens."""

    def __init__(self, reason: Reason, message: str = "", problems: Sequence[str] = ()) -> None:
        self.reason, self.message, self.problems = reason, message, tuple(problems)
        super().__init__(f"{reason}: {message}")


def not_found(what: str, name: str) -> Refused:
    """Return the refusal for a thing that is not there."""
    return Refused(Reason.NOT_FOUND, f"there is no {what} {name!r}")
