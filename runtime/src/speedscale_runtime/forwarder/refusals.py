"""Why a batch is refused: one table of reason, status, and how long the sender shall wait."""

from __future__ import annotations

from enum import StrEnum

from speedscale_runtime.spool import Refusal


class Reason(StrEnum):
    """The `reason` in the answer, and the label of the metric."""

    HTTP = "http"
    VERSION = "version"
    SENDER = "sender"
    SEQUENCE = "sequence"
    MALFORMED = "malformed"
    ENCODING = "encoding"
    TOO_LARGE = "too_large"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_LOOPBACK = "not_loopback"
    BUSY = "busy"
    SPOOL_FULL = "spool_full"
    DISK_FULL = "disk_full"
    DISK_ERROR = "disk_error"
    RULES = "rules"
    STOPPING = "stopping"
    SLOW = "slow"
    INTERNAL = "internal"


# reason → (status, seconds in Retry-After or None where the same batch would be refused again)
ANSWERS: dict[Reason, tuple[int, int | None]] = {
    Reason.HTTP: (400, None),
    Reason.VERSION: (400, None),
    Reason.SENDER: (400, None),
    Reason.SEQUENCE: (400, None),
    Reason.MALFORMED: (400, None),
    Reason.ENCODING: (400, None),
    Reason.TOO_LARGE: (413, None),
    Reason.UNAUTHENTICATED: (401, None),
    Reason.FORBIDDEN: (403, None),
    Reason.NOT_LOOPBACK: (403, None),
    Reason.BUSY: (429, 1),
    Reason.SPOOL_FULL: (429, 2),
    Reason.DISK_FULL: (503, 5),
    Reason.DISK_ERROR: (503, 5),
    Reason.RULES: (503, 5),
    Reason.STOPPING: (503, 1),
    Reason.SLOW: (503, 1),
    Reason.INTERNAL: (503, 1),
}


class Refused(Refusal):
    """A batch is not taken; `detail` is for people and holds nothing of the traffic."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        self.reason, self.detail = reason, detail
        super().__init__(f"{reason}: {detail}")
