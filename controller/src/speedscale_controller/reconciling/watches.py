"""All collections that one process watches, each with its store: begun together, asked about together.

Called by the manager for the leading process and by admission for its own. A collection that several parts name is
watched once. What is watched by name (a right on named objects allows no other way) has a reflector for each name.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog

from speedscale_controller.settings import Settings
from speedscale_controller.telemetry import Metrics
from speedscale_kube import Client
from speedscale_kube.reflector import Reflector, Sign, State
from speedscale_kube.stop import Stop
from speedscale_kube.store import Key, Store

from .watched import Scope, Watched

P = TypeVar("P")
STUCK_S = 900.0
"""A watch that claims to run and has been silent for so long hangs: bookmarks come each minute, an end each 300 s."""

_POLL_S = 0.1
_log = structlog.get_logger("speedscale_controller")


@dataclass(frozen=True, slots=True)
class Trouble:
    """A collection that is not mirrored now: in which namespace (empty: everywhere), its state, the server's words."""

    watch: str
    kind: str
    namespace: str
    state: State
    reason: str


@dataclass(frozen=True)
class _Mirror:
    watched: Watched[Any]
    store: Store[Any]
    reflectors: tuple[Reflector[Any], ...]


class Watches:
    """The collections of one process. `clock` is monotonic seconds, `jitter` gives 0 to 1."""

    def __init__(
        self,
        client: Client,
        settings: Settings,
        metrics: Metrics,
        *,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._client, self._settings, self._metrics = client, settings, metrics
        self._clock, self._jitter = clock, jitter
        self._mirrors: dict[str, _Mirror] = {}
        self._started: Stop | None = None

    def add(self, watched: Watched[P]) -> Store[P]:
        """Return the collection's store; equal collections share one. ValueError when a name means two."""
        there = self._mirrors.get(watched.name)
        if there is not None:
            if there.watched != watched:
                raise ValueError(f"two collections are called {watched.name!r}")
            return there.store
        if self._started is not None:
            raise RuntimeError("collections are named before the watches start")
        store: Store[P] = Store(limit=watched.limit, indexes=dict(watched.indexes))
        self._mirrors[watched.name] = _Mirror(watched, store, tuple(self._reflectors(watched, store)))
        return store

    def store(self, watched: Watched[P]) -> Store[P]:
        """Return the store of a collection that was added; KeyError for any other."""
        there = self._mirrors[watched.name]
        if there.watched != watched:
            raise KeyError(watched.name)
        return there.store

    def start(self, stop: Stop) -> None:
        """Start a thread for each reflector; they end when `stop` is set."""
        self._started = stop
        for reflector in self._all():
            reflector.start(stop)

    def wait_settled(self, stop: Stop) -> bool:
        """Wait until of each collection it is known where we stand; False when `stop` was set before."""
        while not self.settled:
            if stop.wait(_POLL_S):
                return False
        return True

    @property
    def settled(self) -> bool:
        """Whether each collection is full, or known to be forbidden."""
        return all(reflector.settled for reflector in self._all())

    def unsettled(self) -> tuple[str, ...]:
        """Return the names of the collections that are still being read."""
        return tuple(n for n, mirror in self._mirrors.items() if not all(r.settled for r in mirror.reflectors))

    def synced(self, watched: Watched[Any]) -> bool:
        """Say whether a collection has been full once."""
        return all(reflector.synced for reflector in self._mirrors[watched.name].reflectors)

    def troubles(self) -> tuple[Trouble, ...]:
        """Return what is not mirrored now and why, in the order of the collections. An absent kind is no trouble."""
        return tuple(
            Trouble(mirror.watched.name, reflector.kind, reflector.namespace, reflector.state, reflector.reason)
            for mirror in self._mirrors.values()
            for reflector in mirror.reflectors
            if reflector.state in (State.FORBIDDEN, State.FAILING)
        )

    def stuck(self) -> tuple[str, ...]:
        """Return the names of collections whose watch hangs: a reason to start the process anew."""
        return tuple(
            name
            for name, mirror in self._mirrors.items()
            if any(r.state is State.WATCHING and r.age_s() > STUCK_S for r in mirror.reflectors)
        )

    def measure(self) -> None:
        """Bring the gauges up to date; called before they are read."""
        for name, mirror in self._mirrors.items():
            self._metrics.watch_age.labels(name).set(max(r.age_s() for r in mirror.reflectors))
            self._metrics.watch_objects.labels(name).set(len(mirror.store))
            self._metrics.watch_left_out.labels(name).set(mirror.store.left_out)
            forbidden = any(reflector.state is State.FORBIDDEN for reflector in mirror.reflectors)
            self._metrics.rights_missing.labels(name).set(forbidden)

    def _all(self) -> Iterator[Reflector[Any]]:
        return (reflector for mirror in self._mirrors.values() for reflector in mirror.reflectors)

    def _reflectors(self, watched: Watched[P], store: Store[P]) -> Iterator[Reflector[P]]:
        if watched.names:
            for name in watched.names:
                fields = ",".join(filter(None, (f"metadata.name={name}", watched.fields)))
                yield self._reflector(watched, _part_of(store), self._place(watched), fields)
            return
        spread = self._settings.namespaces if watched.scope is Scope.WATCHED else ()
        for namespace in spread or (self._place(watched),):
            yield self._reflector(watched, store, namespace, watched.fields)

    def _place(self, watched: Watched[Any]) -> str:
        return self._settings.namespace if watched.scope is Scope.OWN else ""

    def _reflector(self, watched: Watched[P], store: Store[P], namespace: str, fields: str) -> Reflector[P]:
        def observe(_: str, sign: Sign) -> None:
            if sign is Sign.LISTED:
                self._metrics.watch_lists.labels(watched.name).inc()

        return Reflector(
            self._client,
            watched.api_version,
            watched.kind,
            project=watched.project,
            store=store,
            namespace=namespace,
            labels=watched.labels,
            fields=fields,
            clock=self._clock,
            jitter=self._jitter,
            observe=observe,
        )


def _part_of(whole: Store[P]) -> Store[P]:
    """Return a store for one name, whose objects `whole` has as well: a reflector replaces all of its own store."""
    part: Store[P] = Store()

    def forward(key: Key, old: P | None, new: P | None) -> None:
        whole.put(key, new)

    part.add_handler(forward)
    return part
