"""Facts out of stores, at once and without asking anybody."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from speedscale_controller.bundle import Bundle
from speedscale_controller.certificates.names import STATE
from speedscale_controller.injection import Cluster, Facts, Namespace
from speedscale_controller.reconciling import Watched
from speedscale_controller.replay import WorkloadPatch, in_force
from speedscale_controller.settings import Settings
from speedscale_kube import Client, Ref, Store

from .assembly import assemble
from .cluster import observe
from .collections import IDENTITY, LIMITS, QUOTAS, REPLAYS, Identity, namespaces, word_changed
from .consent import consented

P = TypeVar("P")
Place = tuple[str, str, str]
"""Namespace, kind, name."""


class Stores(Protocol):
    """Where stores come from: `Watches.add`, or a reconciler's `context.store`."""

    def __call__(self, watched: Watched[P], /) -> Store[P]:
        """Return the store of a collection."""


class Memory:
    """Fed by watches, read by any thread. `started` are the settings that the watches were made with."""

    def __init__(
        self,
        stores: Stores,
        started: Settings,
        settings: Callable[[], Settings],
        bundle: Callable[[], Bundle | None],
    ) -> None:
        self._settings, self._bundle = settings, bundle
        self._namespaces = stores(namespaces(started))
        self._consented = consented(self._namespaces, lambda: settings().namespace)
        self._quotas, self._limits = stores(QUOTAS), stores(LIMITS)
        self._identity, self._holds = stores(IDENTITY), stores(REPLAYS)
        self._cluster, self._observed, self._observing = Cluster(), False, threading.Lock()
        self._in_force: Mapping[Place, WorkloadPatch] = {}
        self._told: tuple[Callable[[frozenset[Place]], None], ...] = ()
        self._holds.add_handler(lambda key, old, new: self._replays_changed())
        self._namespaces.add_handler(lambda key, old, new: self._replays_changed() if word_changed(old, new) else None)

    def on_replays(self, call: Callable[[frozenset[Place]], None]) -> None:
        """Have `call(places)` called, in some thread, with the workloads for which a replay's patch changed."""
        self._told = (*self._told, call)

    def knows(self, namespace: str) -> bool:
        """Say whether the labels of this namespace are known."""
        return ("", namespace) in self._namespaces

    @property
    def identity(self) -> Identity:
        """Who we are; an empty id until it was made."""
        return self._identity.get((self._settings().namespace, STATE)) or Identity()

    def observe(self, client: Client) -> None:
        """Read what the cluster can anew; what cannot be read stays as it was."""
        self._cluster = observe(client, self._cluster)
        self._observed = True

    def observe_once(self, client: Client) -> None:
        """Read what the cluster can, unless that was done: before the first decision that would guess it."""
        with self._observing:
            if not self._observed:
                self.observe(client)

    def facts(self, namespace: str, kind: str, name: str) -> Facts:
        """Return the facts of one workload."""
        settings, bundle = self._settings(), self._bundle()
        patch = self._in_force.get((namespace, kind, name))
        return assemble(
            settings,
            bundle,
            identity=self.identity,
            namespace=self._namespace(namespace, settings),
            cluster=self._cluster,
            patch=patch,
        )

    def _namespace(self, name: str, settings: Settings) -> Namespace:
        known = self._namespaces.get(("", name))
        return Namespace(
            name=name,
            labels=dict(known.labels) if known else {},
            annotations=dict(known.annotations) if known else {},
            deleting=bool(known and known.deleting),
            selected=settings.watches(name),
            quotas=self._in(self._quotas, name),
            limits=self._in(self._limits, name),
        )

    def _in(self, store: Store[Any], namespace: str) -> tuple[Any, ...]:
        return tuple(found for kept in store.by("namespace", namespace) for found in kept.found)

    def _replays_changed(self) -> None:
        before = self._in_force
        found = in_force(self._holds.values(), self._consented)
        now = {_place(ref): patch for ref, patch in found.items()}
        self._in_force = now
        changed = frozenset(place for place in {*before, *now} if before.get(place) != now.get(place))
        for call in self._told if changed else ():
            call(changed)


def _place(ref: Ref) -> Place:
    return (ref.namespace, ref.kind, ref.name)
