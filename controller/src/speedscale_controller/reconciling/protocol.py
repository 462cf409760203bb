"""What a reconciler is, and what it is given.

A reconciler is a class with a `name`, the collections it wants to see (`watches`), and `start(context)`, which is
called once, in the leading process, before the first object is seen. There it takes its stores, adds handlers that put
keys into queues, and begins workers:

    class Workloads:
        name = "workloads"

        def watches(self, settings: Settings) -> Sequence[Watched]:
            return (DEPLOYMENTS, STATEFUL_SETS)

        def start(self, context: Context) -> None:
            self._store = context.store(DEPLOYMENTS)
            queue = context.work("workloads", self._reconcile, on_permanent=self._report)
            self._store.add_handler(lambda key, old, new: queue.add(key))

Workers begin when all stores of all reconcilers are full, so a reconcile never decides on half a picture. Losing the
Lease ends the process: nothing is handed over, nobody has to be told. `context.client` refuses to write once the Lease
may be another's.

Threads: handlers run in reflectors' threads and only add keys; a reconcile runs in its worker's thread; client,
recorder and stores are for any thread. Written against by workloads, replays, components and identity; made real by
`manager`, where the table of reconcilers stands.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from speedscale_controller.settings import Settings
from speedscale_controller.telemetry import Metrics
from speedscale_kube import Client
from speedscale_kube.queue import Queue
from speedscale_kube.store import Store
from speedscale_kube.worker import Result
from speedscale_schemas.errors import PermanentError

from .watched import Watched

if TYPE_CHECKING:
    from speedscale_controller.bundle import Bundle
    from speedscale_kube.events import Recorder

P = TypeVar("P")
K = TypeVar("K", bound=Hashable)


class Context(Protocol):
    """What a reconciler works with. Made by the manager; a test may give anything of this shape."""

    @property
    def client(self) -> Client:
        """The client; what writes is fenced: TransientError once the Lease may be another's."""

    @property
    def metrics(self) -> Metrics:
        """The process's metrics; further ones are made on `metrics.registry`."""

    @property
    def recorder(self) -> Recorder:
        """Who writes Events."""

    @property
    def settings(self) -> Settings:
        """The settings as they are now; read them anew in each reconcile."""

    def bundle(self) -> Bundle | None:
        """Return the last good bundle, None before the first."""

    def on_bundle(self, changed: Callable[[], None]) -> None:
        """Have `changed()` called, in some thread, whenever the bundle or the settings are others: add keys there."""

    def store(self, watched: Watched[P]) -> Store[P]:
        """Return the store of a collection that this reconciler named in `watches`; KeyError for any other."""

    def queue(self, name: str) -> Queue[Any]:
        """Return a queue of this name (a metrics' label); the same for the same name."""

    def work(
        self,
        name: str,
        reconcile: Callable[[K], Result | None],
        *,
        on_permanent: Callable[[K, PermanentError], None],
        threads: int = 1,
    ) -> Queue[K]:
        """Have workers reconcile the keys of queue `name`, once all stores are full; return the queue."""

    def every(self, seconds: float, name: str, call: Callable[[], None]) -> None:
        """Call `call()` each `seconds` in a thread of its own, from when workers begin; what it raises is logged."""

    def clock(self) -> float:
        """Return monotonic seconds."""

    def now(self) -> datetime:
        """Return the time of day in UTC."""

    def random(self) -> float:
        """Return a number from 0 to below 1, for jitter."""


class Reconciler(Protocol):
    """One concern of the operator."""

    @property
    def name(self) -> str:
        """A word, unique: label of metrics, name of threads."""

    def watches(self, settings: Settings) -> Sequence[Watched[Any]]:
        """Return the collections that this reconciler reads; asked once, before anything runs."""

    def start(self, context: Context) -> None:
        """Take stores, add handlers, begin workers. Must not block; called once."""
