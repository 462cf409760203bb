"""Annotations that start a replay: a workload that bears `replay.speedscale.com/snapshot-id` gets a TrafficReplay.

Called by the reconciler. The annotations stay; a hash of them and of the images decides, so that a new image or a
changed annotation is a new replay, and neither an HPA's replicas nor what a replay itself does to the workload is one.
One replay a hash, ever: hashes that were begun stand in ConfigMap `speedscale-replays-started` of the installation's
namespace, by the workload's UID, the newest twenty; so neither the replay's expiry nor a new operator begins one anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog

from speedscale_controller.injection.names import REVERT
from speedscale_controller.injection.record import loads
from speedscale_controller.injection.stripping import strip
from speedscale_controller.reconciling import Context, Watched
from speedscale_controller.replay import names
from speedscale_kube import Key, Object, Ref, Result
from speedscale_kube.errors import ConflictError, ExistsError, ForbiddenError
from speedscale_schemas.annotations import OPERATOR, REPLAY, parse
from speedscale_schemas.asking.workloads import TARGETS
from speedscale_schemas.errors import PermanentError

STARTED: Final = "speedscale-replays-started"
KEPT: Final = 20
FORBIDDEN_S: Final = 60.0
WORKLOADS_MAX: Final = 5_000
TTL: Final = "24h"
"""How long such a TrafficReplay stays after its end; its report stays."""
_WRITTEN: Final = (f"{REPLAY}/env-id", f"{REPLAY}/report-id")
_log = structlog.get_logger("speedscale_controller")


@dataclass(frozen=True, slots=True)
class Asked:
    """What is kept of a workload: who it is, its replay annotations, and the hash; `version` wakes who waits for it.

    `hash` is empty where it asks for no replay.
    """

    ref: Ref
    uid: str
    hash: str
    version: str
    annotations: tuple[tuple[str, str], ...] = ()


def asked(obj: Object) -> Asked | None:
    """Return what is kept of a workload: those that ask for a replay, or are under one."""
    meta = obj["metadata"]
    annotations = {k: str(v) for k, v in (meta.get("annotations") or {}).items() if k.startswith(f"{REPLAY}/")}
    if not annotations or meta.get("deletionTimestamp"):
        return None
    ref = Ref(obj["apiVersion"], obj["kind"], meta["namespace"], meta["name"])
    wanted = {k: v for k, v in annotations.items() if k not in _WRITTEN}
    version = str((obj.get("status") or {}).get("observedGeneration", "")) + str(meta.get("generation", ""))
    status = obj.get("status") or {}
    version += "/".join(str(status.get(k, "")) for k in ("updatedReplicas", "availableReplicas", "numberAvailable"))
    ignored = (meta.get("annotations") or {}).get(f"{OPERATOR}/ignore") == "true"
    if f"{REPLAY}/snapshot-id" not in wanted or ignored:
        return Asked(ref, str(meta["uid"]), "", version)
    return Asked(ref, str(meta["uid"]), digest(obj, wanted), version, tuple(sorted(wanted.items())))


def digest(obj: Mapping[str, Any], annotations: Mapping[str, str]) -> str:
    """Return the hash of what makes a replay a new one: the workload itself, its annotations, its images."""
    pod = (((_own(obj).get("spec") or {}).get("template") or {}).get("spec")) or {}
    images = sorted(
        (str(c.get("name", "")), str(c.get("image", "")))
        for c in pod.get("containers") or ()
        if not str(c.get("name", "")).startswith("speedscale-")
    )
    told = json.dumps([obj["metadata"]["uid"], sorted(annotations.items()), images], separators=(",", ":"))
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _own(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a workload without what a replay's `sidecar.patch` changed: its images are no new ones."""
    marks = (((obj.get("spec") or {}).get("template") or {}).get("metadata") or {}).get("annotations") or {}
    patched = loads(marks.get(REVERT))
    if patched is None or patched[2] is None:
        return obj
    return strip(obj, str(obj["kind"])).object


WORKLOADS: tuple[Watched[Asked], ...] = tuple(
    Watched(f"replay_{kind.lower()}_targets", version, kind, asked) for kind, version in TARGETS.items()
)


def trafficreplay(one: Asked) -> dict[str, Any]:
    """Return the TrafficReplay that a workload's annotations mean; PermanentError tells what is wrong with them."""
    parsed = parse(dict(one.annotations), one.ref.kind)
    wrong = [str(problem) for problem in parsed.errors if problem.annotation.startswith(f"{REPLAY}/")]
    if wrong:
        raise PermanentError("BadAnnotation", "; ".join(wrong))
    wants = parsed.replay
    spec: dict[str, Any] = {
        "snapshotID": wants.snapshot_id,
        "testConfigID": wants.testconfig_id,
        "mode": wants.mode,
        "cleanup": wants.cleanup,
        "ttlAfterReady": TTL,
        "workloads": [
            {
                "ref": {"apiVersion": one.ref.api_version, "kind": one.ref.kind, "name": one.ref.name},
                **({"tests": ["*"]} if wants.mode != "responder-only" else {}),
                **({"mocks": ["*"]} if wants.mode != "generator-only" else {}),
            }
        ],
    }
    optional = {"buildTag": wants.build_tag, "timeout": wants.timeout, "customURL": wants.sut_url}
    spec |= {key: value for key, value in optional.items() if value}
    if wants.secrets:
        spec["secretRefs"] = [{"name": name} for name in wants.secrets]
    return {
        "apiVersion": "speedscale.com/v1",
        "kind": "TrafficReplay",
        "metadata": {
            "name": f"{names.short(one.ref.name)[:31].rstrip('-')}-{one.hash[:8]}",
            "namespace": one.ref.namespace,
            "annotations": {names.ORIGIN: f"annotations of {one.ref}"},
        },
        "spec": spec,
    }


class Annotated:
    """Starts replays for annotated workloads."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def start(self, on_workload: Callable[[Ref], None]) -> None:
        """Begin; `on_workload(ref)` is called when a workload that is, or was, under a replay changes."""
        context = self._context
        queue = context.work("annotated", self.reconcile, on_permanent=self._refused)
        for watched in WORKLOADS:

            def on_change(key: Key, old: Asked | None, new: Asked | None, kind: str = watched.kind) -> None:
                one = new or old
                if one is not None:
                    on_workload(one.ref)
                if new is not None and new.hash and (old is None or old.hash != new.hash):
                    queue.add((kind, *key))

            context.store(watched).add_handler(on_change)

    def reconcile(self, key: tuple[str, str, str]) -> Result:
        """Begin the replay that a workload asks for, unless it was begun before."""
        kind, namespace, name = key
        ref = Ref(TARGETS[kind], kind, namespace, name)
        obj = self._context.client.find(ref)
        one = asked(obj) if obj is not None else None
        if one is None or not one.hash:
            return Result()
        begun = self._begun()
        if one.hash in begun.get(one.uid, ()):
            return Result()
        try:
            self._context.client.create(trafficreplay(one), names.INVENTORY)
            _log.info("replay_annotated", workload=str(ref), hash=one.hash)
        except ExistsError:
            pass  # a crash came between the replay and its note
        self._note(one, begun)
        return Result()

    @property
    def _ref(self) -> Ref:
        return Ref("v1", "ConfigMap", self._context.settings.namespace, STARTED)

    def _begun(self) -> dict[str, Sequence[str]]:
        found = self._context.client.find(self._ref) or {}
        return {uid: text.split() for uid, text in (found.get("data") or {}).items()}

    def _note(self, one: Asked, begun: Mapping[str, Sequence[str]]) -> None:
        hashes = [*begun.get(one.uid, ()), one.hash][-KEPT:]
        change: dict[str, Any] = {"data": {one.uid: " ".join(hashes)}}
        if len(begun) >= WORKLOADS_MAX:  # workloads that are gone make room
            known = {a.uid for w in WORKLOADS for a in self._context.store(w).values()}
            change["data"] |= {uid: None for uid in begun if uid not in known}
        ref, client = self._ref, self._context.client
        if client.find(ref) is not None:
            client.patch(ref, change, names.INVENTORY)
            return
        labels = {"app.kubernetes.io/part-of": "speedscale"}
        made = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": STARTED, "namespace": ref.namespace, "labels": labels},
            "data": {one.uid: one.hash},
        }
        try:
            client.create(made, names.INVENTORY)
        except ExistsError as error:
            raise ConflictError(f"{ref} was made meanwhile") from error

    def _refused(self, key: tuple[str, str, str], error: PermanentError) -> None:
        """Tell why no replay begins; one that only lacks a right is tried again."""
        if isinstance(error, ForbiddenError):
            self._context.queue("annotated").add_after(key, FORBIDDEN_S)
        kind, namespace, name = key
        obj = self._context.client.find(Ref(TARGETS[kind], kind, namespace, name))
        if obj is not None:
            self._context.recorder.event(obj, "Warning", "ReplayNotStarted", str(error))
