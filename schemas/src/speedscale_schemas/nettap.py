"""Which workloads nettap captures because they ask for it, as the operator tells the ingest on every node.

Written by the controller (`render`) into ConfigMap `speedscale-nettap-targets`, read by nettap's ingest (`parse`); the
document is described by the schema `nettap-targets`, against which a test holds this module. Pure, and light: the
ingest's memory is the user's, so no schema library is loaded to read it.

`render` gives the same bytes for the same set, in whatever order it is given.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple

from .errors import ConfigError

KIND: Final = "nettap-targets"
CONFIG_MAP: Final = "speedscale-nettap-targets"
KEY: Final = "targets.json"
VERSION: Final = 1
PORTS_MAX: Final = 16
"""Ports that a target of the capture process can leave out (`NETTAP_TARGET_PORTS`)."""

KINDS: Final = frozenset({"CronJob", "DaemonSet", "Deployment", "Job", "Pod", "ReplicaSet", "Rollout", "StatefulSet"})

_MADE_BY_CRON = re.compile(r"-[0-9]+$")
_HASHES: Final = {"Deployment": "pod-template-hash", "Rollout": "rollouts-pod-template-hash"}
"""Labels of a pod that end the name of its ReplicaSet, by what made that."""


class Refusal(StrEnum):
    """Why a workload that asks for capture by nettap is not captured."""

    ANNOTATIONS = "annotations"  # one of them is wrong
    JAVA_AGENT = "java_agent"  # it asks for the Java agent, which does not exist yet
    SIDECAR = "sidecar"  # it has, or asks for, a sidecar: everything would be recorded twice
    TOO_MANY_PORTS = "too_many_ports"  # more ignored ports than PORTS_MAX
    IGNORED = "ignored"  # operator.speedscale.com/ignore


class Place(NamedTuple):
    """A workload."""

    namespace: str
    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Workload:
    """A workload to capture. `app_label` is the name under which its pairs are recorded."""

    place: Place
    app_label: str = ""
    ignore_ports: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """A workload that asks and is not captured, and why, for people."""

    place: Place
    reason: Refusal
    message: str


@dataclass(frozen=True, slots=True)
class Targets:
    """The whole document."""

    workloads: tuple[Workload, ...] = ()
    refused: tuple[Refused, ...] = ()


def render(targets: Targets) -> str:
    """Return the document as JSON, one workload a line, sorted; ValueError for what `parse` would not take."""
    workloads = sorted(targets.workloads, key=lambda w: w.place)
    refused = sorted(targets.refused, key=lambda r: r.place)
    text = (
        f'{{"version":{VERSION},\n"workloads":{_lines(_workload(w) for w in workloads)},\n'
        f'"refused":{_lines(_refused(r) for r in refused)}}}\n'
    )
    try:
        parse(text)
    except ConfigError as error:
        raise ValueError("; ".join(error.problems)) from None
    return text


def _lines(items: Iterable[Mapping[str, Any]]) -> str:
    lines = ",\n".join(json.dumps(item, ensure_ascii=False, separators=(",", ":")) for item in items)
    return f"[\n{lines}\n]" if lines else "[]"


def _workload(one: Workload) -> dict[str, Any]:
    found: dict[str, Any] = {**one.place._asdict(), "appLabel": one.app_label or one.place.name}
    if one.ignore_ports:
        found["ignorePorts"] = sorted(set(one.ignore_ports))
    return found


def _refused(one: Refused) -> dict[str, Any]:
    return {**one.place._asdict(), "reason": one.reason.value, "message": one.message[:1024]}


def parse(text: str, source: str = KEY) -> Targets:
    """Return the targets; ConfigError with every problem, each with where it is and what was expected."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError([f"{source}: expected JSON: {error}"]) from None
    problems: list[str] = []
    if not isinstance(document, dict):
        raise ConfigError([f"{source}: expected an object, found {type(document).__name__}"])
    if document.get("version") != VERSION or isinstance(document.get("version"), bool):
        problems.append(f"{source}: version: {document.get('version')!r}: this release knows {VERSION}")
    problems += [f"{source}: {k}: unknown key" for k in sorted(document.keys() - {"version", "workloads", "refused"})]
    if "workloads" not in document:
        problems.append(f"{source}: workloads: missing")
    workloads = [_read_workload(w, at, problems) for at, w in _items(document, "workloads", source, problems)]
    refused = [_read_refused(r, at, problems) for at, r in _items(document, "refused", source, problems)]
    if problems:
        raise ConfigError(problems)
    return Targets(tuple(workloads), tuple(refused))


def _items(document: Mapping[str, Any], key: str, source: str, problems: list[str]) -> list[tuple[str, dict[str, Any]]]:
    found = document.get(key, [])
    if not isinstance(found, list):
        problems.append(f"{source}: {key}: expected a list")
        return []
    items: list[tuple[str, dict[str, Any]]] = []
    for index, item in enumerate(found):
        at = f"{source}: {key}[{index}]"
        if isinstance(item, dict):
            items.append((at, item))
        else:
            problems.append(f"{at}: expected an object")
    return items


def _read_workload(item: dict[str, Any], at: str, problems: list[str]) -> Workload:
    place = _place(item, at, {"appLabel", "ignorePorts"}, problems)
    label = _text(item, "appLabel", at, 0, 253, problems, default="")
    ports = item.get("ignorePorts", [])
    good = isinstance(ports, list) and all(type(p) is int and 0 < p < 65536 for p in ports)
    if not good or len(ports) > PORTS_MAX or len(set(ports)) != len(ports):
        problems.append(f"{at}: ignorePorts: expected at most {PORTS_MAX} different ports from 1 to 65535")
        ports = []
    return Workload(place, label or place.name, tuple(ports))


def _read_refused(item: dict[str, Any], at: str, problems: list[str]) -> Refused:
    place = _place(item, at, {"reason", "message"}, problems)
    message = _text(item, "message", at, 0, 1024, problems)
    reason = item.get("reason")
    if not isinstance(reason, str) or reason not in set(Refusal):
        problems.append(f"{at}: reason: {reason!r}: expected one of {', '.join(Refusal)}")
        reason = Refusal.ANNOTATIONS
    return Refused(place, Refusal(reason), message)


def _place(item: dict[str, Any], at: str, also: set[str], problems: list[str]) -> Place:
    problems += [f"{at}: {k}: unknown key" for k in sorted(item.keys() - {*Place._fields, *also})]
    kind = _text(item, "kind", at, 1, 63, problems)
    if kind and kind not in KINDS:
        problems.append(f"{at}: kind: {kind!r}: expected one of {', '.join(sorted(KINDS))}")
    return Place(_text(item, "namespace", at, 1, 63, problems), kind, _text(item, "name", at, 1, 253, problems))


def _text(
    item: dict[str, Any], key: str, at: str, least: int, most: int, problems: list[str], default: str | None = None
) -> str:
    value = item.get(key, default)
    if isinstance(value, str) and least <= len(value) <= most:
        return value
    problems.append(f"{at}: {key}: expected {least} to {most} characters" if key in item else f"{at}: {key}: missing")
    return ""


def makers(
    namespace: str, name: str, labels: Mapping[str, str], owner_kind: str = "", owner_name: str = ""
) -> tuple[Place, ...]:
    """Return the workloads that a pod belongs to, nearest first: itself, its owner, and what made that, by its name.

    `owner_*` are those of the reference that is marked as controller, empty where a pod has none. The name of a
    ReplicaSet that a Deployment or Rollout made ends in a hash that its pods bear as a label, and that of a CronJob's
    Job in a number, so neither has to be read.
    """
    found = [Place(namespace, "Pod", name)]
    if owner_kind:
        found.append(Place(namespace, owner_kind, owner_name))
    if owner_kind == "ReplicaSet":
        for kind, label in _HASHES.items():
            end = f"-{labels.get(label, '')}"
            if len(end) > 1 and owner_name.endswith(end):
                found.append(Place(namespace, kind, owner_name.removesuffix(end)))
    if owner_kind == "Job" and _MADE_BY_CRON.search(owner_name):
        found.append(Place(namespace, "CronJob", _MADE_BY_CRON.sub("", owner_name)))
    return tuple(found)
