"""What the state machine sees and what it says: observations in, a decision out. Data only.

Made by the reconciler (`Observed`) and by `machine` (`Decision`). An action is data, too: the reconciler does them in
their order, each safe to be done again, and then looks anew. No action depends on one that was not seen done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from speedscale_kube import Ref

from .memory import Memory, WorkloadPatch
from .objects import Objects
from .plan import Plan
from .readiness import Readiness
from .status import Status


class Phase(StrEnum):
    """States of a replay, in their order; reason of condition `Running`."""

    CREATED = "Created"
    WAITING = "Waiting"
    STARTED = "Started"
    SNAPSHOT_FETCHED = "SnapshotFetched"
    CREDENTIALS_COPIED = "CredentialsCopied"
    COLLECTOR_UP = "CollectorUp"
    RESPONDER_READY = "ResponderReady"
    WORKLOAD_MUTATED = "WorkloadMutated"
    WORKLOAD_READY = "WorkloadReady"
    GENERATOR_RUNNING = "GeneratorRunning"
    ANALYSED = "Analysed"
    CLEANED_UP = "CleanedUp"
    KEPT = "Kept"


# What is seen


@dataclass(frozen=True, slots=True)
class Target:
    """A workload that the replay has, or may have, a hand on.

    `in_place`: it is as the replay wants it (nothing to patch). `ours`: it bears this replay's mark. `refused` is why
    it cannot be changed.
    """

    exists: bool
    in_place: bool = False
    ours: bool = False
    readiness: Readiness = field(default_factory=lambda: Readiness(False))
    refused: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """The generator's Job. `age_s` since it was made, `ended_s` since it ended; `started`: a pod of it runs or ran.

    `summary` is merged of its pods' once it has ended; `cause` why pods do not start, or why it failed.
    """

    age_s: float = 0.0
    started: bool = False
    ended: bool = False
    ended_s: float = 0.0
    summary: Mapping[str, Any] | None = None
    cause: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """What the collector says: `waiting` for what, or, once it is `done`, the summary over all pods and where the
    report can be seen. `summary` is None where it could not judge.
    """

    done: bool = False
    waiting: str = ""
    summary: Mapping[str, Any] | None = None
    url: str = ""
    stored: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Everything that a decision depends on besides the TrafficReplay and the time.

    `waits_for` tells which other replay has to end first, `wanted` whether another one waits for this one. `problems`
    are why there is no plan. `present` are the replay's objects that exist, `foreign` those that bear one of its names
    and are not its own. `secrets_missing` are sentences. `patches` are wanted for the workloads, None until the
    Services have addresses. `components` are by name (`responder shop`). `given_up` are objects that may be missing
    and could not be made. `analysis` is what the collector says once there is something to ask, None without one to
    ask. `trouble` is the last write that the API server refused.
    """

    waits_for: str = ""
    waits_for_ever: bool = False
    wanted: bool = False
    plan: Plan | None = None
    problems: tuple[str, ...] = ()
    not_yet: str = ""
    memory: Memory = field(default_factory=Memory)
    objects: Objects | None = None
    present: frozenset[Ref] = frozenset()
    foreign: frozenset[Ref] = frozenset()
    leaving: frozenset[Ref] = frozenset()
    secrets_missing: tuple[str, ...] = ()
    patches: Mapping[Ref, WorkloadPatch] | None = None
    targets: Mapping[Ref, Target] = field(default_factory=dict)
    components: Mapping[str, Readiness] = field(default_factory=dict)
    job: Job | None = None
    analysis: Analysis | None = None
    report_written: bool = False
    given_up: Mapping[Ref, str] = field(default_factory=dict)
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """`prepare_s`: how long until tests begin (TEST_PREP_TIMEOUT). `poll_s`: between two looks while something is
    waited for. `stuck_s`: how long a deletion waits for what cannot be cleared away. `analyse_s`: how long an end waits
    for the collector, `leave_s` how long a deletion does.
    """

    prepare_s: float = 600.0
    poll_s: float = 2.0
    stuck_s: float = 300.0
    analyse_s: float = 120.0
    leave_s: float = 20.0


# What is to be done


@dataclass(frozen=True, slots=True)
class Hold:
    """Put the finalizer on the TrafficReplay (or take it off)."""

    held: bool


@dataclass(frozen=True, slots=True)
class Remember:
    """Write the replay's memory."""

    memory: Memory


@dataclass(frozen=True, slots=True)
class Create:
    """Make an object that is not there. Where it is not `vital`, failing is told and no obstacle."""

    manifest: Mapping[str, Any]
    vital: bool = True


@dataclass(frozen=True, slots=True)
class Patch:
    """Change a workload."""

    ref: Ref
    patch: WorkloadPatch


@dataclass(frozen=True, slots=True)
class Revert:
    """Give a workload back as it was."""

    ref: Ref


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete an object that this replay made."""

    ref: Ref


@dataclass(frozen=True, slots=True)
class DeleteWorkload:
    """Delete the workload under test (`cleanup: all`)."""

    ref: Ref


@dataclass(frozen=True, slots=True)
class WriteReport:
    """Write the report's ConfigMap; failing is told and no obstacle."""

    state: str
    reason: str
    summary: Mapping[str, Any]
    analysis: Analysis | None = None


@dataclass(frozen=True, slots=True)
class Expire:
    """Delete the TrafficReplay itself."""


@dataclass(frozen=True, slots=True)
class Tell:
    """An Event about the TrafficReplay."""

    warning: bool
    reason: str
    message: str


Action = Hold | Remember | Create | Patch | Revert | Delete | DeleteWorkload | WriteReport | Expire | Tell


@dataclass(frozen=True, slots=True)
class Decision:
    """`actions` are done first, then `status` is written where it differs; then another look after `after_s` seconds
    (0: at once; None: when something changes)."""

    phase: Phase
    status: Status
    actions: tuple[Action, ...] = ()
    after_s: float | None = None
