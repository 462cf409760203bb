"""What a replay will do: which tests go where, what is mocked for whom, which Secrets are needed. Or why it cannot.

Called with each look until the replay has ended; the same input gives the same plan. Pure: the snapshot's index, the
test config and the live workloads and Services come in. Every problem is told at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from speedscale_kube import Ref
from speedscale_schemas import selectors
from speedscale_schemas.wording import nearest

from . import addresses, consent, matching, routing
from .matching import ALL
from .model import MODES, Cleanup, Mode, Replay, Workload
from .routing import Route
from .traffic import Traffic


class Index(Protocol):
    """What is in a snapshot (`snapshots.SnapshotIndex`); `secrets` are the test config's besides."""

    @property
    def id(self) -> str: ...
    @property
    def tests(self) -> Mapping[str, Any]: ...
    @property
    def mocks(self) -> Mapping[str, Any]: ...
    @property
    def secrets(self) -> tuple[tuple[str, str], ...]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What of the cluster a plan depends on.

    `workloads` are live objects by name, None where there is none; `closed` the namespaces that do not consent.
    """

    workloads: Mapping[Ref, Mapping[str, Any] | None]
    services: Mapping[str, tuple[Mapping[str, Any], ...]]
    watched: tuple[str, ...] = ()
    secret_access: tuple[str, ...] = ()
    closed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Part:
    """One workload's part: keys of its tests and of its mocks, and how calls are led to these."""

    workload: Workload
    tests: tuple[str, ...]
    mocks: tuple[str, ...]
    routes: tuple[Route, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that is decided before anything is done.

    `secrets` are Secrets by name with the keys that are asked for. `sends` is empty where tests are sent, else why not.
    """

    mode: Mode
    cleanup: Cleanup
    snapshot: str
    config: Mapping[str, Any]
    parts: tuple[Part, ...]
    tests: tuple[str, ...]
    all_tests: bool
    custom_urls: str
    generator_namespace: str
    secrets: Mapping[str, tuple[str, ...]]
    selector: str = ""
    sends_not: str = ""
    all_mocks: frozenset[str] = frozenset()
    notes: tuple[str, ...] = field(default=())

    @property
    def sends(self) -> bool:
        """Return whether there is a generator."""
        return not self.sends_not

    @property
    def responders(self) -> tuple[str, ...]:
        """Return the namespaces that get a responder."""
        return tuple(sorted({p.workload.ref.namespace for p in self.parts if p.mocks and p.workload.ref}))

    @property
    def changed(self) -> tuple[Ref, ...]:
        """Return the workloads that are changed."""
        return tuple(p.workload.ref for p in self.parts if p.workload.ref) if self.mode != "generator-only" else ()

    def routes(self, namespace: str) -> tuple[Route, ...]:
        """Return what the responder in a namespace is asked for, by host."""
        found = {r for p in self.parts if p.workload.ref and p.workload.ref.namespace == namespace for r in p.routes}
        return merged(found)

    def mocks(self, namespace: str) -> tuple[str, ...]:
        """Return the keys that the responder in a namespace serves."""
        here = (p.mocks for p in self.parts if p.workload.ref and p.workload.ref.namespace == namespace)
        return tuple(sorted({key for keys in here for key in keys}))


def merged(routes_: Iterable[Route]) -> tuple[Route, ...]:
    """Return one route a host: all its ports, plain where any of its routes is."""
    made: dict[str, Route] = {}
    for route in sorted(routes_, key=lambda r: (r.host, r.ports, r.service)):
        old = made.get(route.host)
        if old is not None:
            service = "http" if "http" in (old.service, route.service) else "https"
            ports = tuple(sorted({*old.ports, *route.ports}))
            route = Route(route.host, ports, service, old.tls or route.tls)
        made[route.host] = route
    return tuple(made.values())


def plan(
    replay: Replay, index: Index, config: Mapping[str, Any], around: Surroundings
) -> tuple[Plan | None, tuple[str, ...]]:
    """Return the plan, or None and every problem."""
    cluster = config.get("cluster") or {}
    mode = cast("Mode", replay.mode or next((m for m in MODES if m == cluster.get("replayMode")), "full-replay"))
    problems = [*replay.problems, *_places(replay, around)]
    notes = list(replay.notes)
    claims = _tests(replay, index, mode, problems)
    parts = tuple(_part(w, c, index, mode, problems, notes) for w, c in zip(replay.workloads, claims, strict=True))
    tests_ = tuple(key for key in index.tests if any(key in c for c in claims))
    if not replay.workloads or (replay.custom_url and not any(w.tests for w in replay.workloads)):
        tests_ = tuple(index.tests) if mode != "responder-only" else ()
    why = _sends_not(index, mode)
    if not why and not tests_:
        problems.append("no workload has tests: add tests: ['*'], or the keys that it is to get, or use responder-only")
    urls = "" if why else _urls(replay, parts, tests_, index, around, problems)
    secrets = _secrets(replay, index, around, problems, notes)
    if problems:
        return None, tuple(dict.fromkeys(problems))
    home = next((p.workload.ref.namespace for p in parts if p.tests and p.workload.ref), replay.namespace)
    return Plan(
        mode=mode,
        cleanup=replay.cleanup or cast("Cleanup", cluster.get("cleanup", "inventory")),
        snapshot=index.id,
        config=config,
        parts=parts,
        tests=tests_,
        all_tests=set(tests_) == set(index.tests),
        custom_urls=urls,
        generator_namespace=home,
        secrets=secrets,
        selector=selectors.text(_spec(next((around.workloads[r] for r in replay.targets), None)).get("selector")),
        sends_not=why,
        all_mocks=frozenset(index.mocks),
        notes=tuple(dict.fromkeys(notes)),
    ), ()


def _spec(workload: Mapping[str, Any] | None) -> Mapping[str, Any]:
    return (workload or {}).get("spec") or {}


def _places(replay: Replay, around: Surroundings) -> Iterable[str]:
    for workload in replay.workloads:
        ref = workload.ref
        if ref is None:
            continue
        if around.watched and ref.namespace not in around.watched:
            here = ", ".join(around.watched)
            yield f"{workload.path}: the operator does not work in namespace {ref.namespace}, only in {here}"
        elif ref.namespace in around.closed:
            yield f"{workload.path}: {consent.refusal(replay.namespace, ref.namespace)}"
        elif around.workloads.get(ref) is None:
            near = nearest(ref.name, [r.name for r, o in around.workloads.items() if o is not None])
            hint = f"; did you mean {near[0]}?" if near else ""
            yield f"{workload.path}: there is no {ref}{hint}"
    for ref in {r for r in replay.targets if replay.targets.count(r) > 1}:
        yield f"spec.workloads: {ref} stands there twice; join its tests and mocks"


def _tests(replay: Replay, index: Index, mode: Mode, problems: list[str]) -> list[tuple[str, ...]]:
    if mode == "responder-only":
        return [() for _ in replay.workloads]
    claims, wrong = matching.tests([(w.path, w.tests) for w in replay.workloads], list(index.tests))
    problems += wrong
    return claims


def _part(
    workload: Workload, tests_: tuple[str, ...], index: Index, mode: Mode, problems: list[str], notes: list[str]
) -> Part:
    if mode == "generator-only" or not workload.ref:
        if workload.mocks:
            why = "mode generator-only changes no workload" if workload.ref else "an address cannot be given mocks"
            notes.append(f"{workload.path}.mocks has no effect: {why}")
        return Part(workload, tests_, (), ())
    keys, wrong = matching.mocks(workload.mocks, list(index.mocks), workload.path)
    problems += wrong
    served: list[str] = []
    for key in keys:
        why = routing.why_not(index.mocks[key], workload.routing)
        if not why:
            served.append(key)
        elif any(p != ALL and (p == key or p in key) for p in workload.mocks):
            problems.append(f"{workload.path}.mocks: {key}: {why}")
        else:
            notes.append(f"{workload.path}.mocks: {key} is not mocked: {why}")
    return Part(workload, tests_, tuple(served), routing.routes(index.mocks[key] for key in served))


def _sends_not(index: Index, mode: Mode) -> str:
    """Return why no tests are sent although nothing is wrong; empty where they are, or should be."""
    if mode == "responder-only":
        return "mode responder-only sends no tests"
    if not index.tests:
        return "the snapshot has no inbound traffic"
    return ""


def _urls(
    replay: Replay,
    parts: tuple[Part, ...],
    tests_: tuple[str, ...],
    index: Index,
    around: Surroundings,
    problems: list[str],
) -> str:
    if replay.custom_url:
        url, problem = addresses.given(replay.custom_url, "spec.customURL")
        problems += [problem] if problem else []
        return url
    found: list[tuple[Traffic, str]] = []
    for part in parts:
        workload = part.workload
        for key in part.tests:
            if workload.uri:
                url, problem = addresses.given(workload.uri, f"{workload.path}.customURI")
            else:
                live = around.workloads.get(workload.ref) if workload.ref else None
                if live is None or workload.ref is None:
                    continue  # told already
                url, problem = addresses.of_workload(
                    live, around.services.get(workload.ref.namespace, ()), index.tests[key]
                )
            if problem:
                problems.append(problem)
            else:
                found.append((index.tests[key], url))
    if not found and tests_ and not parts:
        problems.append("spec: nothing says where tests go: give customURL or workloads")
    text, wrong = addresses.custom_urls(found)
    problems += wrong
    return text


def _secrets(
    replay: Replay, index: Index, around: Surroundings, problems: list[str], notes: list[str]
) -> dict[str, tuple[str, ...]]:
    wanted: dict[str, tuple[str, ...]] = {}
    for name, key in index.secrets:
        wanted[name] = (*wanted.get(name, ()), key)
    allowed = around.secret_access
    problems += [
        f"the snapshot or the test config asks for Secret {name} ({', '.join(keys)}), which is not in secretAccessList"
        f" ({', '.join(allowed) or 'empty'}); add it to the values, or take the placeholder out"
        for name, keys in wanted.items()
        if "*" not in allowed and name not in allowed
    ]
    notes += [
        f"spec.secretRefs: {name} is not mounted: no placeholder ${{{{secret:{name}/…}}}} asks for it"
        for name in replay.secrets
        if name not in wanted
    ]
    return wanted
