"""Why a call is refused, and with which status; one table. Reasons are a metric's label too."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why."""

    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_READY = "not_ready"
    NOT_FOUND = "not_found"
    MALFORMED = "malformed"
    BAD_ARCHIVE = "bad_archive"
    TOO_LARGE = "too_large"
    FULL = "full"
    SLOW = "slow"
    BUSY = "busy"
    INTERNAL = "internal"


ANSWERS: dict[Reason, tuple[int, int | None]] = {
    Reason.UNAUTHENTICATED: (401, None),
    Reason.FORBIDDEN: (403, None),
    Reason.NOT_READY: (503, 2),
    Reason.NOT_FOUND: (404, None),
    Reason.MALFORMED: (400, None),
    Reason.BAD_ARCHIVE: (400, None),
    Reason.TOO_LARGE: (413, None),
    Reason.FULL: (507, 10),
    Reason.SLOW: (408, 1),
    Reason.BUSY: (429, 1),
    Reason.INTERNAL: (500, 2),
}
"""Status, and after how many seconds to try again (None: the connection is closed)."""


class Refused(Exception):
    """A call that is not carried out; `detail` is for people and has no payload."""

    def __init__(self, reason: Reason, detail: str = "", retry_after_s: int | None = None) -> None:
        self.reason, self.detail, self.retry_after_s = reason, detail, retry_after_s
        super().__init__(f"{reason}: {detail}")
