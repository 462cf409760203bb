"""Findings about TrafficReplay objects: the CRD's schema and rules, and how they live under Argo CD.

Called by `engine`. Pure; schema and rules are `speedscale_schemas.trafficreplay`'s, this module adds the place.
"""

from __future__ import annotations

from collections.abc import Iterator

from speedscale_schemas import trafficreplay

from .model import Path, Problem
from .notes import placeholder
from .report import problem
from .scan import Object, mapping

_HOOK = "argocd.argoproj.io/hook"
_HELM_HOOK = "helm.sh/hook"
_DEPRECATED = {
    "collectLogs": "logs are always collected",
    "configChecksum": "older operators wrote it",
    "generatorLowData": "the test config says it",
    "responderLowData": "the test config says it",
    "proxyMode": "annotate the workload with sidecar.speedscale.com/proxy-type",
    "sidecar": "annotate the workload",
    "workloadRef": "use workloads[].ref",
}
_DEPRECATED_IN_WORKLOAD = {
    "inTrafficKey": "use tests",
    "inTrafficKeys": "use tests",
    "outTrafficKeys": "use mocks",
    "sidecar": "annotate the workload",
}


def is_replay(one: Object) -> bool:
    """Return whether an object is a TrafficReplay, of whatever version."""
    return one.kind == trafficreplay.KIND and one.group == trafficreplay.GROUP


def under_argo(one: Object) -> bool:
    """Return whether an object shows that Argo CD applies the tree it is in."""
    if one.group == "argoproj.io" and one.kind in ("Application", "ApplicationSet", "AppProject"):
        return True
    return any(str(name).startswith("argocd.argoproj.io/") for name in one.annotations)


def check(replay: Object, *, argo: bool) -> Iterator[Problem]:
    """Yield what is wrong with a TrafficReplay; `argo` when its tree is Argo CD's."""
    document, here, partial = replay.document, replay.path, replay.document.partial
    if replay.value.get("apiVersion") != trafficreplay.API_VERSION:
        message = f"apiVersion is {replay.value.get('apiVersion')!r}"
        yield problem(document, (*here, "apiVersion"), "SPD032", message)
        return
    yield from _schema(replay)
    spec = mapping(replay.value.get("spec"))
    if "spec" not in replay.value and not partial:
        yield problem(document, here, "SPD030", f"{replay.name} has no spec: it replays nothing", severity="warning")
    if spec.get("cleanup") == "all":
        yield problem(document, (*here, "spec", "cleanup"), "SPD034", f"{replay.name} deletes the workload at its end")
    yield from _deprecated(replay)
    hook = _HOOK in replay.annotations or _HELM_HOOK in replay.annotations
    if argo and not hook and not partial:
        message = f"{replay.name} is synced like any other resource: it would be replayed again whenever it is gone"
        yield problem(document, here, "SPD033", message)


def _schema(replay: Object) -> Iterator[Problem]:
    rules = {message for _, message in trafficreplay.cel_rules()}
    for wrong in trafficreplay.validate(replay.value):
        path: Path = (*replay.path, *wrong.parts)
        if replay.document.partial and (wrong.expected in rules or "is missing" in wrong.expected):
            continue  # the rest stands in the object that is patched
        if placeholder(_at(replay, wrong.parts)):
            message = f"{wrong.path}: {wrong.value} is filled in later and was not judged"
            yield problem(replay.document, path, "SPD091", message)
        else:
            yield problem(replay.document, path, "SPD031" if wrong.expected in rules else "SPD030", str(wrong))


def _at(replay: Object, parts: Path) -> object:
    value: object = replay.value
    for part in parts:
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
    return value


def _deprecated(replay: Object) -> Iterator[Problem]:
    spec = mapping(replay.value.get("spec"))
    found: list[tuple[Path, str]] = [((name,), why) for name, why in _DEPRECATED.items() if name in spec]
    items = spec.get("workloads")
    for index, item in enumerate(items if isinstance(items, list) else []):
        given = mapping(item)
        found += [(("workloads", index, name), why) for name, why in _DEPRECATED_IN_WORKLOAD.items() if name in given]
    for path, why in found:
        message = f"{path[-1]} is deprecated: {why}"
        yield problem(replay.document, (*replay.path, "spec", *path), "SPD035", message)
