"""Doing the steps. Each may be done again: what is gone is gone, what is reverted stays as it is.

A step that fails is told and the rest goes on: a removal that stops halfway leaves more behind than one that does what
it can. Waiting has one deadline for all steps.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from speedscale_controller.certificates.names import OPERATOR
from speedscale_controller.cli.diagnosis.gather import utc_now
from speedscale_controller.injection import metadata, patch
from speedscale_controller.injection import names as n
from speedscale_controller.injection.stripping import strip
from speedscale_controller.replay.names import FINALIZER
from speedscale_kube import Client, Object, Ref
from speedscale_kube.errors import InvalidError, NotFoundError
from speedscale_schemas.errors import PeerError, PermanentError, TransientError

from .gather import held
from .model import Do, Phase, Step

MANAGER = "speedctl-uninstall"
_POLL_S = 0.5
_TRIES = 5
_CLEARED_LATER = (Phase.CANCEL, Phase.STOP)
"""Phases whose unfinished business a later one ends; they are waited for at most so long, that others have time."""
_PATIENCE_S = 60.0
_POD_LABELS = "app=speedscale-operator"


@dataclass
class Done:
    """What came of it. `left` are steps that failed, with the reason."""

    steps: list[Step] = field(default_factory=list)
    left: list[tuple[Step, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Hands:
    """What doing needs: the cluster, a clock (monotonic seconds), and whom to tell."""

    client: Client
    tell: Callable[[str], None]
    clock: Callable[[], float]
    sleep: Callable[[float], None]
    deadline: float


def perform(hands: Hands, steps: Iterable[Step]) -> Done:
    """Do the steps phase by phase; what a phase has to wait for is waited for at its end."""
    done = Done()
    for phase, group in itertools.groupby(steps, key=lambda step: step.phase):
        hands.tell(f"{phase}:")
        waiting = []
        for step in group:
            problem = _tried(hands, step)
            if problem:
                done.left.append((step, problem))
                hands.tell(f"  {step}: FAILED: {problem}")
                continue
            done.steps.append(step)
            hands.tell(f"  {step}")
            if step.wait:
                waiting.append(step)
        for step in waiting:
            problem = _awaited(hands, step)
            if problem:
                hands.tell(f"  {step}: {problem}")
                if step.phase not in _CLEARED_LATER:
                    done.left.append((step, problem))
    _look_again(hands, done)
    return done


def _look_again(hands: Hands, done: Done) -> None:
    """Take sidecars out that an operator put in again meanwhile, as one does that could not be stopped in time."""
    for step in [one for one in done.steps if one.do is Do.REVERT]:
        problem = _tried(hands, step)
        if problem:
            done.left.append((step, problem))
            hands.tell(f"  {step}: FAILED: {problem}")


def _tried(hands: Hands, step: Step) -> str:
    try:
        _DEEDS[step.do](hands.client, step.ref)
    except (PermanentError, TransientError, PeerError) as error:
        return str(error)
    return ""


def _delete(client: Client, which: Ref) -> None:
    try:
        client.delete(which)
    except NotFoundError:
        return  # its kind went before


def _scale(client: Client, which: Ref) -> None:
    try:
        client.patch(which, {"spec": {"replicas": 0}}, MANAGER)
    except NotFoundError:
        return


def _release(client: Client, which: Ref) -> None:
    """Take our finalizer off, whoever else holds the object."""

    def change(live: Object) -> Object:
        finalizers = [f for f in metadata(live).get("finalizers") or () if f != FINALIZER]
        return {**live, "metadata": {**live["metadata"], "finalizers": finalizers}}

    live = client.find(which)
    if live is not None and FINALIZER in (metadata(live).get("finalizers") or ()):
        _changed(client, which, change)
        live = client.find(which)
    if live is not None and not metadata(live).get("deletionTimestamp"):
        client.delete(which)


def revert(client: Client, which: Ref) -> None:
    """Take out of a workload what is ours, and nothing else."""
    _changed(client, which, reverted)


def reverted(live: Object) -> Object:
    """Return the workload without us; pure. What marks it as managed goes as well."""
    found = strip(live, str(live.get("kind"))).object
    marks = (n.MANAGED_BY, n.MANAGED_FROM, n.SUT, n.ENV_ID, n.REPORT_ID)
    for key in ("annotations", "labels"):
        there = metadata(found).get(key)
        if there and any(mark in there for mark in (*marks, n.INJECTED)):
            kept = {name: text for name, text in there.items() if name not in (*marks, n.INJECTED)}
            found = {**found, "metadata": {**found["metadata"], key: kept}}
            if not kept:
                del found["metadata"][key]
    return found


def _changed(client: Client, which: Ref, change: Callable[[Object], Object]) -> None:
    """Change an object by the difference alone, guarded by its version; read anew when somebody else was faster."""
    for attempt in range(_TRIES):
        live = client.find(which)
        if live is None:
            return
        operations = patch(live, change(live))
        if not operations:
            return
        guard = {"op": "test", "path": "/metadata/resourceVersion", "value": metadata(live)["resourceVersion"]}
        try:
            client.patch(which, [guard, *operations], MANAGER, kind="json")
            return
        except NotFoundError:
            return
        except (InvalidError, TransientError):
            now = client.find(which)
            same = now is not None and metadata(now).get("resourceVersion") == metadata(live)["resourceVersion"]
            if same or attempt == _TRIES - 1:
                raise


def _awaited(hands: Hands, step: Step) -> str:
    """Wait for a step's end; return what it is still waiting for at the deadline, empty when it is done."""
    told = ""
    deadline = hands.deadline
    if step.phase in _CLEARED_LATER:
        deadline = min(deadline, hands.clock() + _PATIENCE_S)
    while True:
        try:
            left = _pending(hands.client, step)
        except TransientError as error:
            left = str(error)
        except (PermanentError, PeerError) as error:
            return str(error)
        if not left:
            return ""
        if hands.clock() >= deadline:
            return f"not done in time: {left}"
        if left != told:
            hands.tell(f"  waiting for {step.ref}: {left}")
            told = left
        hands.sleep(_POLL_S)


def _pending(client: Client, step: Step) -> str:
    """Return what keeps a step from being done."""
    live = client.find(step.ref)
    if step.do is Do.SCALE:
        return _still_works(client, step.ref.namespace)
    if live is None:
        return ""
    by = ", ".join(metadata(live).get("finalizers") or (live.get("spec") or {}).get("finalizers") or ())
    conditions = (live.get("status") or {}).get("conditions") or ()
    said = "; ".join(str(c.get("message")) for c in conditions if c.get("status") == "True" and "emaining" in c["type"])
    return said or (f"held by {by}" if by else "it is being deleted")


def _still_works(client: Client, namespace: str) -> str:
    """Return why an operator may still write: a pod of it, or the Lease, which a pod on a lost node holds as well."""
    pods = client.list("v1", "Pod", namespace, labels=_POD_LABELS, metadata_only=True)
    if pods:
        return f"{len(pods)} pods still run"
    lease = client.find(Ref("coordination.k8s.io/v1", "Lease", namespace, OPERATOR))
    return "its Lease is still held" if lease is not None and held(lease, utc_now()) else ""


_DEEDS: dict[Do, Callable[[Client, Ref], None]] = {
    Do.DELETE: _delete,
    Do.REVERT: revert,
    Do.SCALE: _scale,
    Do.RELEASE: _release,
}
