"""What keeps a recording's forwarder from storing or writing pairs, told to the user once for each reason.

Used by `record`. Pure but for one line on stderr; the forwarder's status comes from the caller.
"""

from __future__ import annotations

import sys
from typing import Any

_WHY = {
    "disk_full": "the disk is full; what comes waits in memory and in a spill file: free some space",
    "disk_error": "the disk cannot be written to",
    "spool_full": "writing is slower than recording and the spool is full; what comes waits",
    "rules": "a filter or DLP rule is not loaded",
}


class Trouble:
    """Remembers what was said and what the counts were."""

    def __init__(self) -> None:
        self._said: set[str] = set()
        self._refused: dict[str, int] = {}

    def look(self, status: dict[str, Any]) -> None:
        """Take the forwarder's status; print what is wrong now and was not said before."""
        refused: dict[str, int] = status.get("refused", {})
        for reason, count in refused.items():
            if reason in _WHY and count > self._refused.get(reason, 0):
                self._say(_WHY[reason])
        self._refused = dict(refused)
        for exporter in status.get("exporters", {}).values():
            if exporter.get("lastError"):
                self._say(f"pairs cannot be written: {exporter['lastError']}; they are kept and tried again")

    def _say(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            print(f"speedctl: {text}", file=sys.stderr, flush=True)
