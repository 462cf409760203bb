"""When a process that ended is started anew, and why it ended. Pure: a decision for each end.

Called by `supervisor`. Waits double from 0.2 s to 30 s and start anew after a minute of life; whoever lost the Lease
stands for election again at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

FIRST_S, LAST_S = 0.2, 30.0
SETTLED_S = 60.0
EXIT_SETTINGS, EXIT_LOST = 2, 3


class Cause(StrEnum):
    """Why a process is started anew; label of a metric."""

    LOST_LEASE = "lost_lease"
    SETTINGS = "settings"  # it could not start with what it is told
    STUCK = "stuck"  # it said so itself
    SILENT = "silent"  # it did not answer any more
    KILLED = "killed"  # by a signal; of memory, most often
    ENDED = "ended"


@dataclass(slots=True)
class Restarts:
    """The history of one process."""

    failures: int = 0  # in a row
    stuck: int = 0  # how often in a row it had to be killed

    def ended(self, code: int, lived_s: float, killed_for: Cause | None) -> tuple[Cause, float]:
        """Return why it ended and in how many seconds it is started again.

        `code` is as `Popen.returncode` has it; `killed_for` is what we killed it for, if we did.
        """
        cause = killed_for or _cause(code)
        if lived_s >= SETTLED_S:
            self.failures = 0
        if cause is Cause.LOST_LEASE:
            return cause, 0.0
        wait = min(FIRST_S * float(2 ** min(self.failures, 10)), LAST_S)
        self.failures += 1
        self.stuck = self.stuck + 1 if killed_for else 0
        return cause, wait


def _cause(code: int) -> Cause:
    if code < 0:
        return Cause.KILLED
    return {EXIT_SETTINGS: Cause.SETTINGS, EXIT_LOST: Cause.LOST_LEASE}.get(code, Cause.ENDED)
