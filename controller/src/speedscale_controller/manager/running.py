"""What runs while this process leads: watches, reconcilers with their queues and workers, periodic looks, Events.

`Running` is the `Context` that reconcilers are given. Made when the Lease is ours, ended when it is not; never started
twice.

Order: stores are named, reconcilers add their handlers, watches begin; when every store is full (or known to be
forbidden) and the bundle is read, the workers begin. So no decision is made on half a picture.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from datetime import datetime
from typing import Any, TypeVar

import structlog

from speedscale_controller.bundle import Bundle
from speedscale_controller.reconciling import Reconciler, Watched
from speedscale_controller.reconciling.live import BUNDLE, SETTINGS, LiveBundle, LiveSettings
from speedscale_controller.reconciling.watches import Watches
from speedscale_controller.settings import Settings
from speedscale_controller.telemetry import Metrics
from speedscale_kube import Client
from speedscale_kube.events import Fate, Recorder
from speedscale_kube.lease import wall
from speedscale_kube.queue import Queue
from speedscale_kube.stop import Stop
from speedscale_kube.store import Store
from speedscale_kube.worker import Outcome, Result, Worker
from speedscale_schemas.errors import PermanentError

REPORTER = "speedscale-operator"
END_S = 5.0
P = TypeVar("P")
K = TypeVar("K", bound=Hashable)
_log = structlog.get_logger("speedscale_controller")


class Running:
    """One term of leading. `client` is fenced already; `clock` is monotonic seconds, `now` the time of day."""

    def __init__(
        self,
        client: Client,
        settings: LiveSettings,
        metrics: Metrics,
        reconcilers: Sequence[Reconciler],
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = wall,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._client, self._settings, self._metrics = client, settings, metrics
        self._reconcilers = tuple(reconcilers)
        self._clock, self._now, self._jitter = clock, now, jitter
        self._stop = Stop()
        self._watches = Watches(client, settings.current, metrics, clock=clock, jitter=jitter)
        settings.follow(self._watches.add(SETTINGS))
        self._bundle = LiveBundle(self._watches.add(BUNDLE), metrics)
        self._recorder = Recorder(
            client, REPORTER, instance=settings.current.pod_name, clock=clock, stamp=now, observe=self._count_event
        )
        self._queues: dict[str, Queue[Any]] = {}
        self._refused: dict[str, int] = {}
        self._workers: list[Worker[Any]] = []
        self._periodic: list[tuple[float, str, Callable[[], None]]] = []
        self._begun = threading.Event()

    # What reconcilers are given: see `reconciling.Context`

    @property
    def client(self) -> Client:
        """The fenced client."""
        return self._client

    @property
    def metrics(self) -> Metrics:
        """The process's metrics."""
        return self._metrics

    @property
    def recorder(self) -> Recorder:
        """Who writes Events."""
        return self._recorder

    @property
    def settings(self) -> Settings:
        """The settings now."""
        return self._settings.current

    def bundle(self) -> Bundle | None:
        """Return the last good bundle."""
        return self._bundle.current

    def on_bundle(self, changed: Callable[[], None]) -> None:
        """Call `changed()` when bundle or settings are others."""
        self._bundle.on_change(changed)
        self._settings.on_change(changed)

    def store(self, watched: Watched[P]) -> Store[P]:
        """Return the store of a collection that some reconciler named."""
        return self._watches.store(watched)

    def queue(self, name: str) -> Queue[Any]:
        """Return the queue of this name."""
        if name not in self._queues:
            self._queues[name] = Queue(clock=self._clock)
        return self._queues[name]

    def work(
        self,
        name: str,
        reconcile: Callable[[K], Result | None],
        *,
        on_permanent: Callable[[K, PermanentError], None],
        threads: int = 1,
    ) -> Queue[K]:
        """Have the keys of queue `name` reconciled by so many threads."""
        queue: Queue[K] = self.queue(name)

        def observe(outcome: Outcome, seconds: float) -> None:
            self._metrics.reconciles.labels(name, outcome.value).inc()
            self._metrics.reconcile_seconds.labels(name).observe(seconds)

        self._workers.append(
            Worker(
                name,
                queue,
                reconcile,
                on_permanent=on_permanent,
                observe=observe,
                threads=threads,
                clock=self._clock,
            )
        )
        return queue

    def every(self, seconds: float, name: str, call: Callable[[], None]) -> None:
        """Call `call()` each so many seconds, give or take a tenth."""
        self._periodic.append((seconds, name, call))

    def clock(self) -> float:
        """Return monotonic seconds."""
        return self._clock()

    def now(self) -> datetime:
        """Return the time of day."""
        return self._now()

    def random(self) -> float:
        """Return a number from 0 to below 1."""
        return self._jitter()

    # What the manager does with it

    @property
    def watches(self) -> Watches:
        """The collections that are watched."""
        return self._watches

    @property
    def bundle_problems(self) -> tuple[str, ...]:
        """What is wrong with the bundle's ConfigMaps as they are now."""
        return self._bundle.problems

    @property
    def begun(self) -> bool:
        """Whether the workers work."""
        return self._begun.is_set()

    def start(self) -> None:
        """Begin; returns at once."""
        for reconciler in self._reconcilers:
            for watched in reconciler.watches(self.settings):
                self._watches.add(watched)
        for reconciler in self._reconcilers:
            reconciler.start(self)
        self._recorder.start(self._stop)
        self._watches.start(self._stop)
        self._bundle.start(self._stop)
        threading.Thread(target=self._begin, name="begin", daemon=True).start()

    def stop(self, within_s: float = END_S) -> bool:
        """End: keys in work are finished, Events written; False when that took longer than `within_s` seconds."""
        self._stop.set()
        for queue in self._queues.values():
            queue.wake()
        until = time.monotonic() + within_s
        ended = [worker.join(max(0.0, until - time.monotonic())) for worker in self._workers]
        self._recorder.flush()
        return all(ended)

    def measure(self) -> None:
        """Bring the gauges up to date; called before they are read."""
        self._watches.measure()
        for name, queue in list(self._queues.items()):
            self._metrics.queue_depth.labels(name).set(len(queue))
            self._metrics.queue_refused.labels(name).inc(queue.refused - self._refused.get(name, 0))
            self._refused[name] = queue.refused

    def _begin(self) -> None:
        if not self._watches.wait_settled(self._stop):
            return
        self._bundle.refresh()
        for worker in self._workers:
            worker.start(self._stop)
        for seconds, name, call in self._periodic:
            threading.Thread(target=self._repeat, args=(seconds, name, call), name=name, daemon=True).start()
        self._begun.set()
        _log.info("controller_working", reconcilers=[reconciler.name for reconciler in self._reconcilers])

    def _repeat(self, seconds: float, name: str, call: Callable[[], None]) -> None:
        while True:
            try:
                call()
            except Exception:
                _log.exception("periodic_failed", name=name)
            if self._stop.wait(seconds * (0.9 + 0.2 * self._jitter())):
                return

    def _count_event(self, fate: Fate) -> None:
        self._metrics.events.labels(fate.value).inc()
