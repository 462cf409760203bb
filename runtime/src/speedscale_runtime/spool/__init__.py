"""The spool: what was acknowledged, on disk, until every reader has it; and the batches that fill it.

Used by the forwarder, before its exporters, and by the backend, before its store of traffic.
"""

from .committer import Committer
from .cursors import Cursors
from .log import Limits, Recovery, SegmentLog, SpoolFull, SpoolLocked
from .reader import Reader
from .reception import Reception, Refusal, Why
from .records import Position, Record

__all__ = [
    "Committer",
    "Cursors",
    "Limits",
    "Position",
    "Reader",
    "Reception",
    "Record",
    "Recovery",
    "Refusal",
    "SegmentLog",
    "SpoolFull",
    "SpoolLocked",
    "Why",
]
