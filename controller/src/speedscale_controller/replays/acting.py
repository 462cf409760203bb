"""Doing what was decided: each action is one or two writes, safe to be done again.

Called by the reconciler. Writes go through the client that is given, which the Lease fences. Nothing is decided here,
but which of two writers was first: an object that exists already is met in the next look.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, assert_never

import structlog

from speedscale_controller.injection import patch as json_patch
from speedscale_controller.replay import Replay, names
from speedscale_controller.replay.decision import (
    Action,
    Create,
    Delete,
    DeleteWorkload,
    Expire,
    Hold,
    Observed,
    Patch,
    Remember,
    Revert,
    Tell,
    WriteReport,
)
from speedscale_controller.replay.status import Status
from speedscale_controller.settings import Settings
from speedscale_kube import Client, Object, Ref
from speedscale_kube.errors import ExistsError, NotFoundError
from speedscale_schemas.errors import PermanentError, TransientError

from . import reports
from .backends import Backends
from .seeing import Eyes

_log = structlog.get_logger("speedscale_controller")


class Recorder(Protocol):
    """Who writes Events (`speedscale_kube.Recorder`)."""

    def event(self, about: Object | Ref, type: Any, reason: str, message: str) -> bool: ...


@dataclass(slots=True)
class Turn:
    """One look's doing: the TrafficReplay as last written, and what could not be made."""

    replay: Replay
    obj: Object
    seen: Observed
    now: datetime
    gone: bool = False
    given_up: dict[Ref, str] = field(default_factory=dict)


class Hands:
    """Does actions. `eyes` say what a workload should be, `known` where the backend is that `settings` name."""

    def __init__(
        self,
        client: Client,
        settings: Callable[[], Settings],
        eyes: Eyes,
        known: Backends,
        recorder: Callable[[], Recorder],
    ) -> None:
        self._client, self._settings, self._eyes, self._backends, self._recorder = (
            client,
            settings,
            eyes,
            known,
            recorder,
        )

    def do(self, turn: Turn, action: Action) -> None:
        """Do one action. Raises what the API server says; failing is no obstacle to what need not be."""
        match action:
            case Hold(held):
                self._hold(turn, held=held)
            case Remember(memory):
                self._annotate(turn, {names.STATE: memory.text()})
            case Create(manifest, vital):
                self._create(turn, manifest, vital=vital)
            case Patch(ref, wanted):
                self._change(ref, *self._eyes.patched(ref, wanted))
            case Revert(ref):
                self.give_back(ref)
            case Delete(ref) | DeleteWorkload(ref):
                self._client.delete(ref)
            case WriteReport():
                self._report(turn, action)
            case Expire():
                self._client.delete(turn.replay.ref)
                turn.gone = True
            case Tell(warning, reason, message):
                self._recorder().event(turn.obj, "Warning" if warning else "Normal", reason, message)
            case _:
                assert_never(action)

    def tell(self, turn: Turn, status: Status) -> None:
        """Write the status where it differs; ConflictError when somebody changed the TrafficReplay meanwhile."""
        if turn.gone or status == turn.replay.status:
            return
        version = turn.obj["metadata"]["resourceVersion"]
        change = {"metadata": {"resourceVersion": version}, "status": status.document()}
        self._took(turn, self._client.patch(turn.replay.ref, change, names.STATUS, subresource="status"))

    def _hold(self, turn: Turn, *, held: bool) -> None:
        rest = [f for f in turn.obj["metadata"].get("finalizers") or () if f != names.FINALIZER]
        wanted = [*rest, names.FINALIZER] if held else rest
        version = turn.obj["metadata"]["resourceVersion"]
        change = {"metadata": {"resourceVersion": version, "finalizers": wanted or None}}
        try:
            self._took(turn, self._client.patch(turn.replay.ref, change, names.INVENTORY))
        except NotFoundError:
            turn.gone = True
        turn.gone = turn.gone or (not held and bool(turn.replay.deleted))

    def _annotate(self, turn: Turn, annotations: Mapping[str, str]) -> None:
        version = turn.obj["metadata"]["resourceVersion"]
        change = {"metadata": {"resourceVersion": version, "annotations": dict(annotations)}}
        self._took(turn, self._client.patch(turn.replay.ref, change, names.INVENTORY))

    def _took(self, turn: Turn, obj: Object) -> None:
        turn.obj = obj
        turn.replay = Replay.read(obj)

    def _create(self, turn: Turn, manifest: Mapping[str, Any], *, vital: bool) -> None:
        try:
            self._client.create(dict(manifest), names.INVENTORY)
        except ExistsError:
            _log.info("replay_object_exists", replay=str(turn.replay), kind=manifest["kind"])
        except PermanentError as error:
            if vital:
                raise
            meta = manifest["metadata"]
            ref = Ref(manifest["apiVersion"], manifest["kind"], meta["namespace"], meta["name"])
            turn.given_up[ref] = str(error)
            said = f"{ref} could not be made; the replay goes on without it: {error}"
            self._recorder().event(turn.obj, "Warning", "CollectorFailed", said)

    def give_back(self, ref: Ref) -> None:
        """Revert a workload; PermanentError when it cannot be."""
        live, wanted, refused = self._eyes.patched(ref, None)
        if refused:
            raise PermanentError("RevertRefused", f"{ref} cannot be given back: {refused}")
        self._change(ref, live, wanted, refused)

    def _change(self, ref: Ref, live: Object | None, wanted: Object | None, refused: str) -> None:
        if live is None or wanted is None or refused:
            return
        version = live["metadata"]["resourceVersion"]
        guard = {"op": "add", "path": "/metadata/resourceVersion", "value": version}
        self._client.patch(ref, [guard, *json_patch(live, wanted)], names.WORKLOAD, kind="json")

    def _tell_backend(self, replay: Replay, report: WriteReport, now: datetime) -> str:
        """Tell the backend, where there is one, how a replay ended; return why it does not know, empty when it does."""
        settings = self._settings()
        try:
            backend = self._backends.of(settings)
            if backend is not None:
                backend.put_replay(replay.uid, reports.entry(replay, report, settings.cluster_name, now))
        except (TransientError, PermanentError) as error:
            return f"the backend was not told how the replay ended: {error}"
        return ""

    def _report(self, turn: Turn, report: WriteReport) -> None:
        space = turn.replay.namespace
        told = report.analysis is not None and report.analysis.done  # then the collector has told the backend
        untold = "" if told else self._tell_backend(turn.replay, report, turn.now)
        try:
            made = reports.config_map(turn.replay, turn.seen, report, turn.now, [untold] if untold else [])
            self._client.apply(made, names.INVENTORY, force=True)
            found = self._client.list("v1", "ConfigMap", space, labels=names.REPORT, metadata_only=True)
            for ref in reports.superfluous(found):
                self._client.delete(ref)
        except PermanentError as error:
            turn.given_up[names.report_ref(space, turn.replay.report_id)] = str(error)
            said = f"the report could not be written: {error}"
            self._recorder().event(turn.obj, "Warning", "ReportFailed", said)
