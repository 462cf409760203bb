"""A TrafficReplay as the operator reads it: defaults filled in, deprecated fields folded into those that replace them.

Called with every look at a replay. Total: an object that an API server can hand out makes none of this raise; what is
wrong with it is in `problems`, and ends the replay with that reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from speedscale_kube import Ref
from speedscale_schemas.annotations import SIDECAR
from speedscale_schemas.annotations.values import duration_s
from speedscale_schemas.asking.workloads import TARGETS

from . import names, sidecar_patch
from .memory import Memory
from .status import Status

Mode = Literal["full-replay", "responder-only", "generator-only"]
Cleanup = Literal["inventory", "all", "none"]
MODES: Final = ("full-replay", "responder-only", "generator-only")


@dataclass(frozen=True, slots=True)
class Workload:
    """One workload or address that takes part. `ref` or `uri`; `path` is where the CR names it.

    `annotations` are settings of `sidecar.speedscale.com` that the replay asks for, over the workload's own. `patch` is
    a strategic merge patch of it.
    """

    path: str
    ref: Ref | None
    uri: str
    tests: tuple[str, ...]
    mocks: tuple[str, ...]
    routing: str
    annotations: Mapping[str, str]
    patch: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return str(self.ref) if self.ref else self.uri


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """A TrafficReplay. Times are seconds; `mode` and `cleanup` are None where the test config may decide."""

    name: str
    namespace: str
    uid: str
    generation: int
    resource_version: str
    created: str
    deleted: str
    finalizers: tuple[str, ...]
    mode: Mode | None
    cleanup: Cleanup | None
    snapshot_id: str
    test_config_id: str
    build_tag: str
    custom_url: str
    needs_report: bool
    timeout_s: float | None
    ttl_s: float | None
    secrets: tuple[str, ...]
    low_data: str
    workloads: tuple[Workload, ...]
    notes: tuple[str, ...]
    problems: tuple[str, ...]
    status: Status
    memory: Memory

    @classmethod
    def read(cls, obj: Mapping[str, Any]) -> Replay:
        """Return what a TrafficReplay, as the API gives it, asks for and has come to."""
        meta, spec = _map(obj.get("metadata")), _map(obj.get("spec"))
        namespace = str(meta.get("namespace", ""))
        notes: list[str] = []
        problems: list[str] = []
        workloads = tuple(_workloads(spec, namespace, notes, problems))
        annotations = _map(meta.get("annotations"))
        return cls(
            name=str(meta.get("name", "")),
            namespace=namespace,
            uid=str(meta.get("uid", "")),
            generation=int(meta.get("generation") or 0),
            resource_version=str(meta.get("resourceVersion", "")),
            created=str(meta.get("creationTimestamp", "")),
            deleted=str(meta.get("deletionTimestamp") or ""),
            finalizers=tuple(str(f) for f in meta.get("finalizers") or ()),
            mode=spec["mode"] if spec.get("mode") in MODES else None,
            cleanup=spec["cleanup"] if spec.get("cleanup") in ("inventory", "all", "none") else None,
            snapshot_id=str(spec.get("snapshotID", "")),
            test_config_id=str(spec.get("testConfigID", "")),
            build_tag=str(spec.get("buildTag") or ""),
            custom_url=str(spec.get("customURL") or ""),
            needs_report=spec.get("needsReport") is True,
            timeout_s=_seconds(spec, "timeout", problems),
            ttl_s=_seconds(spec, "ttlAfterReady", problems),
            secrets=tuple(str(_map(s).get("name", "")) for s in spec.get("secretRefs") or ()),
            low_data={True: "true", False: "false"}.get(spec.get("generatorLowData", ""), ""),
            workloads=workloads,
            notes=tuple(notes),
            problems=(*_missing(spec), *problems),
            status=Status.read(_map(obj.get("status"))),
            memory=Memory.read(str(annotations.get(names.STATE, ""))),
        )

    @property
    def ref(self) -> Ref:
        """Return the name of the TrafficReplay itself."""
        return Ref("speedscale.com/v1", "TrafficReplay", self.namespace, self.name)

    @property
    def report_id(self) -> str:
        """Return the id of its report."""
        return self.status.report_id or names.report_id(self.uid)

    @property
    def targets(self) -> tuple[Ref, ...]:
        """Return the workloads that are named, in their order."""
        return tuple(w.ref for w in self.workloads if w.ref is not None)

    @property
    def rank(self) -> tuple[bool, str, str]:
        """Return what orders replays on one workload: those that have begun first, then by age."""
        return (not self.status.started, self.created, self.uid)

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def _map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _missing(spec: Mapping[str, Any]) -> Iterator[str]:
    for name in ("snapshotID", "testConfigID"):
        if not spec.get(name):
            yield f"spec.{name}: is missing; name the {'snapshot' if name == 'snapshotID' else 'test config'}"


def _seconds(spec: Mapping[str, Any], field: str, problems: list[str]) -> float | None:
    text = spec.get(field)
    if text in (None, ""):
        return None
    if text == "0":
        return 0.0
    try:
        return duration_s(str(text))
    except ValueError as error:
        if set(str(text)) <= set("0.hmsun"):
            return 0.0
        problems.append(f"spec.{field}: {text!r} {error}; write for example 10m")
        return None


def _workloads(spec: Mapping[str, Any], namespace: str, notes: list[str], problems: list[str]) -> Iterator[Workload]:
    """Yield the workloads; the deprecated `workloadRef` is one that gets every test and every mock."""
    shared = _sidecar(_map(spec.get("sidecar")), "spec.sidecar", notes)
    patch = _patch(_map(spec.get("sidecar")), "spec.sidecar", problems)
    if spec.get("proxyMode"):
        notes.append("spec.proxyMode is deprecated: annotate the workload with sidecar.speedscale.com/proxy-type")
        shared = {f"{SIDECAR}/proxy-type": str(spec["proxyMode"]), **shared}
    items = [item for item in spec.get("workloads") or () if isinstance(item, Mapping)]
    if spec.get("workloadRef"):
        if items:
            notes.append("spec.workloadRef is deprecated and left aside, because there are spec.workloads")
        else:
            path = "spec.workloadRef"
            ref = _ref(_map(spec["workloadRef"]), namespace, path, problems)
            yield Workload(path, ref, "", ("*",), ("*",), "hostalias", shared, patch)
    for index, item in enumerate(items):
        path = f"spec.workloads[{index}]"
        ref = _ref(_map(item["ref"]), namespace, f"{path}.ref", problems) if item.get("ref") else None
        own = _sidecar(_map(item.get("sidecar")), f"{path}.sidecar", notes)
        own_patch = _patch(_map(item.get("sidecar")), f"{path}.sidecar", problems)
        yield Workload(
            path,
            ref,
            "" if ref else str(item.get("customURI") or ""),
            _keys(item, "tests", ("inTrafficKeys", "inTrafficKey")),
            _keys(item, "mocks", ("outTrafficKeys",)),
            "nat" if item.get("routing") == "nat" else "hostalias",
            {**shared, **own},
            own_patch or patch,
        )


def _keys(item: Mapping[str, Any], field: str, deprecated: tuple[str, ...]) -> tuple[str, ...]:
    for name in (field, *deprecated):
        value = item.get(name)
        if value:
            return tuple(dict.fromkeys([value] if isinstance(value, str) else map(str, value)))
    return ()


def _ref(ref: Mapping[str, Any], namespace: str, path: str, problems: list[str]) -> Ref | None:
    kind, name = str(ref.get("kind") or "Deployment"), str(ref.get("name") or "")
    if kind not in TARGETS or not name:
        problems.append(
            f"{path}: a {kind} cannot be under test; name a {', '.join(TARGETS)}" if name else f"{path}.name: missing"
        )
        return None
    version = str(ref.get("apiVersion") or TARGETS[kind])
    if version.partition("/")[0] != TARGETS[kind].partition("/")[0]:
        problems.append(
            f"{path}.apiVersion: {version!r} has no kind {kind} that can be under test; {TARGETS[kind]} has"
        )
        return None
    return Ref(TARGETS[kind], kind, str(ref.get("namespace") or namespace), name)


def _sidecar(sidecar: Mapping[str, Any], path: str, notes: list[str]) -> dict[str, str]:
    """Return the annotations that a `sidecar` field means."""
    if not set(sidecar) - {"patch"}:
        return {}
    notes.append(f"{path} is deprecated, but for its patch: annotate the workload")
    made: dict[str, str] = {}
    if isinstance(sidecar.get("inject"), bool):
        made[f"{SIDECAR}/inject"] = "true" if sidecar["inject"] else "false"
    tls = _map(sidecar.get("tls"))
    if tls.get("out") is True:
        made[f"{SIDECAR}/tls-out"] = "true"
    for side in ("in", "mutual"):
        pair = _map(tls.get(side))
        for part in ("secret", "private", "public"):
            if pair.get("secret") and pair.get(part):
                made[f"{SIDECAR}/tls-{side}-{part}"] = str(pair[part])
    return made


def _patch(sidecar: Mapping[str, Any], path: str, problems: list[str]) -> dict[str, Any]:
    """Return the patch of a `sidecar` field."""
    if not sidecar.get("patch"):
        return {}
    found, wrong = sidecar_patch.read(str(sidecar["patch"]), f"{path}.patch")
    problems += wrong
    return found
