"""What a workload asks of nettap, and what is kept of it in memory: only of those that ask. Pure.

Called by the watches with every workload they see, and by `speedctl infra`. What an annotation means is the business of
`speedscale_schemas.annotations`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from speedscale_controller.injection import app_label, names, our_containers, pod_template
from speedscale_controller.reconciling import Watched
from speedscale_kube import Object, Ref
from speedscale_schemas.annotations import CAPTURE, REPLAY, Parsed, is_ours, parse
from speedscale_schemas.asking.workloads import TEMPLATED, owned
from speedscale_schemas.nettap import Place, Refusal

POD: Final = ("v1", "Pod")
"""Bare pods are listed now and then: a watch of every pod would cost more than it tells."""

_ASKS: Final = (f"{CAPTURE}/enabled", f"{CAPTURE}/java-agent")


@dataclass(frozen=True, slots=True)
class Wish:
    """A workload that asks for capture. `refusal` is why it is not, None when it is."""

    ref: Ref
    uid: str
    label: str
    ignore_ports: tuple[int, ...] = ()
    refusal: Refusal | None = None
    message: str = ""

    @property
    def place(self) -> Place:
        """Return the workload's name, as nodes are told it."""
        return Place(self.ref.namespace, self.ref.kind, self.ref.name)


def wish(obj: Object) -> Wish | None:
    """Return what a workload asks of nettap; None for one that asks nothing, that ends, or that another one makes."""
    metadata = obj["metadata"]
    own = {name: text for name, text in (metadata.get("annotations") or {}).items() if is_ours(name)}
    own.pop(names.REVERT, None)  # of a Pod, whose own metadata is the template's
    if not any(name in own for name in _ASKS) or "deletionTimestamp" in metadata or owned(obj):
        return None
    kind = str(obj["kind"])
    parsed = parse(own, kind)
    refused = [p for p in parsed.errors if not p.annotation.startswith(f"{REPLAY}/")]
    if not refused and not parsed.capture.enabled:
        return None
    ref = Ref(str(obj["apiVersion"]), kind, str(metadata.get("namespace", "")), str(metadata["name"]))
    refusal, message = _judge(parsed, refused, obj)
    return Wish(ref, str(metadata.get("uid", "")), app_label(obj), parsed.capture.ignore_ports, refusal, message)


def _judge(parsed: Parsed, refused: list[Any], obj: Object) -> tuple[Refusal | None, str]:
    if parsed.operator.ignore:
        return Refusal.IGNORED, f'{names.IGNORE}: "true" wins over everything'
    if refused:
        return _reason([p.annotation for p in refused], parsed), "; ".join(str(p) for p in refused[:3])
    if any(our_containers(pod_template(obj))):
        return Refusal.SIDECAR, "the sidecar is still in its pod template, and everything would be recorded twice"
    return None, ""


def _reason(annotations: list[str], parsed: Parsed) -> Refusal:
    """Return the one reason that says most."""
    if parsed.sidecar.inject:
        return Refusal.SIDECAR
    if f"{CAPTURE}/java-agent" in annotations:
        return Refusal.JAVA_AGENT
    too_many = f"{CAPTURE}/ignore-ports" in annotations and bool(parsed.capture.ignore_ports)
    return Refusal.TOO_MANY_PORTS if too_many else Refusal.ANNOTATIONS


WORKLOADS: Final[tuple[Watched[Wish], ...]] = tuple(
    Watched(f"nettap_{kind.lower()}", version, kind, wish) for kind, version in TEMPLATED.items()
)
"""In every namespace that we work in. Rollouts may be installed later."""
