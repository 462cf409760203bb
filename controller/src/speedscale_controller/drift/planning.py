"""A component's wanted objects and what lives → the steps, in their order. Pure.

| object | enforce | report | off |
| --- | --- | --- | --- |
| not there | profile operator creates it, gitops reports it | same | operator creates, gitops leaves |
| differs, the wish is new (profile operator) | apply | apply | apply |
| differs | apply, and take out what others added | report | leave |
| differs, and a GitOps tool owns it | report: stood back | report | leave |
| made by us, no longer wanted (profile operator) | delete, but for claims | same | same |

So in profile operator every policy makes components, rolls them forward and removes them; the policy says only what
becomes of what *others* changed. In profile gitops nothing is ever created or deleted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from speedscale_kube import Object, Ref, ref
from speedscale_schemas.annotations.quantities import amount

from .compare import Differences, compare
from .marks import gitops_tool
from .model import STAMP, Action, Plan, Policy, Reason, Step

_ORDER: Final = {"ConfigMap": 0, "PersistentVolumeClaim": 1, "NetworkPolicy": 2, "Service": 3, "PodDisruptionBudget": 4}
_CLAIM: Final = "PersistentVolumeClaim"


def plan(
    desired: Sequence[Object], live: Mapping[Ref, Object], policy: Policy, *, creates: bool, component: str = ""
) -> Plan:
    """Return what is to be done with one component.

    `desired` are its objects as wanted, none when it is switched off; in profile operator (`creates`) each bears STAMP.
    `live` are those of them that live, whole, and (with `creates`) those that we made and are not wanted any more.
    """
    wanted = {ref(one): one for one in desired}
    steps = [
        _one(which, one, live.get(which), policy, creates)
        for which, one in sorted(wanted.items(), key=lambda pair: (_ORDER.get(pair[0].kind, 9), pair[0]))
    ]
    extra = sorted((which for which in live if which not in wanted), key=lambda w: (-_ORDER.get(w.kind, 9), w))
    steps += [_extra(which, live[which], component) for which in extra if creates]
    return Plan(tuple(steps))


def _one(which: Ref, desired: Object, live: Object | None, policy: Policy, creates: bool) -> Step:
    if live is None:
        return _missing(which, desired, policy, creates)
    if (live.get("metadata") or {}).get("deletionTimestamp"):
        return Step(Action.LEAVE, Reason.BEING_DELETED, which, f"{which} is being deleted")
    found = compare(desired, live)
    if not found:
        return Step(Action.LEAVE, Reason.AS_WANTED, which)
    tool = gitops_tool(live, desired)
    if tool:
        return _stood_back(which, found, policy, tool)
    if policy is not Policy.ENFORCE and not (creates and _stamp(desired) != _stamp(live)):
        return _told(which, found, policy)
    if which.kind == _CLAIM and not _grows(desired, live, found):
        message = f"{which} differs from the bundle and is not changed, because it holds traffic: {found.message}"
        return Step(Action.REPORT, Reason.CLAIM, which, message, changes=found.changes)
    new = creates and _stamp(desired) != _stamp(live)
    reason = Reason.ROLLED_FORWARD if new else Reason.CHANGED
    message = f"{which}: {found.message}"
    return Step(Action.APPLY, reason, which, message, found.manifest, found.changes, policy is Policy.ENFORCE)


def _missing(which: Ref, desired: Object, policy: Policy, creates: bool) -> Step:
    if creates:
        return Step(Action.CREATE, Reason.MISSING, which, f"{which} is not there", desired)
    action = Action.LEAVE if policy is Policy.OFF else Action.REPORT
    message = f"{which} is in the bundle and not in the cluster; in profile gitops it comes from git: sync it"
    return Step(action, Reason.MISSING, which, message)


def _stood_back(which: Ref, found: Differences, policy: Policy, tool: str) -> Step:
    action = Action.LEAVE if policy is Policy.OFF else Action.REPORT
    message = f"{which} differs from the bundle and is left to {tool}, which owns it: {found.message}"
    return Step(action, Reason.GITOPS_TOOL, which, message, changes=found.changes)


def _told(which: Ref, found: Differences, policy: Policy) -> Step:
    if policy is Policy.OFF:
        return Step(Action.LEAVE, Reason.POLICY_OFF, which)
    return Step(
        Action.REPORT,
        Reason.CHANGED,
        which,
        f"{which} differs from the bundle: {found.message}",
        changes=found.changes,
    )


def _extra(which: Ref, live: Object, component: str) -> Step:
    metadata = live.get("metadata") or {}
    if metadata.get("deletionTimestamp"):
        return Step(Action.LEAVE, Reason.BEING_DELETED, which, f"{which} is being deleted")
    tool = gitops_tool(live)
    if tool:
        message = f"{which} is not in the bundle any more and is left to {tool}, which owns it"
        return Step(Action.REPORT, Reason.GITOPS_TOOL, which, message)
    if which.kind == _CLAIM:
        message = (
            f"{component or 'its component'} is switched off; {which} stays, because it may hold traffic that was not"
            f" exported; delete it by hand when it is not needed"
        )
        return Step(Action.REPORT, Reason.CLAIM, which, message)
    return Step(Action.DELETE, Reason.SWITCHED_OFF, which, f"{which} is not wanted any more")


def _grows(desired: Object, live: Object, found: Differences) -> bool:
    """Say whether a claim's changes are what Kubernetes can do with one: more storage, labels, annotations."""
    if any(change.path[0] != "metadata" and "storage" not in change.path for change in found.changes):
        return False
    sizes = [_storage(one) for one in (desired, live)]
    try:
        return amount(sizes[0]) >= amount(sizes[1])
    except (ValueError, TypeError):
        return False


def _storage(claim: Object) -> str:
    spec: Mapping[str, Any] = claim.get("spec") or {}
    return str(((spec.get("resources") or {}).get("requests") or {}).get("storage", ""))


def _stamp(obj: Mapping[str, Any]) -> str:
    return str(((obj.get("metadata") or {}).get("annotations") or {}).get(STAMP, ""))
