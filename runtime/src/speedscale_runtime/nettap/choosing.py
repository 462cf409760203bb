"""Which pods of this node are captured, under which name, and which that were asked for are not.

Called by `service` whenever pods, namespaces or one of the two ConfigMaps changed. Pure: the same knowledge gives the
same choice. Two ways to be asked for: by annotation (the operator's document, `speedscale_schemas.nettap`), or by
selector (`selectors`). A pod that is meant by both has what its annotation says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from speedscale_schemas.nettap import Targets, Workload, makers

from .pods import Pod
from .selectors import Selected

OURS: Final = "speedscale-"
"""How the label `app` of our own components begins: to capture what sends the captured would never end."""


class Refused(StrEnum):
    """Why a pod that is asked for is not captured."""

    SIDECAR = "sidecar"  # everything would be recorded twice
    IGNORED = "ignored"  # it is marked to be left alone
    OURS = "ours"  # a component of this installation


@dataclass(frozen=True, slots=True)
class Chosen:
    """A pod that is captured; `app_label` is the name under which its traffic is recorded."""

    pod: Pod
    app_label: str
    ignore_ports: tuple[int, ...] = ()
    ports: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Choice:
    """All of this node, by the pods' uids."""

    chosen: Mapping[str, Chosen]
    refused: Mapping[str, tuple[Pod, Refused]]


def choose(
    pods: Iterable[Pod],
    targets: Targets,
    selected: tuple[Selected, ...],
    namespace_labels: Mapping[str, Mapping[str, str]],
    own_namespace: str,
) -> Choice:
    """Return which pods are captured and which are refused; `namespace_labels` are those that are known."""
    by_place = {workload.place: workload for workload in targets.workloads}
    chosen: dict[str, Chosen] = {}
    refused: dict[str, tuple[Pod, Refused]] = {}
    for pod in pods:
        labels = dict(pod.labels)
        places = makers(pod.namespace, pod.name, labels, pod.owner_kind, pod.owner_name)
        workload = next((by_place[place] for place in reversed(places) if place in by_place), None)
        matched = [
            one for one in selected if one.selects(pod.namespace, namespace_labels.get(pod.namespace, {}), labels)
        ]
        if workload is None and not matched:
            continue
        why = _refusal(pod, labels, own_namespace)
        if why is not None:
            refused[pod.uid] = pod, why
        else:
            chosen[pod.uid] = _chosen(pod, workload, matched, labels.get("app") or places[-1].name)
    return Choice(chosen, refused)


def _refusal(pod: Pod, labels: Mapping[str, str], own_namespace: str) -> Refused | None:
    if pod.namespace == own_namespace and labels.get("app", "").startswith(OURS):
        return Refused.OURS
    if pod.sidecar:
        return Refused.SIDECAR
    return Refused.IGNORED if pod.ignored else None


def _chosen(pod: Pod, workload: Workload | None, matched: list[Selected], name: str) -> Chosen:
    if workload is not None:
        return Chosen(pod, workload.app_label, workload.ignore_ports)
    all_ports = any(not one.ports for one in matched)
    return Chosen(pod, name, (), frozenset() if all_ports else frozenset().union(*(one.ports for one in matched)))
