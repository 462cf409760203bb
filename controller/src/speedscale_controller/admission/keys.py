"""Keys of snapshots that are at hand: those in ConfigMaps of the installation's namespace, which may be watched.

A replay that names another snapshot (in its own namespace, in a folder) is judged by the reconciler, which may take its
time and asks the API server.
"""

from __future__ import annotations

from dataclasses import dataclass

from speedscale_controller.reconciling import Scope, Watched
from speedscale_controller.snapshots import read_index
from speedscale_controller.snapshots.config_map import LABEL, config_map_name, files_of
from speedscale_kube import Object
from speedscale_kube.store import Store
from speedscale_schemas.errors import ConfigError

from .replays import TrafficKeys

MOST = 256


@dataclass(frozen=True, slots=True)
class Index:
    """A snapshot's keys."""

    tests: tuple[str, ...]
    mocks: tuple[str, ...]


def _index(obj: Object) -> Index | None:
    """Return the keys of a ConfigMap with a snapshot; None for one that cannot be read: the reconciler says why."""
    try:
        found = read_index(files_of(obj), str(obj["metadata"]["name"]))
    except ConfigError:
        return None
    return Index(tuple(found.tests), tuple(found.mocks))


SNAPSHOTS: Watched[Index] = Watched(
    "snapshots", "v1", "ConfigMap", _index, scope=Scope.OWN, labels=f"{LABEL},!replay.speedscale.com/id", limit=MOST
)


class SnapshotKeys:
    """Answers for `(namespace of the replay, snapshot id)`."""

    def __init__(self, store: Store[Index], own_namespace: str) -> None:
        self._store, self._own = store, own_namespace

    def __call__(self, namespace: str, snapshot: str) -> TrafficKeys | None:
        """Return the keys, None while they are not at hand. A replay elsewhere may have a snapshot of its own there."""
        if namespace != self._own:
            return None
        found = self._store.get((self._own, config_map_name(snapshot)))
        return None if found is None else TrafficKeys(found.tests, found.mocks)
