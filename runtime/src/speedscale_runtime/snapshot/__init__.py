"""Snapshots: immutable, content-addressed selections of recorded pairs, and the one way to read them.

`create` is called by `speedctl snapshot create` and the cluster's snapshot maker; `open` by responder, generator,
report and speedctl. `open` reads a snapshot directory, a tar of one, or a plain recording, alike.
"""

from __future__ import annotations

from .create import PAIRS_MAX, create
from .layout import snapshots_home
from .reader import Snapshot, open, resolve
from .selection import Selection

__all__ = ["PAIRS_MAX", "Selection", "Snapshot", "create", "open", "resolve", "snapshots_home"]
