"""Counters that outlive the worker: an array of 64-bit numbers in memory shared by supervisor and worker.

The worker counts what it sees; when it is killed, the supervisor (which holds the same memory) closes the books:
what was in flight becomes `dropped{worker_died}`. So the invariant

    seen == captured + sum(dropped) + in flight

holds at every moment that nobody is between two of its additions, over any number of workers.

Single writer per slot: the worker while it lives, the supervisor for its own slots and, between two workers, for
all. Standard library only. No policy here.
"""

from __future__ import annotations

import os

from .causes import Drop, Opaque, Refuse, Send, Side

_NAMES: list[str] = [
    "seen",
    "captured",
    "truncated",
    "heartbeat",
    "worker_starts",
    "queue_bytes",
    "spill_bytes",
    "batch_retries",
    "certificate_rejected",
    *(f"opened.{s}" for s in Side),
    *(f"closed.{s}" for s in Side),
    *(f"cut.{s}" for s in Side),
    *(f"supervised.{s}" for s in Side),
    *(f"bytes.{s}" for s in Side),
    *(f"dropped.{c}" for c in Drop),
    *(f"opaque.{c}" for c in Opaque),
    *(f"refused.{c}" for c in Refuse),
    *(f"sent.{c}" for c in Send),
]
SLOTS: dict[str, int] = {name: i for i, name in enumerate(_NAMES)}
_SIZE = 8 * len(_NAMES)

SEEN = SLOTS["seen"]
CAPTURED = SLOTS["captured"]
TRUNCATED = SLOTS["truncated"]
HEARTBEAT = SLOTS["heartbeat"]
DROPPED = {c: SLOTS[f"dropped.{c}"] for c in Drop}
OPAQUE = {c: SLOTS[f"opaque.{c}"] for c in Opaque}
REFUSED = {c: SLOTS[f"refused.{c}"] for c in Refuse}
SENT = {c: SLOTS[f"sent.{c}"] for c in Send}
OPENED = {s: SLOTS[f"opened.{s}"] for s in Side}
CLOSED = {s: SLOTS[f"closed.{s}"] for s in Side}
CUT = {s: SLOTS[f"cut.{s}"] for s in Side}
SUPERVISED = {s: SLOTS[f"supervised.{s}"] for s in Side}
BYTES = {s: SLOTS[f"bytes.{s}"] for s in Side}


class Ledger:
    """The shared numbers; `cells[SLOT] += n` counts."""

    def __init__(self, fd: int) -> None:
        """Map the memory behind `fd`, which `create` made; the descriptor stays the caller's."""
        import mmap

        self.fd = fd
        self._map = mmap.mmap(fd, _SIZE)
        self.cells: memoryview = memoryview(self._map).cast("q")

    @classmethod
    def create(cls) -> Ledger:
        """Make a ledger of zeros in anonymous memory whose descriptor a child can inherit."""
        fd = os.memfd_create("speedscale-ledger", 0)
        os.ftruncate(fd, _SIZE)
        return cls(fd)

    def get(self, name: str) -> int:
        """Return a counter by its name, e.g. `dropped.queue_full`; KeyError for an unknown one."""
        return int(self.cells[SLOTS[name]])

    def in_flight(self) -> int:
        """Return how many pairs were seen and are neither captured nor dropped."""
        cells = self.cells
        return int(cells[SEEN] - cells[CAPTURED] - sum(cells[i] for i in DROPPED.values()))

    def close_books(self) -> tuple[int, int]:
        """Count what a dead worker had in hand: pairs as dropped, connections as cut; return both numbers."""
        cells = self.cells
        lost = self.in_flight()
        cells[DROPPED[Drop.WORKER_DIED]] += lost
        cut = 0
        for side in Side:
            open_now = cells[OPENED[side]] - cells[CLOSED[side]]
            cells[CUT[side]] += open_now
            cells[CLOSED[side]] += open_now
            cut += open_now
        cells[SLOTS["queue_bytes"]] = cells[SLOTS["spill_bytes"]] = 0
        return lost, cut

    def snapshot(self) -> dict[str, object]:
        """Return all counters as nested plain data, with `in_flight` and whether the sums agree."""
        out: dict[str, object] = {}
        for name, index in SLOTS.items():
            group, _, label = name.partition(".")
            value = int(self.cells[index])
            if label:
                nested = out.setdefault(group, {})
                assert isinstance(nested, dict)
                nested[label] = value
            elif name != "heartbeat":
                out[name] = value
        out["in_flight"] = self.in_flight()
        return out

    def close(self) -> None:
        """Unmap and close; for tests and orderly ends."""
        self.cells.release()
        self._map.close()
        os.close(self.fd)
