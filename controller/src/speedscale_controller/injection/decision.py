"""The decision: a workload and what is known → a verdict.

Read from top to bottom: is it ours to look at; what does it ask for; take out what is ours; may it have what it asks
for; put it in; what has changed. The same workload and facts give the same verdict, whatever was in it before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from speedscale_schemas.annotations import SIDECAR, is_ours
from speedscale_schemas.errors import ConfigError

from . import assembly, gates, mesh, names, parts, resources, stripping, workload
from .asking import Asked, ask
from .facts import Facts
from .verdict import Inject, Leave, Reason, Remove, Skip, Verdict

Operation = Literal["CREATE", "UPDATE"]
_IMMUTABLE = {"Job": Reason.JOB_IMMUTABLE, "Pod": Reason.POD_IMMUTABLE}


@dataclass(frozen=True, slots=True)
class _Case:
    """Everything about one decision."""

    obj: dict[str, Any]
    kind: str
    facts: Facts
    asked: Asked
    stripped: stripping.Stripped
    operation: Operation
    was_in: bool


@dataclass(frozen=True, slots=True)
class _Target:
    """What the workload should be; `refusal` is why it is not more."""

    object: dict[str, Any]
    injected: bool
    refusal: gates.Refusal | None
    warnings: tuple[str, ...]


def decide(
    obj: Mapping[str, Any],
    facts: Facts,
    *,
    operation: Operation = "CREATE",
    old: Mapping[str, Any] | None = None,
) -> Verdict:
    """Return what becomes of a workload; never raises.

    `obj` is the object as it is to be stored (of a review, or live), and is never changed here. `operation` is what is
    being done to it: UPDATE also where a live object is mended. `old` is the stored object of an UPDATE review.
    """
    kind = workload.kind_of(obj)
    if not kind or "deletionTimestamp" in workload.metadata(obj):
        return Leave()
    present = _present(obj, kind)
    owned = workload.controller(obj) is not None
    if owned and (kind == "ReplicaSet" or f"{SIDECAR}/inject" not in workload.annotations_of(obj)) and not facts.replay:
        return Leave(injected=present)  # what a Deployment or Rollout makes; the hot path
    if not present and not facts.replay and not _mentions_us(obj, kind):
        return Leave()
    asked = ask(obj, kind, facts)
    wants = asked.parsed.sidecar.inject or asked.refusal is not None or facts.replay is not None
    if not wants and not present:
        return Leave(asked.warnings)
    refusal = _untouchable(obj, kind, facts, asked, wants)
    if refusal is not None:
        return Skip(*refusal, asked.warnings)
    if asked.parsed.operator.ignore:
        return Leave(asked.warnings, present)
    if present and operation == "UPDATE" and not facts.replay and old is not None and _nothing_of_ours(obj, old, kind):
        return Leave(asked.warnings, injected=True)  # else a new bundle would restart pods with the next change
    given = obj if isinstance(obj, dict) else workload.plain(obj)
    stripped = stripping.strip(given, kind)
    was_in = stripped.found or (old is not None and _present(old, kind))
    case = _Case(given, kind, facts, asked, stripped, operation, was_in)
    try:
        return _verdict(case, _target(case))
    except ConfigError as error:
        return Skip(Reason.NO_TEMPLATE, f"the sidecar's template cannot be filled: {error.problems[0]}", asked.warnings)


def _present(obj: Mapping[str, Any], kind: str) -> bool:
    """Return whether something of ours is in the workload's pods."""
    template = workload.mapping(workload.template_of(obj, kind))
    if names.REVERT in workload.annotations_of(template):
        return True
    spec = workload.mapping(template.get("spec"))
    lists = (spec.get("containers"), spec.get("initContainers"))
    return any(
        isinstance(c, Mapping) and names.is_our_container(c)
        for found in lists
        if isinstance(found, list)
        for c in found
    )


def _nothing_of_ours(obj: Mapping[str, Any], old: Mapping[str, Any], kind: str) -> bool:
    """Return whether an update is about neither the pods nor what is asked of us: replicas, a label, a strategy.

    A sidecar of an earlier bundle stays then; healing tells of it (stale), and mends what has to be.
    """
    same_pods = workload.template_of(obj, kind) == workload.template_of(old, kind)
    asked = [{name: text for name, text in workload.annotations_of(one).items() if is_ours(name)} for one in (obj, old)]
    return same_pods and asked[0] == asked[1]


def _mentions_us(obj: Mapping[str, Any], kind: str) -> bool:
    template = workload.mapping(workload.template_of(obj, kind))
    return any(map(is_ours, workload.annotations_of(obj))) or any(map(is_ours, workload.annotations_of(template)))


def _untouchable(obj: Mapping[str, Any], kind: str, facts: Facts, asked: Asked, wants: bool) -> gates.Refusal | None:
    """Return why nothing is done, not even taking out what is in."""
    if asked.parsed.operator.ignore:
        asks = asked.parsed.sidecar.inject or facts.replay is not None
        return (Reason.IGNORED, f'{names.IGNORE}: "true" wins over everything') if asks else None
    if asked.untouchable:
        problems = (str(p) for p in asked.parsed.errors if p.annotation == names.IGNORE)
        return Reason.BAD_ANNOTATION, "; ".join(problems)
    refusal = gates.place(obj, facts)
    if refusal is not None:
        return refusal
    if kind == "Rollout" and workload.template_of(obj, kind) is None:
        ref = workload.mapping(workload.mapping(obj.get("spec")).get("workloadRef"))
        if ref:
            what = f"{ref.get('kind', 'Deployment')} {ref.get('name', '')}".strip()
            return Reason.WORKLOAD_REF, f"its pods are described by {what} (workloadRef): put the annotations there"
    problem = workload.problem(obj, kind)
    if problem:
        return Reason.MALFORMED, f"{problem}: the API server will refuse it"
    if facts.template is None and wants and asked.refusal is None:
        return Reason.NO_TEMPLATE, "the operator has no good bundle yet (ConfigMaps speedscale-bundle-*); see its logs"
    return None


def _verdict(case: _Case, target: _Target) -> Verdict:
    warnings, refusal = target.warnings, target.refusal
    if target.object == case.obj:
        if refusal is None:
            return Leave(warnings, target.injected)
        return Leave(warnings, True, *refusal) if target.injected else Skip(*refusal, warnings)
    if case.operation == "UPDATE" and case.kind in _IMMUTABLE:
        if refusal is not None and not case.stripped.found:
            return Skip(*refusal, warnings)
        what = "be changed" if case.stripped.found else "get the sidecar"
        message = f"the pods of a {case.kind} that exists cannot {what}: delete it and create it anew"
        return Skip(_IMMUTABLE[case.kind], message, warnings)
    made = Inject if target.injected else Remove
    return made(target.object, warnings, *(refusal or ()))


def _target(case: _Case) -> _Target:
    """Return the workload with as much of what is asked for as it may have: sidecar and replay, replay, nothing."""
    asked, refusal = case.asked, case.asked.refusal
    for sidecar in (True, False):
        if (sidecar and not asked.sidecar) or (not sidecar and case.facts.replay is None):
            continue
        made = _with(case, sidecar=sidecar)
        if isinstance(made, _Target):
            return _Target(made.object, True, refusal, made.warnings)
        refusal = refusal or made
    return _Target(case.stripped.object, False, refusal, asked.warnings)


def _with(case: _Case, *, sidecar: bool) -> _Target | gates.Refusal:
    facts, parsed = case.facts, case.asked.parsed
    base = assembly.base_of(case.stripped, case.kind, facts)
    problem = workload.problem(base.object, case.kind) if base.laid else ""
    if problem:
        return (
            Reason.REPLAY_PATCH,
            f"sidecar.patch of TrafficReplay {facts.replay.name if facts.replay else ''}: {problem}",
        )
    template = workload.template_of(base.object, case.kind)
    spec = template["spec"]
    meshes = mesh.meshes(template, facts.namespace)
    native, refusal = gates.native(case.kind, spec, facts) if sidecar else (False, None)
    refusal = refusal or _first_gates(case, spec, meshes, sidecar=sidecar)
    if refusal is not None:
        return refusal
    fitted = resources.fit(parsed, facts.namespace, spec)
    plan = assembly.plan_of(parsed, facts, sidecar=sidecar)
    built = parts.build(
        base.object,
        parsed,
        facts,
        fitted.manifest(),
        meshes,
        sidecar=sidecar,
        native=native,
        trust=plan.mounts,
    )
    refusal = gates.own_names(spec, built) or gates.pod_security(built, facts)
    if refusal is None and built.containers:
        refusal = _room(case, fitted, spec)
    if refusal is not None:
        return refusal
    made = assembly.assemble(case.stripped, base, parsed, facts, built, meshes, sidecar=sidecar)
    if made.too_large:
        return Reason.TOO_LARGE, made.too_large
    hints = _hints(case, spec, native=native) if sidecar else ()
    return _Target(made.object, True, None, (*case.asked.warnings, *hints, *made.warnings))


def _first_gates(case: _Case, spec: Mapping[str, Any], meshes: mesh.Meshes, *, sidecar: bool) -> gates.Refusal | None:
    parsed, facts = case.asked.parsed, case.facts
    routed = bool(facts.replay and facts.replay.routes)
    if not sidecar:
        return gates.nodes(spec, redirected=True) if routed else None
    redirected = routed or parsed.sidecar.proxy_type == "transparent"
    return (
        gates.nodes(spec, redirected=redirected)
        or gates.ports(spec, parsed, meshes)
        or gates.init_containers(parsed, facts)
    )


def _room(case: _Case, fitted: resources.Fitted, spec: Mapping[str, Any]) -> gates.Refusal | None:
    """Refuse where quota or limits have no room; what is in already has its share."""
    pods = 0 if case.was_in else workload.pods(case.stripped.object, case.kind)
    counted = case.operation == "UPDATE"
    found = resources.refusals(fitted, case.facts.namespace, spec, pods, counted=counted)
    return (Reason.QUOTA, "; ".join(found[:3])) if found else None


def _hints(case: _Case, spec: Mapping[str, Any], *, native: bool) -> Iterator[str]:
    settings = case.asked.parsed.sidecar
    if settings.proxy_type == "transparent":
        users = [spec, *workload.containers(spec)]
        if any(workload.mapping(u.get("securityContext")).get("runAsUser") == names.UID for u in users):
            yield f"it runs as user {names.UID}, which is the sidecar's: its outbound traffic is not captured"
        if settings.insert_init_first and not native and spec.get("initContainers"):
            yield (
                f"{SIDECAR}/insert-init-first: its init containers run before the sidecar does, and reach nothing while"
                " traffic is redirected"
            )
    if settings.kube_api_support and settings.tls_out:
        yield (
            f"{SIDECAR}/kube-api-support: clients that trust only the service account's ca.crt are passed on uncaptured"
        )
    if resources.guaranteed(spec):
        yield (
            "its pods' quality of service becomes Burstable instead of Guaranteed, unless the sidecar has limits that"
            f" equal its requests ({SIDECAR}/cpu-limit, {SIDECAR}/memory-limit)"
        )
