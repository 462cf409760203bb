"""What there is to remove, and one step of removing it. Pure data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from speedscale_controller.cli.installed import Installed
from speedscale_kube import Ref

Object = Mapping[str, Any]


class Phase(StrEnum):
    """The phases, in their order: each leaves nothing that a later one would have to wait for."""

    CANCEL = "cancel replays"
    WEBHOOKS = "remove webhooks"
    STOP = "stop the operator"
    REVERT = "take sidecars out"
    RELEASE = "release what is held"
    COPIES = "remove copies"
    INSTALLATION = "remove the installation"
    LAST = "remove definition and namespace"


class Do(StrEnum):
    """What a step does to its object."""

    DELETE = "delete"
    REVERT = "revert"
    SCALE = "scale to 0"
    RELEASE = "take our finalizer off"


@dataclass(frozen=True, slots=True)
class Step:
    """One deed on one object; `why` for people. `wait`: the next phase begins when it is done to its end."""

    phase: Phase
    do: Do
    ref: Ref
    why: str = ""
    wait: bool = False

    def __str__(self) -> str:
        return f"{self.do} {self.ref}" + (f" ({self.why})" if self.why else "")

    def document(self) -> dict[str, str]:
        """Return it as JSON."""
        return {
            "phase": self.phase.value,
            "do": self.do.value,
            "apiVersion": self.ref.api_version,
            "kind": self.ref.kind,
            "namespace": self.ref.namespace,
            "name": self.ref.name,
            "why": self.why,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the user asked for."""

    revert_only: bool = False
    keep_namespace: bool = False
    keep_crd: bool = False
    force: bool = False


@dataclass(frozen=True, kw_only=True)
class Inventory:
    """What is there. `working`: an operator is alive and will do its part. `unread` could not be looked at.

    `objects` bear our label, without Secrets and without what users put into the cluster with our help (snapshots,
    reports), which are `kept`. `foreign` are workloads and claims of others in the installation's namespace.
    """

    namespace: str
    installed: Installed | None = None
    working: bool = False
    namespace_object: Object | None = None
    crd: Object | None = None
    webhooks: Sequence[Object] = ()
    replays: Sequence[Object] = ()
    leftovers: Sequence[Object] = ()
    workloads: Sequence[Object] = ()
    secrets: Sequence[Object] = ()
    objects: Sequence[Object] = ()
    kept: Sequence[Object] = ()
    foreign: Sequence[Object] = ()
    unread: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done in order. `refusals` keep all of it from being done; `notes` are to be known."""

    steps: tuple[Step, ...] = ()
    refusals: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
