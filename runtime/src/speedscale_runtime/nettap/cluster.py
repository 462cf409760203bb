"""What Kubernetes knows of this node, live: its pods, the two ConfigMaps, and, where asked for, labels of namespaces.

Made by `service` where there is a cluster. Each collection has a reflector in a thread of its own; whatever changes,
the event loop is told, which asks for `choice`. The last good word of a ConfigMap stays when a new one cannot be read;
one that is gone means nothing. The rights: pods get, list, watch; these two ConfigMaps by name; namespaces only where
a selector asks for their labels.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

import structlog

from speedscale_kube import Access, Client, Key, Reflector, Reflectors, Stop, Store
from speedscale_schemas import nettap
from speedscale_schemas.errors import ConfigError

from . import selectors
from .choosing import Choice, choose
from .pods import Pod, project

_PATIENCE_S = 10.0
_PODS_MAX = 2048  # of one node
_NAMESPACES_MAX = 20_000
Labels = tuple[tuple[str, str], ...]
T = TypeVar("T")

log = structlog.get_logger()


class Cluster:
    """The mirror of this node's part of the cluster."""

    def __init__(
        self,
        access: Access,
        *,
        node: str,
        own_namespace: str,
        namespaces: tuple[str, ...],
        config_map: str,
        targets_map: str,
        on_change: Callable[[], None],
    ) -> None:
        """`on_change` is called in another thread whenever `choice` may have become another one."""
        self._client = Client(access, agent="speedscale-nettap-ingest", retries=2).patient(_PATIENCE_S)
        self._own_namespace = own_namespace
        self._on_change = on_change
        self._stop = Stop()
        self._pods: Store[Pod] = Store(limit=_PODS_MAX)
        self._namespaces: Store[Labels] = Store(limit=_NAMESPACES_MAX)
        self._lock = threading.Lock()
        self._config: _Document[tuple[selectors.Selected, ...]] = _Document(
            config_map, selectors.KEY, selectors.read, ()
        )
        self._targets = _Document(targets_map, nettap.KEY, nettap.parse, nettap.Targets())
        self._maps = [self._map(document) for document in (self._config, self._targets) if document.name]
        self._of_pods = Reflectors(
            namespaces,
            lambda namespace: Reflector(
                self._client,
                "v1",
                "Pod",
                project=project,
                store=self._pods,
                namespace=namespace,
                fields=f"spec.nodeName={node}",
            ),
        )
        self._of_namespaces: Reflector[Labels] | None = None
        self._pods.add_handler(self._changed)
        self._namespaces.add_handler(self._changed)

    def _map(self, document: _Document[Any]) -> Reflector[str]:
        """Return the reflector of one ConfigMap, which keeps the text of the key that matters."""
        store: Store[str] = Store(limit=1)
        store.add_handler(lambda key, old, new: self._take(document, new))
        return Reflector(
            self._client,
            "v1",
            "ConfigMap",
            project=lambda obj: str((obj.get("data") or {}).get(document.key, "")),
            store=store,
            namespace=self._own_namespace,
            fields=f"metadata.name={document.name}",
        )

    def start(self) -> None:
        """Begin to watch."""
        self._of_pods.start(self._stop)
        for reflector in self._maps:
            reflector.start(self._stop)

    def close(self) -> None:
        """End all watches."""
        self._stop.set()
        self._client.close()

    @property
    def settled(self) -> bool:
        """Whether each collection was heard of once, if only that it may not be read."""
        return self._of_pods.settled and all(reflector.settled for reflector in self._maps)

    def problems(self) -> list[str]:
        """Return what keeps this node's part from being known, for people."""
        found = [f"pods {ns or 'of all namespaces'}: {state}: {why}" for ns, state, why in self._of_pods.problems()]
        others: list[Reflector[Any]] = [
            *self._maps,
            *([self._of_namespaces] if self._of_namespaces is not None else []),
        ]
        found += [f"{one.kind}: {one.state}: {one.reason}" for one in others if one.reason]
        for document in (self._config, self._targets):
            found += document.problems
        return found

    def choice(self) -> Choice:
        """Return which pods are captured now."""
        with self._lock:
            wanted, chosen_by = self._targets.value, self._config.value
        labels = {key.name: dict(found) for key, found in self._namespaces.items()}
        return choose(self._pods.values(), wanted, chosen_by, labels, self._own_namespace)

    def refused_workloads(self) -> list[dict[str, str]]:
        """Return the workloads that the operator refuses, as plain data."""
        with self._lock:
            refused = self._targets.value.refused
        return [{**r.place._asdict(), "reason": r.reason.value, "message": r.message} for r in refused]

    def _take(self, document: _Document[Any], text: str | None) -> None:
        with self._lock:
            document.take(text)
            asks = any(one.needs_namespaces for one in self._config.value)
        if asks and self._of_namespaces is None:
            self._of_namespaces = Reflector(self._client, "v1", "Namespace", project=_labels, store=self._namespaces)
            self._of_namespaces.start(self._stop)
        self._on_change()

    def _changed(self, key: Key, old: object, new: object) -> None:
        self._on_change()


class _Document(Generic[T]):
    """One key of a ConfigMap, and the last good reading of it."""

    def __init__(self, name: str, key: str, read: Callable[[str, str], T], nothing: T) -> None:
        self.name, self.key, self._read, self._nothing = name, key, read, nothing
        self.value = nothing
        self.problems: list[str] = []

    def take(self, text: str | None) -> None:
        """Read what the ConfigMap says now; None when it is gone."""
        try:
            self.value = self._read(text, f"{self.name}/{self.key}") if text and text.strip() else self._nothing
            self.problems = []
        except ConfigError as error:
            self.problems = list(error.problems)
            log.error("targets_not_read", config_map=self.name, problems=self.problems[:10], last_good_kept=True)


def _labels(obj: Mapping[str, Any]) -> Labels:
    return tuple(sorted((str(k), str(v)) for k, v in (obj["metadata"].get("labels") or {}).items()))
