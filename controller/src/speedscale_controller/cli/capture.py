"""How a workload is captured: what it asks for, what it has, and why the two differ.

Pure. The verdict is that of the operator's own decision on the live object, so that what is shown here is what will
happen. Used by `infra workloads`, `infra sidecar` and `doctor`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from speedscale_controller.injection import (
    Facts,
    Inject,
    Leave,
    Remove,
    Skip,
    annotations_of,
    containers,
    decide,
    labels_of,
    mapping,
    patch,
    pod_template,
)
from speedscale_controller.injection import names as n
from speedscale_controller.nettap.asking import wish
from speedscale_schemas.annotations import is_ours, parse


class State(StrEnum):
    """What has become of a workload's wish."""

    INJECTED = "injected"  # the sidecar is in, and as it should be
    STALE = "stale"  # the sidecar is in, and another would be put in now
    PENDING = "pending"  # asked for, and not in yet
    REMOVING = "removing"  # the sidecar is in, and no longer asked for
    SKIPPED = "skipped"  # asked for, and refused
    NETTAP = "nettap"  # captured without a sidecar
    NONE = "none"  # nothing is asked for
    UNKNOWN = "unknown"  # asked for, and nobody can say: no installation, or one that is broken


@dataclass(frozen=True, slots=True)
class Captured:
    """A workload and its state. `reason` and `message` say why it is not as asked for."""

    kind: str
    namespace: str
    name: str
    state: State
    annotated: bool
    injected: bool
    reason: str = ""
    message: str = ""
    warnings: tuple[str, ...] = ()
    managed_by: str = ""
    replay: str = ""
    image: str = ""

    def document(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "kind": self.kind,
            "namespace": self.namespace,
            "name": self.name,
            "state": self.state.value,
            "annotated": self.annotated,
            "injected": self.injected,
            "reason": self.reason,
            "message": self.message,
            "warnings": list(self.warnings),
            "managedBy": self.managed_by,
            "replay": self.replay,
            "sidecarImage": self.image,
        }


def capture(workload: Mapping[str, Any], facts: Facts | None) -> Captured:
    """Return the state of a live workload; `facts` None where no installation is there to judge it."""
    kind = str(workload.get("kind", ""))
    template = pod_template(workload)
    image = sidecar_image(template)
    injected = bool(image) or n.REVERT in annotations_of(template) or n.INJECTED in labels_of(template)
    own = {k: v for k, v in annotations_of(workload).items() if is_ours(k) and k != n.REVERT}
    parsed = parse(own, kind)
    wants = parsed.sidecar.inject or any(p.annotation.startswith("sidecar.") for p in parsed.errors)
    wished = wish(dict(workload))
    state, reason, message, warnings = _judged(workload, facts, injected, wants, parsed.method == "nettap")
    if wished is not None and wished.refusal is not None and state is State.NONE:
        state, reason, message = State.SKIPPED, wished.refusal.value, wished.message
    return Captured(
        kind,
        str(workload["metadata"].get("namespace", "")),
        str(workload["metadata"].get("name", "")),
        state,
        wants,
        injected,
        reason,
        message,
        warnings,
        str(annotations_of(workload).get(n.MANAGED_BY, "")),
        str(annotations_of(workload).get(n.ENV_ID, "") or labels_of(workload).get(n.ENV_ID, "")),
        image,
    )


def _judged(
    workload: Mapping[str, Any], facts: Facts | None, injected: bool, wants: bool, nettap: bool
) -> tuple[State, str, str, tuple[str, ...]]:
    if facts is None:
        return (State.UNKNOWN if wants or injected else State.NETTAP if nettap else State.NONE), "", "", ()
    verdict = decide(workload, facts, operation="UPDATE")
    match verdict:
        case Inject():
            if not injected:
                return State.PENDING, "", "", verdict.warnings
            return State.STALE, "", _differing(workload, verdict.object), verdict.warnings
        case Remove():
            return State.REMOVING, verdict.reason or "", verdict.message, verdict.warnings
        case Skip():
            return State.SKIPPED, verdict.reason.value, verdict.message, verdict.warnings
        case Leave():
            state = State.INJECTED if verdict.injected or injected else State.NETTAP if nettap else State.NONE
            return state, "", "", verdict.warnings


def _differing(live: Mapping[str, Any], wanted: Mapping[str, Any], most: int = 4) -> str:
    """Return where the pods would be made differently now, the first few places."""
    where = [operation["path"] for operation in patch(live, wanted)]
    more = f" and {len(where) - most} more" if len(where) > most else ""
    return f"another sidecar would be put in now; it would differ in {', '.join(where[:most])}{more}"


def sidecar_image(template: Mapping[str, Any]) -> str:
    """Return the image of the sidecar in a pod template, empty when there is none."""
    found = (c for c in containers(mapping(template.get("spec"))) if c.get("name") == n.CONTAINER)
    return next((str(c.get("image", "")) or "unknown" for c in found), "")
