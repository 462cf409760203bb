"""Stored traffic: from the journal into Parquet, and back to whoever asks.

    journal (segments, fsync)  →  compaction  →  parts (Parquet objects, one hour of traffic each)  →  queries
                                                   ▲ catalogue in SQLite: what is not in it does not exist

A pair is in the journal when it is acknowledged. Compaction writes parts, and then, in one transaction, enters them in
the catalogue together with how far the journal was read: a crash at any moment neither loses nor doubles a pair. Who
reads has the journal compacted first, so that there is one place to look at.
"""

from .model import Filter, Part, Position
from .store import TrafficStore

__all__ = ["Filter", "Part", "Position", "TrafficStore"]
