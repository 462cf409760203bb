"""Which replay has which workload, and what it does to it: for admission and healing, from the TrafficReplays alone.

A workload is one replay's at a time: of those that want it, the one that has begun, else the oldest. A replay that has
ended and keeps everything (`cleanup: none`) gives way to the next. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from speedscale_kube import Ref

from .memory import WorkloadPatch
from .model import Replay


@dataclass(frozen=True, slots=True)
class Hold:
    """What is kept of a TrafficReplay in memory where workloads are patched: a value. `home` is its namespace."""

    home: str
    rank: tuple[bool, bool, str, str]
    patches: tuple[tuple[Ref, WorkloadPatch], ...]
    namespaces: frozenset[str]


def hold(obj: Mapping[str, Any]) -> Hold:
    """Return what a TrafficReplay, as the API gives it, does to workloads, and in which namespaces it needs Secrets.

    A note of a workload that the replay does not name is nobody's, and left out.
    """
    replay = Replay.read(obj)
    there = () if replay.memory.released else tuple(replay.memory.patches.items())
    patches = tuple((ref, patch) for ref, patch in there if ref in replay.targets)
    return Hold(replay.namespace, (replay.status.concluded, *replay.rank), patches, namespaces_in_use(obj))


def in_force(holds: Iterable[Hold], consents: Callable[[str, str], bool]) -> dict[Ref, WorkloadPatch]:
    """Return what is done to each workload now; `consents(home, namespace)` is `consent.consents` there."""
    made: dict[Ref, WorkloadPatch] = {}
    for one in sorted(holds, key=lambda h: h.rank):
        for ref, patch in one.patches:
            if consents(one.home, ref.namespace):
                made.setdefault(ref, patch)
    return made


def namespaces_in_use(obj: Mapping[str, Any]) -> frozenset[str]:
    """Return the namespaces in which this TrafficReplay runs pods that need our Secrets; none once it has ended."""
    replay = Replay.read(obj)
    if replay.status.concluded or replay.deleted:
        return frozenset()
    return frozenset({replay.namespace, *(ref.namespace for ref in replay.targets)})


def waits_for(replay: Replay, others: Iterable[Replay]) -> Replay | None:
    """Return the replay that has to end before `replay` may have its workloads; None when it may begin.

    `others` are all there are. One that is being deleted has its workloads until they are given back.
    """
    mine = set(replay.targets) if changes_workloads(replay) else set()
    for other in sorted(others, key=lambda r: (r.status.concluded, *r.rank)):
        if other.uid == replay.uid or not changes_workloads(other):
            continue
        if other.status.concluded or other.deleted:
            taken = set(other.memory.patches)
        elif other.rank < replay.rank:
            taken = set(other.targets)
        else:
            taken = set()
        if taken & mine:
            return other
    return None


def changes_workloads(replay: Replay) -> bool:
    """Return whether a replay's mode changes workloads at all."""
    return replay.mode != "generator-only"


def is_wanted(replay: Replay, others: Iterable[Replay]) -> bool:
    """Return whether another replay, not ended, wants a workload that this one has a hand on."""
    return any(
        set(other.targets) & set(replay.memory.patches)
        for other in others
        if other.uid != replay.uid and not other.status.concluded and not other.deleted and changes_workloads(other)
    )
