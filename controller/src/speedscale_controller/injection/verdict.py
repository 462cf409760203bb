"""What becomes of a workload: the four verdicts, and the reasons for touching it not.

Returned by `decide`; admission turns them into answers, healing into writes, both into Events and metrics. A reason is
a metric's label: a closed set.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Reason(StrEnum):
    """Why a workload that asks for a sidecar, or has one, does not get what it asks for."""

    IGNORED = "ignored"
    OWNED = "owned"
    JOB_IMMUTABLE = "job_immutable"
    POD_IMMUTABLE = "pod_immutable"
    HOST_NETWORK = "host_network"
    POD_SECURITY = "pod_security"
    QUOTA = "quota"
    PORTS_TAKEN = "ports_taken"
    BOTH_METHODS = "both_methods"
    BAD_ANNOTATION = "bad_annotation"
    WINDOWS = "windows"
    VIRTUAL_NODE = "virtual_node"
    NAMESPACE_NOT_SELECTED = "namespace_not_selected"
    NAMESPACE_DELETING = "namespace_deleting"
    MANAGED_BY_OTHER = "managed_by_other"
    NATIVE_SIDECAR_UNSUPPORTED = "native_sidecar_unsupported"
    NO_TEMPLATE = "no_template"
    NO_INIT_CONTAINER = "no_init_container"
    SYSTEM_NAMESPACE = "system_namespace"
    NAME_TAKEN = "name_taken"
    TOO_LARGE = "too_large"
    UNKNOWN_KIND = "unknown_kind"
    MALFORMED = "malformed"
    WORKLOAD_REF = "workload_ref"
    REPLAY_PATCH = "replay_patch"


@dataclass(frozen=True, slots=True)
class Inject:
    """`object` is the workload with the sidecar, or a replay's changes, in; it differs from the one that was given.

    `reason` and `message` say why a sidecar that is asked for is not in beside the replay's changes.
    """

    object: dict[str, Any]
    warnings: tuple[str, ...] = ()
    reason: Reason | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Remove:
    """`object` is the workload without what we had put in.

    `reason` and `message` say why where it still asks for a sidecar that it cannot have (any more); None where it was
    asked for.
    """

    object: dict[str, Any]
    warnings: tuple[str, ...] = ()
    reason: Reason | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Leave:
    """The workload is as it should be. `injected`: it has our sidecar or a replay's changes; `reason` as of Inject."""

    warnings: tuple[str, ...] = ()
    injected: bool = False
    reason: Reason | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Skip:
    """The workload stays untouched although it asks for something; `message` is for its owner."""

    reason: Reason
    message: str
    warnings: tuple[str, ...] = ()


Verdict = Inject | Remove | Leave | Skip
