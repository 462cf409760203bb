"""The numbers under which pods are known to capture, and whose a cgroup is.

Used by `service` on the event loop's thread; `targets` and `shown` may be asked on others. A pod keeps its number for
as long as it is captured, so that a new set of targets leaves what goes on untouched; a number is never given twice.
Capture says which cgroups belong to a number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from speedscale_runtime.recording.config import Identity

from .choosing import Chosen
from .owners import Owner
from .wire import Cgroup, Event, Target


@dataclass(frozen=True, slots=True)
class Fixed:
    """A cgroup that is captured whatever Kubernetes says: for machines without it."""

    path: str
    service: str
    namespace: str = ""
    ignore_ports: tuple[int, ...] = ()


class Roster:
    """Targets by number, owners by cgroup."""

    def __init__(self, cluster: str, node: str, *, loopback: bool, node_traffic: bool, fixed: Iterable[Fixed]) -> None:
        """`loopback` and `node_traffic`: record what the sidecar would not see."""
        self._cluster, self._node = cluster, node
        self._loopback, self._node_traffic = loopback, node_traffic
        self._last = 0
        self._numbers: dict[str, int] = {}  # by uid
        self._chosen: dict[int, Chosen] = {}
        self._owners: dict[int, Owner] = {}  # by number
        self._cgroups: dict[int, tuple[int, str]] = {}  # number and path
        self._fixed: dict[int, Fixed] = {}
        for one in fixed:
            number = self._next()
            self._fixed[number] = one
            who = Identity(one.service, cluster, one.namespace or "undefined", one.service, "", "", node)
            self._owners[number] = Owner(who, loopback=loopback)

    def _next(self) -> int:
        self._last += 1
        return self._last

    def choose(self, chosen: Mapping[str, Chosen]) -> bool:
        """Take the pods to capture, by uid; say whether the set that capture knows has changed."""
        before = self.targets()
        for uid in self._numbers.keys() - chosen.keys():
            number = self._numbers.pop(uid)
            self._chosen.pop(number)
            self._owners.pop(number)
        for uid, one in chosen.items():
            number = self._numbers.get(uid) or self._next()
            if self._chosen.get(number) != one:
                self._numbers[uid], self._chosen[number] = number, one
                self._owners[number] = self._owner(one)
        return self.targets() != before

    def _owner(self, one: Chosen) -> Owner:
        pod = one.pod
        who = Identity(
            one.app_label, self._cluster, pod.namespace, one.app_label, pod.name, pod.address, pod.name or self._node
        )
        node = frozenset() if self._node_traffic else pod.node_addresses
        return Owner(who, one.ports, node, self._loopback)

    def targets(self) -> tuple[Target, ...]:
        """Return what capture is to be told."""
        fixed = [Target(n, one.ignore_ports, "", one.path) for n, one in list(self._fixed.items())]
        pods = [Target(n, one.ignore_ports, one.pod.uid) for n, one in list(self._chosen.items())]
        return tuple(sorted((*fixed, *pods), key=lambda target: target.number))

    def cgroup(self, told: Cgroup) -> bool:
        """Take what capture says of a cgroup; False when it is captured no more."""
        if told.event == Event.BEGAN:
            self._cgroups[told.cgroup] = told.target, told.path
            return True
        self._cgroups.pop(told.cgroup, None)
        return False

    def line_lost(self) -> None:
        """Capture went away: it will tell of its cgroups anew."""
        self._cgroups.clear()

    def owner_of(self, cgroup: int) -> Owner | None:
        """Return whose a cgroup is, None when nobody asked for it (any more)."""
        found = self._cgroups.get(cgroup)
        return self._owners.get(found[0]) if found is not None else None

    def shown(self) -> list[dict[str, object]]:
        """Return the targets as plain data, for people."""
        paths: dict[int, list[str]] = {}
        for number, path in list(self._cgroups.values()):
            paths.setdefault(number, []).append(path)
        rows: list[dict[str, object]] = []
        for target in self.targets():
            owner = self._owners.get(target.number)
            if owner is None:
                continue
            who = owner.identity
            rows.append(
                {
                    "target": target.number,
                    "namespace": who.namespace,
                    "pod": who.pod_name,
                    "service": who.service,
                    "ignorePorts": list(target.ignore_ports),
                    "ports": sorted(owner.ports),
                    "cgroups": sorted(paths.get(target.number, ())),
                }
            )
        return rows
