"""What of the cluster a decision about a replay depends on, read from the API server.

Called with each look. Only reading: nothing here writes. What needs no decision is not read: a replay that has ended is
asked only for what it left behind.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from speedscale_controller.bundle import Bundle
from speedscale_controller.injection import Leave, Skip
from speedscale_controller.injection import decide as injected
from speedscale_controller.replay import Memory, Replay, WorkloadPatch, consents, routing
from speedscale_controller.replay import names as names_
from speedscale_controller.replay.decision import Analysis, Job, Observed, Target
from speedscale_controller.replay.holding import is_wanted, waits_for
from speedscale_controller.replay.machine import is_over
from speedscale_controller.replay.objects import Objects, Place, build, needed_secrets, service_name, spaces
from speedscale_controller.replay.plan import Plan, Surroundings, plan
from speedscale_controller.replay.readiness import Readiness, ending, readiness, rolled_out
from speedscale_controller.replay.status import elapsed_s
from speedscale_controller.settings import Settings
from speedscale_controller.snapshots import (
    LATEST,
    Backend,
    BackendAwayError,
    Found,
    SnapshotError,
    SnapshotIndex,
    Snapshots,
    placeholders,
)
from speedscale_kube import Client, Object, Ref
from speedscale_kube.errors import ForbiddenError
from speedscale_schemas.errors import ConfigError, PermanentError

from . import backends, configs, jobs, pods
from .asking import Collectors
from .facts import FactsReader

INVENTORY = (
    ("apps/v1", "Deployment"),
    ("batch/v1", "Job"),
    ("v1", "Service"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("v1", "ConfigMap"),
)
"""Kinds of objects that a replay makes."""
SNAPSHOT_S, SNAPSHOTS, CONFIGS = 60.0, 4, 100
"""How long a snapshot is remembered, and how many are; one may be 64 MiB."""


@dataclass(frozen=True, slots=True)
class Remarks:
    """What the last looks left: an API server's refusal, and objects that could not be made and may be missing."""

    trouble: str = ""
    given_up: Mapping[Ref, str] | None = None


class Eyes:
    """Looks at one replay at a time; one thread. `settings` and `bundle` give what counts now."""

    def __init__(
        self,
        client: Client,
        settings: Callable[[], Settings],
        bundle: Callable[[], Bundle | None],
        known: backends.Backends,
        collectors: Collectors | None = None,
    ) -> None:
        self._client, self._settings, self._bundle = client, settings, bundle
        self._collectors = collectors or Collectors(client)
        self._backends = known
        self._facts = FactsReader(client)
        self._snapshots: OrderedDict[tuple[str, str], tuple[datetime, Found, SnapshotIndex]] = OrderedDict()
        self._configs: OrderedDict[tuple[str, str], tuple[datetime, Mapping[str, Any]]] = OrderedDict()

    def look(self, replay: Replay, others: Iterable[Replay], now: datetime, remarks: Remarks = Remarks()) -> Observed:
        """Return what is seen. TransientError and PermanentError are the API server's."""
        others = list(others)
        there = self._inventory(replay)
        seen = Observed(
            present=frozenset(there),
            leaving=frozenset(r for r, o in there.items() if o["metadata"].get("deletionTimestamp")),
            trouble=remarks.trouble,
            given_up=dict(remarks.given_up or {}),
            memory=replay.memory,
        )
        if replay.deleted or replay.status.concluded:
            reported = bool(replay.deleted) and self._reported(replay)
            asked = bool(replay.deleted and replay.status.started) and not (replay.status.concluded or reported)
            return replace(
                seen,
                wanted=is_wanted(replay, others),
                targets=self._targets(replay, {}, now),
                report_written=reported,
                analysis=self._analysis(replay, there, canceled=True) if asked else None,
            )
        first = waits_for(replay, others) if not replay.status.started else None
        if first is not None:
            told = f"TrafficReplay {first} ({first.mode or 'full-replay'}) on {_shared(replay, first)}"
            return replace(seen, waits_for=told, waits_for_ever=first.mode == "responder-only")
        if not replay.status.started:
            return seen
        seen = self._active(replay, replace(seen, job=self._job(there, now)), there, now)
        if not is_over(replay, seen, now):
            return seen
        return replace(seen, analysis=self._analysis(replay, there, canceled=False))

    def patched(self, ref: Ref, patch: WorkloadPatch | None) -> tuple[Object | None, Object | None, str]:
        """Return a workload as it is, as it should be (None: as it is), and why it cannot be changed."""
        live = self._client.find(ref)
        if live is None:
            return None, None, ""
        facts = self._facts.read(ref.namespace, self._settings(), self._bundle(), patch)
        verdict = injected(live, facts, operation="UPDATE")
        if isinstance(verdict, Skip):
            return live, None, f"{verdict.reason}: {verdict.message}"
        return live, None if isinstance(verdict, Leave) else verdict.object, ""

    # A replay that goes on

    def _active(self, replay: Replay, seen: Observed, there: Mapping[Ref, Object], now: datetime) -> Observed:
        settings, bundle = self._settings(), self._bundle()
        if bundle is None:
            return replace(seen, not_yet="the operator has no good bundle yet (ConfigMaps speedscale-bundle-*)")
        live = {ref: self._client.find(ref) for ref in replay.targets}
        gone = [str(ref) for ref, obj in live.items() if obj is None]
        if gone and not replay.status.initialized and all(settings.watches(r.namespace) for r in live):
            return replace(seen, not_yet=f"there is no {', no '.join(gone)}")
        try:
            planned, found, problems = self._planned(replay, live, settings, now)
        except BackendAwayError as error:  # what runs already goes on without it
            targets = self._targets(replay, replay.memory.patches, now)
            return replace(seen, not_yet=f"waiting for the backend: {error}", targets=targets)
        except SnapshotError as error:
            return replace(seen, problems=(error.detail,))
        except ConfigError as error:
            return replace(seen, problems=error.problems)
        if planned is None:
            return replace(seen, problems=problems, targets=self._targets(replay, replay.memory.patches, now))
        suffixes = {n: self._suffix(replay, n, there) for n in planned.responders}
        memory = replace(replay.memory, snapshot=found.id, mode=planned.mode, suffixes=suffixes)
        seen = replace(seen, plan=planned, memory=memory)
        try:
            objects = self._objects(replay, planned, found, suffixes, settings, bundle)
        except SnapshotError as error:
            return replace(seen, problems=(error.detail,))
        except ConfigError as error:
            return replace(seen, problems=("the bundle's templates cannot be filled: " + "; ".join(error.problems),))
        patches = _patches(replay, planned, suffixes, there)
        return replace(
            seen,
            objects=objects,
            foreign=self._foreign(objects, there),
            secrets_missing=() if replay.status.initialized else tuple(self._secrets(objects, settings)),
            patches=patches,
            targets=self._targets(replay, patches or {}, now),
            components={} if replay.status.initialized else self._components(objects, there, now),
        )

    def _planned(
        self, replay: Replay, live: Mapping[Ref, Object | None], settings: Settings, now: datetime
    ) -> tuple[Plan | None, Found, tuple[str, ...]]:
        backend = self._backends.of(settings)
        snapshots = Snapshots.of(self._client, settings.namespace, settings.snapshot_dir, backend)
        id_ = replay.memory.snapshot or snapshots.resolve(replay.snapshot_id, replay.namespace)
        if replay.snapshot_id != LATEST:
            id_ = replay.snapshot_id
        found, index = self._snapshot(snapshots, id_, replay.namespace, now)
        config = self._config(replay, settings, backend, now)
        asked = placeholders(json.dumps(config, ensure_ascii=False).encode())
        index = replace(index, secrets=tuple(sorted({*index.secrets, *asked})))
        spaces = {ref.namespace for ref in replay.targets if settings.watches(ref.namespace)}
        around = Surroundings(
            workloads=live,
            services={space: tuple(self._client.list("v1", "Service", space)) for space in sorted(spaces)},
            watched=settings.namespaces,
            secret_access=settings.secret_access,
            closed=frozenset(space for space in spaces if not self._consents(replay, space, settings)),
        )
        made, problems = plan(replay, index, config, around)
        return made, found, problems

    def _consents(self, replay: Replay, namespace: str, settings: Settings) -> bool:
        """Say whether a namespace lets this replay change its workloads; asked of it only where it is another."""
        if replay.namespace in (namespace, settings.namespace):
            return True
        found = self._client.find(Ref("v1", "Namespace", "", namespace))
        marks = ((found or {}).get("metadata") or {}).get("annotations") or {}
        return consents(replay.namespace, namespace, settings.namespace, marks)

    def _config(self, replay: Replay, settings: Settings, backend: Backend | None, now: datetime) -> Mapping[str, Any]:
        """Return the test config; one of the backend is remembered for a while, as snapshots are."""
        key, id_ = (replay.namespace, replay.uid), replay.test_config_id
        known = self._configs.get(key)
        if known is not None and now < known[0]:
            return known[1]
        try:
            found = configs.find(self._client, id_, replay.namespace, settings.namespace, backend)
        except BackendAwayError:
            if known is None:
                raise
            found = known[1]
        self._configs[key] = (now + timedelta(seconds=SNAPSHOT_S if backend is not None else 0), found)
        while len(self._configs) > CONFIGS:
            self._configs.popitem(last=False)
        return found

    def _snapshot(self, snapshots: Snapshots, id_: str, namespace: str, now: datetime) -> tuple[Found, SnapshotIndex]:
        """Return a snapshot and its index; what an id means never changes, so it is not read with every look."""
        key = (namespace, id_)
        known = self._snapshots.get(key)
        if known is not None and now < known[0]:
            return known[1], known[2]
        found = snapshots.get(id_, namespace)
        self._snapshots[key] = (now + timedelta(seconds=SNAPSHOT_S), found, found.index())
        self._snapshots.move_to_end(key)
        while len(self._snapshots) > SNAPSHOTS:
            self._snapshots.popitem(last=False)
        return self._snapshots[key][1:]

    def _objects(
        self,
        replay: Replay,
        planned: Plan,
        found: Found,
        suffixes: Mapping[str, str],
        settings: Settings,
        bundle: Bundle,
    ) -> Objects:
        snapshots = {}
        for space in () if found.remote else spaces(planned):
            name = f"speedscale-snapshot-{names_.object_name(replay.name, replay.namespace, space)}"
            manifest, copied = found.beside(space, name)
            snapshots[space] = (*found.volume(manifest), dict(manifest) if copied else None)
        place = Place(
            own_namespace=settings.namespace,
            snapshots=snapshots,
            suffixes=suffixes,
            pull_secrets=settings.image_pull_secrets,
            remote=found.remote,
        )
        return build(replay, planned, place, bundle.template)

    def _suffix(self, replay: Replay, namespace: str, there: Mapping[Ref, Object]) -> str:
        """Return the ending of the Services' names: what was decided before, else none where the names are free."""
        known = replay.memory.suffixes.get(namespace)
        if known is not None:
            return known
        own = f"-{names_.object_name(replay.name, replay.namespace, namespace)}"
        for service in routing.SERVICES:
            ref = Ref("v1", "Service", namespace, service_name(service, ""))
            if ref not in there and self._client.find(ref) is not None:
                return own
        return ""

    def _foreign(self, objects: Objects, there: Mapping[Ref, Object]) -> frozenset[Ref]:
        wanted = (_ref(manifest) for manifest in objects.all)
        return frozenset(ref for ref in wanted if ref not in there and self._client.find(ref) is not None)

    def _secrets(self, objects: Objects, settings: Settings) -> Iterable[str]:
        vital = [m for ms in (*objects.responders.values(), objects.generator) for m in ms]
        for (namespace, name), keys in sorted(needed_secrets(vital).items()):
            try:
                secret = self._client.find(Ref("v1", "Secret", namespace, name))
            except ForbiddenError:
                continue  # a pod that waits for it tells
            if secret is None:
                yield f"Secret {namespace}/{name} is not there"
                continue
            missing = sorted(keys - set(secret.get("data") or {}))
            if missing:
                yield f"Secret {namespace}/{name} has no key {', '.join(missing)}"

    def _components(self, objects: Objects, there: Mapping[Ref, Object], now: datetime) -> dict[str, Readiness]:
        found: dict[str, Readiness] = {}
        groups = [*objects.responders.values(), *([objects.collector] if objects.collector_vital else [])]
        for manifests in groups:
            for manifest in manifests:
                namespace = manifest["metadata"]["namespace"]
                live = there.get(_ref(manifest))
                if manifest["kind"] != "Deployment" or live is None:
                    continue
                component = str(manifest["metadata"]["labels"].get(names_.COMPONENT, "")).removeprefix("speedscale-")
                found[f"{component} in {namespace}"] = self._readiness(live, now)
        return found

    def _readiness(self, live: Object, now: datetime) -> Readiness:
        ready, _ = rolled_out(live)
        if ready:
            return readiness(live, still=ending(pods.listed(self._client, live), now))
        return readiness(live, pods.of(self._client, live))

    # What is there

    def _inventory(self, replay: Replay) -> dict[Ref, Object]:
        settings = self._settings()
        spaces = {replay.namespace, settings.namespace, *(r.namespace for r in replay.targets)}
        spaces |= {ref.namespace for ref in replay.memory.patches}
        found: dict[Ref, Object] = {}
        for space in sorted(spaces):
            if space != settings.namespace and not settings.watches(space):
                continue
            for api_version, kind in INVENTORY:
                for obj in self._client.list(api_version, kind, space, labels=f"{names_.ID}={replay.uid}"):
                    found[_ref(obj)] = obj
        return found

    def _targets(self, replay: Replay, patches: Mapping[Ref, WorkloadPatch], now: datetime) -> dict[Ref, Target]:
        found: dict[Ref, Target] = {}
        for ref in dict.fromkeys((*replay.targets, *replay.memory.patches)):
            if not self._settings().watches(ref.namespace):
                continue
            if ref in patches:
                live, wanted, refused = self.patched(ref, patches[ref])
            else:
                live, wanted, refused = self._client.find(ref), None, ""
            if live is None:
                found[ref] = Target(False)
                continue
            marks = live["metadata"].get("annotations") or {}
            found[ref] = Target(
                exists=True,
                in_place=wanted is None and not refused,
                ours=marks.get(names_.REPORT_ID) == replay.report_id,
                readiness=Readiness(True) if replay.status.initialized else self._readiness(live, now),
                refused=refused,
            )
        return found

    def _job(self, there: Mapping[Ref, Object], now: datetime) -> Job | None:
        for obj in there.values():
            if obj["kind"] == "Job":
                age = elapsed_s(str(obj["metadata"].get("creationTimestamp", "")), now)
                found = jobs.read(obj, pods.of(self._client, obj), age)
                return replace(found, ended_s=elapsed_s(jobs.ended_at(obj), now))
        return None

    def _analysis(self, replay: Replay, there: Mapping[Ref, Object], *, canceled: bool) -> Analysis | None:
        """Return what the replay's collector says; None where there is none."""
        if canceled and replay.memory.mode == "responder-only" and not replay.needs_report:
            return None
        counts = dict.fromkeys(("collector", "generator", "responder"), 0)
        for obj in there.values():
            component = str((obj["metadata"].get("labels") or {}).get(names_.COMPONENT, "")).removeprefix("speedscale-")
            if obj["kind"] in ("Deployment", "Job") and component in counts:
                spec = obj["spec"]
                counts[component] += int(spec.get("replicas" if obj["kind"] == "Deployment" else "completions") or 1)
        if not counts["collector"]:
            return None
        own, numbers = self._settings().namespace, (counts["generator"], counts["responder"])
        return self._collectors.ask(replay, own, generators=numbers[0], responders=numbers[1], canceled=canceled)

    def _reported(self, replay: Replay) -> bool:
        ref = Ref("v1", "ConfigMap", replay.namespace, names_.report_name(replay.report_id))
        try:
            return self._client.find(ref) is not None
        except PermanentError:
            return True  # it cannot be written either


def _patches(
    replay: Replay, planned: Plan, suffixes: Mapping[str, str], there: Mapping[Ref, Object]
) -> dict[Ref, WorkloadPatch] | None:
    """Return what is done to each workload; None until the Services have addresses."""
    made: dict[Ref, WorkloadPatch] = {}
    for part in planned.parts:
        ref = part.workload.ref
        if ref is None or planned.mode == "generator-only":
            continue
        merged = {route.host: route for route in planned.routes(ref.namespace)}
        routes = [replace(merged[route.host], ports=route.ports) for route in part.routes]
        addresses = {}
        for service in {route.service for route in routes}:
            named = Ref("v1", "Service", ref.namespace, service_name(service, suffixes.get(ref.namespace, "")))
            address = ((there.get(named) or {}).get("spec") or {}).get("clusterIP")
            if not address or address == "None":
                return None
            addresses[service] = str(address)
        nat = part.workload.routing == "nat"
        made[ref] = WorkloadPatch(
            name=names_.short(replay.name),
            report_id=replay.report_id,
            host_aliases={} if nat else routing.host_aliases(routes, addresses),
            routes=routing.nat(routes, addresses) if nat else {},
            trust=any(route.tls for route in routes),
            annotations=dict(part.workload.annotations),
            patch=part.workload.patch,
        )
    return made


def _shared(replay: Replay, other: Replay) -> str:
    mine = set(replay.targets) & {*other.targets, *other.memory.patches}
    return ", ".join(str(ref) for ref in sorted(mine))


def _ref(obj: Mapping[str, Any]) -> Ref:
    meta = obj["metadata"]
    return Ref(str(obj["apiVersion"]), str(obj["kind"]), str(meta.get("namespace", "")), str(meta["name"]))


__all__ = ["INVENTORY", "Eyes", "Memory", "Remarks"]
