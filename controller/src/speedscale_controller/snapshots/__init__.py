"""Snapshots as the cluster has them: found by id, indexed by what traffic they hold, given to pods as a volume.

Called by the replays' reconciler and by `speedctl infra`. `config_map` makes one of a snapshot's files.
"""

from .backend import Backend, BackendAwayError, in_cluster
from .config_map import MAX_BYTES, config_map, config_map_name, volume
from .index import SnapshotIndex, Traffic, placeholders, read_index
from .sources import LATEST, Found, SnapshotError, Snapshots, SnapshotSource

__all__ = [
    "LATEST",
    "MAX_BYTES",
    "Backend",
    "BackendAwayError",
    "Found",
    "SnapshotError",
    "SnapshotIndex",
    "SnapshotSource",
    "Snapshots",
    "Traffic",
    "config_map",
    "config_map_name",
    "in_cluster",
    "placeholders",
    "read_index",
    "volume",
]
