"""Healing: each workload that has to do with us is judged by the same code as in admission, and mended where missed.

A key is a workload. The live object is read, decided on with facts from memory, and patched under a field manager of
its own, with a test of its version; so a change in between is decided on anew. Repairs of one workload are bounded:
whoever keeps taking our sidecar out is told, not fought.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import structlog

from speedscale_controller.drift import Patience
from speedscale_controller.facts import IDENTITY, Identity, Memory, namespaces, watched
from speedscale_controller.injection import Inject, Verdict, decide, patch
from speedscale_controller.reconciling import Context, Watched
from speedscale_controller.settings import Settings
from speedscale_controller.telemetry import labels
from speedscale_kube import Object, Ref
from speedscale_kube.errors import ForbiddenError, InvalidError
from speedscale_kube.events import Type
from speedscale_kube.queue import Queue
from speedscale_kube.store import Key, Store
from speedscale_kube.worker import Result
from speedscale_schemas.asking.workloads import KINDS
from speedscale_schemas.errors import PermanentError

from . import bare_pods
from .counting import Counting, Place
from .judging import Act, Judgement, judge
from .watched import WATCHED, Kept

MANAGER: Final = "speedscale-operator/injection"
RESYNC_S: Final = 600.0
PODS_S: Final = 300.0
RBAC: Final = "is forbidden: User"  # else a policy of the cluster refused the change
WAIT_S: Final = 5.0  # until namespace, bundle and INSTANCE_ID are known
_log = structlog.get_logger("speedscale_controller")


class Workloads:
    """The reconciler. What it remembers (what was told, repairs) may be lost at any time."""

    name = "workloads"

    def __init__(self) -> None:
        self._patience = Patience()
        self._asked_anew: set[Place] = set()
        self._pods: frozenset[Place] = frozenset()

    def watches(self, settings: Settings) -> Sequence[Watched[Any]]:
        """Return workloads of every kind, and what their facts are made of."""
        return (*WATCHED, *watched(settings))

    def start(self, context: Context) -> None:
        """Begin the workers."""
        self._context = context
        self._counting = Counting(context.metrics)
        self._memory = Memory(context.store, context.settings, lambda: context.settings, context.bundle)
        self._queue: Queue[Place] = context.work(self.name, self.reconcile, on_permanent=self._gave_up, threads=2)
        self._stores: dict[str, Store[Kept]] = {one.kind: context.store(one) for one in WATCHED}
        for kind, store in self._stores.items():
            store.add_handler(self._handler(kind))
        context.store(namespaces(context.settings)).add_handler(self._namespace_changed)
        context.store(IDENTITY).add_handler(self._identity_changed)
        context.on_bundle(self._everything)
        context.every(RESYNC_S, self.name, self._look_again)
        context.every(PODS_S, "bare_pods", self.look_at_pods)

    def reconcile(self, place: Place) -> Result | None:
        """Look at one workload."""
        context = self._context
        obj = context.client.find(_ref(place))
        if obj is None or not self._is_known(place):
            self._counting.forget(place)
            self._asked_anew.discard(place)
            return None
        if context.bundle() is None or not self._memory.knows(place.namespace) or not self._memory.identity.id:
            return Result(WAIT_S)
        self._memory.observe_once(context.client)
        facts = self._memory.facts(place.namespace, place.kind, place.name)
        verdict = decide(obj, facts, operation="UPDATE")
        found = judge(obj, verdict, under_replay=facts.replay is not None, asked_anew=place in self._asked_anew)
        self._counting.note(place, found)
        if found.act is Act.MEND:
            return self._mend(place, obj, verdict, found)
        self._asked_anew.discard(place)
        self._tell(place, obj, found)
        return None

    def _mend(self, place: Place, obj: Object, verdict: Verdict, found: Judgement) -> Result | None:
        wait = self._patience.wait_s(place, self._context.clock())
        if wait:
            return Result(wait)
        changes = patch(obj, found.target or {})
        version = {"op": "test", "path": "/metadata/resourceVersion", "value": obj["metadata"]["resourceVersion"]}
        which = _ref(place)
        try:
            self._context.client.patch(which, [version, *changes], MANAGER, kind="json")
        except InvalidError as error:
            if self._changed(which, obj):
                return Result(0.0)
            raise error
        self._asked_anew.discard(place)
        injected = isinstance(verdict, Inject)
        self._context.metrics.workloads_healed.labels(labels.kind(place.kind), "inject" if injected else "remove").inc()
        _log.info("workload_mended", workload=str(which), injected=injected, reason=found.reason)
        done = "the sidecar was put in" if injected else "the sidecar was taken out"
        told = "; ".join((f"{done}, which admission had missed: {found.message}", *found.warnings))
        self._context.recorder.event(obj, "Normal", "SidecarInjected" if injected else "SidecarRemoved", told)
        self._counting.news(place, "")
        wait = self._patience.repaired(place, self._context.clock())
        if wait:
            self._contended(place, obj, wait)
            return Result(wait)
        return None

    def _contended(self, place: Place, obj: Object, wait_s: float) -> None:
        self._counting.left.labels(labels.kind(place.kind), "contended").inc()
        managers = {str(entry.get("manager")) for entry in obj["metadata"].get("managedFields") or ()} - {MANAGER}
        message = (
            f"something undoes what the annotations ask for ({', '.join(sorted(managers)) or 'it is not known who'}"
            f" write it); the workload is left alone for {wait_s:.0f} s. A GitOps tool has to ignore containers, init"
            " containers and volumes whose names begin with speedscale-"
        )
        self._context.recorder.event(obj, "Warning", "SidecarContended", message)

    def _tell(self, place: Place, obj: Object, found: Judgement) -> None:
        """Write an Event about what is not done, once until it is another."""
        events = {Act.SKIP: "SidecarSkipped", Act.STALE: "SidecarStale"}
        reason = events.get(found.act)
        if reason is None:
            self._counting.news(place, "")
        elif self._counting.news(place, f"{reason}: {found.reason}: {found.message}"):
            level: Type = "Warning" if found.act is Act.SKIP else "Normal"
            self._context.recorder.event(obj, level, reason, f"{found.reason}: {found.message}")

    def _changed(self, which: Ref, obj: Object) -> bool:
        """Say whether an object is another one than was read: the API server says "invalid" of a test that fails."""
        now = self._context.client.find(which)
        return now is None or now["metadata"].get("resourceVersion") != obj["metadata"].get("resourceVersion")

    def _gave_up(self, place: Place, error: PermanentError) -> None:
        """Tell that a workload cannot be mended: a missing right, or the API server refuses the change."""
        missing = isinstance(error, ForbiddenError) and RBAC in str(error)
        reason = "right_missing" if missing else "refused"
        self._counting.left.labels(labels.kind(place.kind), reason).inc()
        which = _ref(place)
        if self._counting.news(place, f"{reason}: {error}"):
            obj = None if isinstance(error, ForbiddenError) and "get" in str(error) else self._read(which)
            self._context.recorder.event(obj or which, "Warning", "SidecarNotMended", f"{reason}: {error}")

    def _read(self, which: Ref) -> Object | None:
        try:
            return self._context.client.find(which)
        except PermanentError:
            return None

    def _handler(self, kind: str) -> Any:
        def changed(key: Key, old: Kept | None, new: Kept | None) -> None:
            place = Place(kind, *key)
            if old is not None and new is not None and old.asks != new.asks and old.pods == new.pods:
                self._asked_anew.add(place)
            self._queue.add(place)

        return changed

    def _namespace_changed(self, key: Key, old: object, new: object) -> None:
        for kind, store in self._stores.items():
            for place, one in store.items():
                if one.namespace == key.name:
                    self._queue.add(Place(kind, *place))

    def _identity_changed(self, key: Key, old: Identity | None, new: Identity | None) -> None:
        """Look at all that was another operator's until now: its id was adopted."""
        if old != new:
            self._everything()

    def look_at_pods(self) -> None:
        """Find the pods that ask for a sidecar and will never have one; a right that is missing is told by others."""
        found = frozenset(bare_pods.asking(self._context.client, self._context.settings.namespaces))
        before, self._pods = self._pods, found
        for place in sorted(before | found):
            self._queue.add(place)

    def _is_known(self, place: Place) -> bool:
        """Say whether a workload has to do with us, by what is watched or was found."""
        if place.kind == bare_pods.KIND:
            return place in self._pods
        return (place.namespace, place.name) in self._stores[place.kind]

    def _look_again(self) -> None:
        self._memory.observe(self._context.client)
        self._everything()

    def _everything(self) -> None:
        for kind, store in self._stores.items():
            for key in dict(store.items()):
                self._queue.add(Place(kind, *key))


def _ref(place: Place) -> Ref:
    return Ref(KINDS[place.kind], place.kind, place.namespace, place.name)
