"""Takes the steps of a plan: creates, applies, deletes, and says of each what came of it.

An apply bears the object's uid: it never makes an object anew that was deleted meanwhile. One that changed nothing (its
resourceVersion is what it was) is no repair. What others added is taken out by a JSON Patch that tests the version.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from speedscale_controller.drift import Action, Step, compare, mending, removal
from speedscale_controller.drift.compare import MANAGER
from speedscale_kube import Client, Object
from speedscale_kube.errors import ForbiddenError, InvalidError
from speedscale_schemas.errors import PermanentError

from .state import Trouble

_IMMUTABLE: Final = ("field is immutable", "Forbidden: updates to", "may not change", "is immutable after creation")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a step. `live` is the object afterwards, None when deleted or unknown; `wrote`: it changed."""

    step: Step
    wrote: bool
    live: Object | None = None
    trouble: Trouble | None = None
    message: str = ""


def take(client: Client, step: Step, desired: Object | None, live: Object | None) -> Outcome:
    """Take one step; TransientError passes, what the server refuses for good is in the outcome."""
    try:
        if step.action is Action.DELETE:
            return Outcome(step, client.delete(step.ref))
        if step.action is Action.CREATE and step.manifest is not None:
            return Outcome(step, True, client.apply(step.manifest, MANAGER, force=True))
        if step.action is Action.APPLY and step.manifest is not None and live is not None and desired is not None:
            return _apply(client, step, desired, live)
    except ForbiddenError as error:
        missing = "is forbidden: User" in str(error)  # else a policy of the cluster refused it
        return _refused(step, live, Trouble.RIGHT_MISSING if missing else Trouble.REFUSED, str(error))
    except InvalidError as error:
        immutable = any(words in str(error) for words in _IMMUTABLE)
        remedy = f"; {_remedy(step)}" if immutable else ""
        return _refused(step, live, Trouble.IMMUTABLE if immutable else Trouble.REFUSED, f"{error}{remedy}")
    except PermanentError as error:
        return _refused(step, live, Trouble.REFUSED, str(error))
    return Outcome(step, False, live)


def _apply(client: Client, step: Step, desired: Object, live: Object) -> Outcome:
    manifest = step.manifest or {}
    metadata = {**manifest["metadata"], "uid": live["metadata"]["uid"]}
    wanted = {**manifest, "metadata": metadata}
    try:
        answer = client.apply(wanted, MANAGER, force=True)
    except InvalidError:
        change = mending(live, step.changes) if step.mend else []
        if not change:
            raise
        client.patch(step.ref, change, MANAGER, kind="json")
        answer = client.apply(wanted, MANAGER, force=True)
    if step.mend:
        change = removal(answer, compare(desired, answer).changes)
        if change:
            answer = client.patch(step.ref, change, MANAGER, kind="json")
    wrote = answer["metadata"].get("resourceVersion") != live["metadata"].get("resourceVersion")
    return Outcome(step, wrote, answer)


def _refused(step: Step, live: Object | None, trouble: Trouble, why: str) -> Outcome:
    return Outcome(step, False, live, trouble, f"{step.ref} cannot be {_DONE[step.action]}: {why}")


_DONE: Final = {Action.CREATE: "created", Action.APPLY: "changed", Action.DELETE: "deleted"}


def _remedy(step: Step) -> str:
    return f"Kubernetes never changes this field: delete {step.ref}, and it is made anew"
