"""A context for the identity reconciler in tests: the real API server, a clock that is told, one thread.

Stores are filled by listing what is there (`look`), keys are worked off in this thread (`settle`), so a test says when
things happen. Rights, defaults, server-side apply and conflicts are the server's.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from speedscale_controller.identity import Identity
from speedscale_controller.identity.reconciler import Key
from speedscale_controller.reconciling import Scope, Watched
from speedscale_controller.settings import Settings
from speedscale_controller.telemetry import Metrics
from speedscale_kube import Client, Object, Ref
from speedscale_kube.errors import ForbiddenError, NotFoundError
from speedscale_kube.queue import Queue
from speedscale_kube.store import Key as ObjectKey
from speedscale_kube.store import Store
from speedscale_kube.worker import Outcome, Worker
from speedscale_schemas.errors import PermanentError


class Told(NamedTuple):
    """An Event."""

    about: Ref
    reason: str
    message: str


class Recorder:
    """Keeps Events in place of writing them."""

    def __init__(self) -> None:
        self.told: list[Told] = []

    def event(self, about: Ref, type: str, reason: str, message: str, *, uid: str = "") -> bool:
        """Keep one."""
        self.told.append(Told(about, reason, message))
        return True


class Bench:
    """An operator's identity part in `namespace`, as `client`; `settings` are environment variables."""

    def __init__(
        self,
        client: Client,
        namespace: str,
        *,
        now: datetime | None = None,
        ask: Callable[[], tuple[bytes, ...] | None] = lambda: None,
        **environ: str,
    ) -> None:
        self.client, self.namespace = client, namespace
        # other tests' namespaces are in the same cluster
        mine = {"POD_NAMESPACE": namespace, "NAMESPACE_SELECTOR": f"{namespace},{namespace}-shop"}
        self.settings = Settings.parse({**mine, **environ})
        self.metrics, self.recorder = Metrics(), Recorder()
        self.time = now or datetime.now(UTC).replace(microsecond=0)
        self._stores: dict[str, tuple[Watched[Any], Store[Any]]] = {}
        self._queue: Queue[Any] = Queue(clock=self.clock)
        self.outcomes: list[tuple[str, Outcome]] = []
        self.identity = Identity(ask_replicas=ask)
        for watched in self.identity.watches(self.settings):
            self._stores[watched.name] = (watched, Store(indexes=dict(watched.indexes)))
        self.identity.start(self)  # type: ignore[arg-type]

    def store(self, watched: Watched[Any]) -> Store[Any]:
        """Return the store."""
        return self._stores[watched.name][1]

    def work(
        self, name: str, reconcile: Any, *, on_permanent: Callable[[Any, PermanentError], None], threads: int = 1
    ) -> Queue[Any]:
        """Note who works."""
        self._worker: Worker[Any] = Worker(name, self._queue, reconcile, on_permanent=on_permanent)
        return self._queue

    def every(self, seconds: float, name: str, call: Callable[[], None]) -> None:
        """Periods are `look_at_all`, which tests call."""

    def on_bundle(self, changed: Callable[[], None]) -> None:
        """There is no bundle."""

    def clock(self) -> float:
        """Return the told time."""
        return self.time.timestamp()

    def now(self) -> datetime:
        """Return the told time."""
        return self.time

    def look(self) -> None:
        """Fill the stores with what the server has now."""
        for watched, store in self._stores.values():
            found: dict[ObjectKey, Any] = {}
            for obj in self._list(watched):
                projected = watched.project(obj)
                if projected is not None:
                    metadata = obj["metadata"]
                    found[ObjectKey(metadata.get("namespace", ""), metadata["name"])] = projected
            store.replace(found)

    def settle(self) -> None:
        """Look, and work off every key that is ready, until nothing new comes of it."""
        for _ in range(20):
            self.look()
            worked = False
            while (key := self._queue.get(0)) is not None:
                worked = True
                self.outcomes.append((str(key), self._worker.one(key)))
                self._queue.done(key)
            if not worked:
                return
        raise AssertionError(f"does not settle: {self.outcomes[-20:]}")

    def later(self, **time: float) -> None:
        """Let time pass, have everything looked at, and settle."""
        self.time += timedelta(**time)
        self.identity.look_at_all()
        self.settle()

    def key(self, key: Key) -> Outcome:
        """Look at one key."""
        return self._worker.one(key)

    def secret(self, name: str, namespace: str = "") -> Object | None:
        """Return a Secret."""
        return self.client.find(Ref("v1", "Secret", namespace or self.namespace, name))

    def data(self, name: str, namespace: str = "") -> dict[str, bytes]:
        """Return a Secret's values."""
        from speedscale_controller.certificates import secret

        return dict(secret.read(self.secret(name, namespace)).data)

    def reasons(self) -> list[str]:
        """Return the reasons of the Events."""
        return [told.reason for told in self.recorder.told]

    def _list(self, watched: Watched[Any]) -> Sequence[Object]:
        places = {Scope.OWN: (self.namespace,), Scope.CLUSTER: ("",), Scope.WATCHED: self.settings.namespaces}
        found: list[Object] = []
        for namespace, name in itertools.product(places[watched.scope], watched.names or ("",)):
            fields = f"metadata.name={name}" if name else watched.fields
            with contextlib.suppress(NotFoundError, ForbiddenError):
                found += self.client.list(
                    watched.api_version, watched.kind, namespace, labels=watched.labels, fields=fields
                )
        return found


def versions(client: Client, namespaces: Sequence[str]) -> dict[str, str]:
    """Return the resourceVersion of every Secret and ConfigMap of these namespaces, and of the webhooks."""
    found = {}
    for namespace in namespaces:
        for kind in ("Secret", "ConfigMap"):
            for obj in client.list("v1", kind, namespace):
                found[f"{kind} {namespace}/{obj['metadata']['name']}"] = obj["metadata"]["resourceVersion"]
    for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"):
        for obj in client.list("admissionregistration.k8s.io/v1", kind):
            found[f"{kind} {obj['metadata']['name']}"] = obj["metadata"]["resourceVersion"]
    return found
