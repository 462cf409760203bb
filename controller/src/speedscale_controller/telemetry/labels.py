"""Values that metric labels may have. A label is never a name of a user's: those have no bound.

Enums of other packages (`injection.Skip`, states of a replay) are label values, too; here is what more than one
package uses.
"""

from __future__ import annotations

from enum import StrEnum

OTHER = "other"


class Endpoint(StrEnum):
    """What an admission review was sent to."""

    MUTATE = "mutate"
    REPLAY_MUTATE = "replay_mutate"
    REPLAY_VALIDATE = "replay_validate"


class Answer(StrEnum):
    """What a review was answered with."""

    UNCHANGED = "unchanged"
    PATCHED = "patched"
    REFUSED = "refused"
    SKIPPED = "skipped"  # let through, with a reason the user is told
    NOT_OURS = "not_ours"  # DELETE, unknown kind or version
    TOO_LARGE = "too_large"
    LATE = "late"
    BUSY = "busy"  # more reviews at once than are answered
    NO_FACTS = "no_facts"  # what the decision needs is not known yet
    FAILED = "failed"  # a bug of ours; the workload went through
    MALFORMED = "malformed"  # 400


class Kind(StrEnum):
    """Kinds of objects that are counted by kind."""

    DEPLOYMENT = "Deployment"
    STATEFUL_SET = "StatefulSet"
    DAEMON_SET = "DaemonSet"
    REPLICA_SET = "ReplicaSet"
    JOB = "Job"
    CRON_JOB = "CronJob"
    POD = "Pod"
    ROLLOUT = "Rollout"
    TRAFFIC_REPLAY = "TrafficReplay"
    OTHER = OTHER


class Process(StrEnum):
    """The operator's processes."""

    SUPERVISOR = "supervisor"
    ADMISSION = "admission"
    CONTROLLER = "controller"


class Component(StrEnum):
    """Components that are managed or made for replays."""

    FORWARDER = "forwarder"
    INSPECTOR = "inspector"
    NETTAP = "nettap"
    DEMO = "demo"
    BACKEND = "backend"
    COLLECTOR = "collector"
    GENERATOR = "generator"
    RESPONDER = "responder"
    REDIS = "redis"
    OTHER = OTHER


def kind(name: str) -> str:
    """Return a kind's label: itself, or `other`."""
    return name if name in _KINDS else OTHER


def component(name: str) -> str:
    """Return a component's label: itself (the backend is also called cloud), or `other`."""
    return Component.BACKEND.value if name == "cloud" else name if name in _COMPONENTS else OTHER


_KINDS = frozenset(Kind)
_COMPONENTS = frozenset(Component)
