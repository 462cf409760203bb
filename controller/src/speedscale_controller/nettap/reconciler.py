"""Keeps ConfigMap `speedscale-nettap-targets` as annotations want it, and tells whoever is refused.

One key: the whole ConfigMap. It is in no git and bears no mark of a GitOps tool; a change by hand is taken back, an
unchanged one is never written. Where nettap is not installed there is none, and who asks for it is told so.
"""

from __future__ import annotations

from collections import Counter as Metric
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import structlog
from prometheus_client import Counter, Gauge

from speedscale_controller.drift import Patience
from speedscale_controller.reconciling import Context, Scope, Watched
from speedscale_controller.settings import Settings
from speedscale_kube import Client, Key, Object, Ref
from speedscale_kube.queue import Queue
from speedscale_kube.worker import Result
from speedscale_schemas.errors import ConfigError, PermanentError
from speedscale_schemas.nettap import CONFIG_MAP, KEY, Place, parse

from .asking import POD, WORKLOADS, Wish, wish
from .choosing import REASONS, Choice, choose

MANAGER: Final = "speedscale-operator/nettap"
COMPONENT: Final = "nettap"
PODS_S: Final = 120.0
RESYNC_S: Final = 600.0
QUIET_S: Final = 0.2
"""Changes that come together are one writing."""
WAIT_S: Final = 5.0
_LABELS: Final = {"app.kubernetes.io/part-of": "speedscale", "app.kubernetes.io/managed-by": "speedscale-operator"}
_PREFIX: Final = "speedscale_operator_nettap"
_log = structlog.get_logger("speedscale_controller")


def _text(obj: Object) -> str:
    return str((obj.get("data") or {}).get(KEY, ""))


LIVE: Final[Watched[str]] = Watched("nettap_targets", "v1", "ConfigMap", _text, scope=Scope.OWN, names=(CONFIG_MAP,))


class Nettap:
    """The reconciler. What it remembers (who was told what) may be lost at any time."""

    name = "nettap"

    def __init__(self) -> None:
        self._patience = Patience()
        self._told: dict[Place, str] = {}
        self._wanted: str | None = None
        self._pods: tuple[Wish, ...] = ()

    def watches(self, settings: Settings) -> Sequence[Watched[Any]]:
        """Return the workloads of every kind, and the ConfigMap."""
        return (*WORKLOADS, LIVE)

    def start(self, context: Context) -> None:
        """Begin the worker."""
        self._context = context
        registry = context.metrics.registry
        self._captured = Gauge(f"{_PREFIX}_target_workloads", "Workloads that nettap captures.", registry=registry)
        self._refused = Gauge(
            f"{_PREFIX}_refused_workloads", "Workloads that ask and are not captured.", ["reason"], registry=registry
        )
        self._writes = Counter(f"{_PREFIX}_writes", "Targets written.", ["result"], registry=registry)
        self._queue: Queue[str] = context.work(self.name, self.reconcile, on_permanent=self._gave_up)
        for watched in WORKLOADS:
            context.store(watched).add_handler(self._changed)
        context.store(LIVE).add_handler(self._changed)
        context.on_bundle(self._look)
        context.every(RESYNC_S, self.name, self._look)
        context.every(PODS_S, "nettap_pods", self.look_at_pods)

    def reconcile(self, key: str) -> Result | None:
        """Make the ConfigMap what it should be."""
        context = self._context
        bundle = context.bundle()
        if bundle is None:
            return Result(WAIT_S)
        wishes = [one for watched in WORKLOADS for one in context.store(watched).values()]
        choice = choose((*wishes, *self._pods), installed=COMPONENT in bundle.components)
        wait = self._write(choice)
        self._count(choice)
        self._tell(choice)
        return Result(wait) if wait else None

    def _write(self, choice: Choice) -> float:
        """Write what differs; return for how long it is left alone, where somebody keeps undoing it."""
        client, which = self._context.client, _ref(self._context.settings)
        live = client.find(which)
        if choice.text is None:
            if live is not None and _is_ours(live):
                client.delete(which)
                self._writes.labels("deleted").inc()
            self._wanted = None
            return 0.0
        if live is not None and _text(live) == choice.text:
            self._wanted = choice.text
            return 0.0
        undone = choice.text == self._wanted
        if undone and (wait := self._patience.wait_s(which, self._context.clock())):
            return wait
        self._apply(which, choice.text)
        before, self._wanted = set(_captured(live)), choice.text
        self._greet(choice, before)
        if not undone:
            self._patience.forget(which)
            return 0.0
        self._writes.labels("mended").inc()
        return self._mended(which)

    def _apply(self, which: Ref, text: str) -> None:
        metadata = {"name": which.name, "namespace": which.namespace, "labels": dict(_LABELS)}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {KEY: text}}
        self._context.client.apply(body, MANAGER, force=True)
        self._writes.labels("written").inc()

    def _mended(self, which: Ref) -> float:
        wait = self._patience.repaired(which, self._context.clock())
        _log.info("nettap_targets_mended", wait_s=wait)
        if wait:
            message = (
                "something undoes what the annotations ask of nettap; it is left alone for"
                f" {wait:.0f} s. This ConfigMap belongs into no git: take it out there"
            )
            self._context.recorder.event(which, "Warning", "TargetsContended", message)
        return wait

    def _greet(self, choice: Choice, before: set[Place]) -> None:
        """Tell the workloads that nodes were not told of until now."""
        for one in choice.captured:
            if one.place not in before:
                message = "nettap captures its pods from now on, on every node; they are not restarted"
                self._context.recorder.event(one.ref, "Normal", "CaptureBegun", message, uid=one.uid)

    def _tell(self, choice: Choice) -> None:
        """Write an Event about who is refused, once until the reason is another."""
        now = {one.place: f"{reason}: {message}" for one, reason, message in choice.refused}
        for one, _, _ in choice.refused:
            if self._told.get(one.place) != now[one.place]:
                self._context.recorder.event(one.ref, "Warning", "CaptureRefused", now[one.place], uid=one.uid)
        self._told = now

    def _count(self, choice: Choice) -> None:
        self._captured.set(len(choice.captured))
        counts = Metric(reason for _, reason, _ in choice.refused)
        for reason in REASONS:
            self._refused.labels(reason).set(counts[reason])

    def _gave_up(self, key: str, error: PermanentError) -> None:
        """Tell that the ConfigMap cannot be written: a right is missing, or a policy of the cluster refuses it."""
        self._writes.labels("refused").inc()
        _log.error("nettap_targets_not_written", error=str(error))
        self._context.recorder.event(_ref(self._context.settings), "Warning", "TargetsNotWritten", str(error))

    def look_at_pods(self) -> None:
        """List the pods that nobody makes and that ask."""
        found = tuple(_bare_pods(self._context.client, self._context.settings.namespaces))
        if found != self._pods:
            self._pods = found
            self._look()

    def _changed(self, key: Key, old: object, new: object) -> None:
        self._look()

    def _look(self) -> None:
        self._queue.add_after(CONFIG_MAP, QUIET_S)


def _bare_pods(client: Client, namespaces: Iterable[str]) -> Iterator[Wish]:
    """Yield what pods ask that nobody makes; only metadata of all is listed, and the few that ask are read."""
    for namespace in tuple(namespaces) or ("",):
        for page in client.pages(*POD, namespace, metadata_only=True):
            for pod in page.items:
                if wish({**pod, "apiVersion": POD[0], "kind": POD[1]}) is None:
                    continue
                metadata = pod["metadata"]
                whole = client.find(Ref(*POD, str(metadata.get("namespace", "")), str(metadata["name"])))
                found = wish(whole) if whole else None
                if found:
                    yield found


def _ref(settings: Settings) -> Ref:
    return Ref("v1", "ConfigMap", settings.namespace, CONFIG_MAP)


def _is_ours(obj: Object) -> bool:
    labels = obj["metadata"].get("labels") or {}
    return all(labels.get(name) == value for name, value in _LABELS.items())


def _captured(live: Object | None) -> Iterator[Place]:
    """Yield the workloads that nodes were told of before; nobody where that cannot be read."""
    try:
        yield from (one.place for one in parse(_text(live or {})).workloads)
    except ConfigError:
        return
