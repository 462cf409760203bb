"""Which batches are on disk already, by sender: so that a repeated one is acknowledged and not stored twice.

Owned by `log`, which rebuilds it from the segments at start and writes it as a checkpoint at the head of each
segment, so that it outlives the segments. For each (sender, epoch): the highest sequence and which of the WINDOW
below it were seen; gaps are no error (a sender may give up a batch) and may still be filled within the window. What
is older than the window counts as seen. At most MAX_SENDERS are remembered; the one unheard of for longest goes.
"""

from __future__ import annotations

import json

WINDOW = 1024
MAX_SENDERS = 4096
_MASK = (1 << WINDOW) - 1


class SenderTable:
    """The table; not safe for threads by itself."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, int], tuple[int, int]] = {}  # → highest sequence, bits of those at and below it
        self.forgotten = 0

    def has(self, sender: str, epoch: int, sequence: int) -> bool:
        """Say whether this batch is stored."""
        high, bits = self._seen.get((sender, epoch), (-1, 0))
        if sequence > high:
            return False
        back = high - sequence
        return back >= WINDOW or bool(bits >> back & 1)

    def add(self, sender: str, epoch: int, sequence: int) -> None:
        """Note that this batch is stored."""
        key = (sender, epoch)
        high, bits = self._seen.pop(key, (sequence, 0))
        if sequence > high:
            step = sequence - high
            bits = (bits << step) & _MASK if step < WINDOW else 0
            high = sequence
        if high - sequence < WINDOW:
            bits |= 1 << (high - sequence)
        self._seen[key] = (high, bits)
        if len(self._seen) > MAX_SENDERS:
            del self._seen[next(iter(self._seen))]
            self.forgotten += 1

    def dump(self) -> bytes:
        """Return the table as JSON (what is missing of each, usually little), the longest unheard of first."""
        rows = [[*key, high, f"{bits ^ _all_bits(high):x}"] for key, (high, bits) in self._seen.items()]
        return json.dumps(rows, separators=(",", ":")).encode("utf-8")

    def load(self, data: bytes) -> None:
        """Take a checkpoint's rows in; a later one replaces what was known of its senders."""
        for sender, epoch, high, missing in json.loads(data):
            self._seen.pop((sender, epoch), None)
            self._seen[sender, epoch] = (high, int(missing, 16) ^ _all_bits(high))


def _all_bits(high: int) -> int:
    """Return the bits of a sender of whom every sequence from 0 to `high` was seen."""
    return (1 << min(high + 1, WINDOW)) - 1
