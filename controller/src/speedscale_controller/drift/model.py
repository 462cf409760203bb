"""What may be done about drift, and why it is done or not. Plain data; reasons are labels of metrics.

`STAMP` is an annotation that profile operator puts on what it applies: `<component>/<hash>`, of the object as the
bundle (and the override) want it. Where it differs from the wanted one's, the wish changed, not the object: that is a
roll forward, and no drift. The component stands there because labels name smaller parts (java-server of the demo).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from speedscale_kube import Object, Ref
from speedscale_kube.compare import Change

STAMP: Final = "controlplane.speedscale.com/applied"


class Policy(StrEnum):
    """DRIFT: what happens to managed objects that others changed."""

    ENFORCE = "enforce"
    REPORT = "report"
    OFF = "off"


class Action(StrEnum):
    """What is to be done with one object."""

    CREATE = "create"
    APPLY = "apply"
    DELETE = "delete"
    REPORT = "report"
    LEAVE = "leave"


class Reason(StrEnum):
    """Why."""

    AS_WANTED = "as_wanted"
    MISSING = "missing"
    CHANGED = "changed"
    ROLLED_FORWARD = "rolled_forward"  # the bundle or the override says something new
    SWITCHED_OFF = "switched_off"
    GITOPS_TOOL = "gitops_tool"  # Argo CD or Flux owns it and mends it
    CLAIM = "claim"  # a claim holds traffic: never deleted, never made smaller
    BEING_DELETED = "being_deleted"
    POLICY_OFF = "policy_off"


@dataclass(frozen=True, slots=True)
class Step:
    """One object and what is to be done. `message` is a sentence for users.

    `manifest` is what is sent with CREATE and APPLY. `mend`: with APPLY, also take out what others added.
    """

    action: Action
    reason: Reason
    ref: Ref
    message: str = ""
    manifest: Object | None = None
    changes: tuple[Change, ...] = ()
    mend: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """All steps of a component, in the order in which they are to be taken."""

    steps: tuple[Step, ...] = ()

    def of(self, *actions: Action) -> tuple[Step, ...]:
        """Return the steps of these actions, in order."""
        return tuple(step for step in self.steps if step.action in actions)

    @property
    def writes(self) -> tuple[Step, ...]:
        """The steps that write."""
        return self.of(Action.CREATE, Action.APPLY, Action.DELETE)

    @property
    def quiet(self) -> bool:
        """Whether there is nothing to write and nothing to tell."""
        return not self.writes and not self.of(Action.REPORT)
