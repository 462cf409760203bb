"""The objects of a replay: the bundle's templates with their gaps filled, nothing else.

Called by the reconciler with a plan. Pure. Order matters: what others need comes first (snapshot, policies, Services),
what begins to work comes last. The generator stands apart: it is made once, when everything else is ready.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from speedscale_kube import Ref
from speedscale_schemas.templates import GAPS, fill

from . import names, routing
from .model import Replay
from .plan import Plan

Manifest = dict[str, Any]
Templates = Callable[[str], Sequence[Mapping[str, Any]]]
SNAPSHOT_SIZE: Final = "16Gi"
"""Most that a snapshot of the backend may take of a node's disk, a pod."""
GRACE_S: Final = 120
"""What a generator may take beyond the replay's time-out, to write what it has measured."""
FETCH: Final = "speedscale-fetch"
SECRETS: Final = "/var/lib/speedscale/secrets"
"""Where generator and responder look for `<name>/<key>`: below their home folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What objects depend on besides the plan.

    `snapshots` are by namespace: the volume, the name in it, and the ConfigMap that has to be made there (or None).
    `suffixes` are of the Services' names by namespace. `remote`: the snapshot is the backend's, and pods get it through
    the collector.
    """

    own_namespace: str
    snapshots: Mapping[str, tuple[Manifest, str, Manifest | None]]
    suffixes: Mapping[str, str] = field(default_factory=dict)
    pull_secrets: tuple[str, ...] = ()
    remote: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Objects:
    """What a replay makes, by component; `responders` by namespace.

    `collector_vital`: pods' snapshot comes through it.
    """

    collector: tuple[Manifest, ...]
    responders: Mapping[str, tuple[Manifest, ...]]
    generator: tuple[Manifest, ...]
    collector_vital: bool = False

    @property
    def all(self) -> tuple[Manifest, ...]:
        """Return all objects."""
        return (*self.collector, *(m for ms in self.responders.values() for m in ms), *self.generator)


def build(replay: Replay, plan: Plan, place: Place, templates: Templates) -> Objects:
    """Return the objects; ConfigError when a template and the table of gaps are not of one version."""
    workload = next((p.workload.ref for p in plan.parts if p.workload.ref), None)
    collector: tuple[Manifest, ...] = ()
    if collects(plan, place.remote):
        collector = _ordered(_component("collector", replay, plan, place, templates, place.own_namespace, workload))
    responders = {}
    for namespace in plan.responders:
        made = list(_component("responder", replay, plan, place, templates, namespace, workload))
        if replicas(plan) > 1:
            made += _component("redis", replay, plan, place, templates, namespace, workload)
        responders[namespace] = _ordered([*_copy(replay, place, namespace), *made])
    generator: tuple[Manifest, ...] = ()
    if plan.sends:
        home = plan.generator_namespace
        made = list(_component("generator", replay, plan, place, templates, home, workload))
        generator = _ordered([*([] if home in responders else _copy(replay, place, home)), *made])
    return Objects(collector=collector, responders=responders, generator=generator, collector_vital=place.remote)


def collects(plan: Plan, remote: bool) -> bool:
    """Return whether a replay has a collector: unless the test config wants none; always where pods' snapshot needs it.

    Without anything of ours in the cluster (an address under test, and nothing mocked) there is nobody to follow; there
    are results.
    """
    return remote or bool((plan.config.get("cluster") or {}).get("logsCollected", True))


def collector_host(replay: Replay, own_namespace: str) -> str:
    """Return the host name of a replay's collector."""
    name = names.object_name(replay.name, replay.namespace, own_namespace)
    return f"speedscale-collector-{name}.{own_namespace}.svc"


def spaces(plan: Plan) -> tuple[str, ...]:
    """Return the namespaces in which pods of the replay run."""
    return tuple(sorted({*plan.responders, *([plan.generator_namespace] if plan.sends else [])}))


def replicas(plan: Plan) -> int:
    """Return how many pods a responder has."""
    return max(1, int((plan.config.get("responder") or {}).get("numReplicas", 1)))


def pods(plan: Plan) -> int:
    """Return how many pods the generator has."""
    return max(1, int((plan.config.get("cluster") or {}).get("generatorPods", 1)))


def deadline_s(replay: Replay) -> int | None:
    """Return after how many seconds the generator's Job ends whatever it does; None without a time-out."""
    return math.ceil(replay.timeout_s) + GRACE_S if replay.timeout_s else None


def service_name(service: str, suffix: str) -> str:
    """Return the name of a responder's Service, `http` or `https`."""
    return f"responder-{service}{suffix}"


def needed_secrets(objects: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], frozenset[str]]:
    """Return the Secrets without which pods of these objects do not start: (namespace, name) → keys, where named."""
    found: dict[tuple[str, str], frozenset[str]] = {}
    for manifest in objects:
        template = (manifest.get("spec") or {}).get("template")
        volumes = ((template or {}).get("spec") or {}).get("volumes") or () if isinstance(template, Mapping) else ()
        for volume in volumes:
            secret = volume.get("secret") or {}
            if secret.get("secretName") and not secret.get("optional"):
                where = (manifest["metadata"]["namespace"], str(secret["secretName"]))
                keys = {str(item["key"]) for item in secret.get("items") or ()}
                found[where] = found.get(where, frozenset()) | keys
    return found


def owner(replay: Replay) -> Manifest:
    """Return the reference of the TrafficReplay as owner of objects in its namespace."""
    return {
        "apiVersion": replay.ref.api_version,
        "kind": replay.ref.kind,
        "name": replay.name,
        "uid": replay.uid,
        "controller": True,
    }


def _component(
    component: str,
    replay: Replay,
    plan: Plan,
    place: Place,
    templates: Templates,
    namespace: str,
    workload: Ref | None,
) -> Iterable[Manifest]:
    values = _values(replay, plan, place, namespace, workload)
    if component == "collector" and workload is not None:
        values["namespace"] = workload.namespace  # it stands in ours, and watches there
    elif component == "collector":
        values["namespace"] = plan.generator_namespace
    for template in templates(component):
        manifest = fill(template, {k: v for k, v in values.items() if k in GAPS})
        if not place.remote:
            manifest = without_fetch(manifest)
        if manifest["kind"] != "Service" or manifest["spec"].get("ports"):
            yield manifest


def _values(replay: Replay, plan: Plan, place: Place, namespace: str, workload: Ref | None) -> dict[str, Any]:
    at_home = namespace == replay.namespace
    config, responder = plan.config, plan.config.get("responder") or {}
    routes = plan.routes(namespace)
    mocks = plan.mocks(namespace)
    number = pods(plan)
    mounts, volumes = _secrets(plan)
    snapshot = place.snapshots.get(namespace)
    timing = responder.get("timing", "none")
    return {
        "replay_name": names.object_name(replay.name, replay.namespace, namespace),
        "replay_id": replay.uid,
        "namespace": namespace,
        "owner_references": [owner(replay)] if at_home else None,
        "report_id": replay.report_id,
        "collector_snapshot_id": plan.snapshot,
        "collector_url": f"https://{collector_host(replay, place.own_namespace)}"
        if collects(plan, place.remote)
        else "",
        "replay_namespaces": ",".join(spaces(plan)) or namespace,
        "snapshot_id": snapshot[1] if snapshot else f"{plan.snapshot}.tar" if place.remote else plan.snapshot,
        "snapshot_source": "backend" if place.remote else "none",
        "snapshot_volume": snapshot[0] if snapshot else {"name": "snapshot", "emptyDir": {"sizeLimit": SNAPSHOT_SIZE}},
        "test_config_id": str(config.get("id", replay.test_config_id)),
        "test_config": dict(config),
        "build_tag": replay.build_tag,
        "timeout": f"{replay.timeout_s:.3f}s" if replay.timeout_s else "",
        "certs_secret": "speedscale-own-certs" if namespace == place.own_namespace else "speedscale-certs",
        "pull_secrets": [{"name": name} for name in place.pull_secrets] or None,
        "secret_mounts": mounts,
        "secret_volumes": volumes,
        "workload_kind": workload.kind if workload else "",
        "workload_name": workload.name if workload else "",
        "workload_selector": plan.selector,
        "generator_pods": number,
        "generator_completion_mode": "Indexed" if number > 1 else "NonIndexed",
        "generator_deadline_s": deadline_s(replay),
        "custom_urls": plan.custom_urls,
        "tests": "" if plan.all_tests else ",".join(plan.tests),
        "low_data": replay.low_data,
        "responder_replicas": replicas(plan),
        "mocks": "" if set(mocks) == plan.all_mocks else ",".join(mocks),
        "on_miss": "passthrough" if responder.get("passthrough_mode") else "fail",
        "service_suffix": place.suffixes.get(namespace, ""),
        "http_ports": routing.service_ports(routes, "http"),
        "https_ports": routing.service_ports(routes, "https"),
        "response_timing": f"{responder.get('multiplier', 1.0):g}x" if timing == "multiplied" else timing,
        "response_selection": "cycle",
        "faults": "",
    }


def without_fetch(manifest: Manifest) -> Manifest:
    """Return a pod's workload without the init container that fetches the snapshot: a volume has it already."""
    template = (manifest.get("spec") or {}).get("template")
    if not isinstance(template, Mapping) or "initContainers" not in template["spec"]:
        return manifest
    pod = dict(template["spec"])
    kept = [container for container in pod.pop("initContainers") if container["name"] != FETCH]
    pod |= {"initContainers": kept} if kept else {}
    return {**manifest, "spec": {**manifest["spec"], "template": {**template, "spec": pod}}}


def _secrets(plan: Plan) -> tuple[list[Manifest], list[Manifest]]:
    mounts, volumes = [], []
    for number, (name, keys) in enumerate(sorted(plan.secrets.items())):
        volume = f"secret-{number}"
        mounts.append({"name": volume, "mountPath": f"{SECRETS}/{name}", "readOnly": True})
        items = [{"key": key, "path": key} for key in sorted(set(keys))]
        volumes.append({"name": volume, "secret": {"secretName": name, "items": items}})
    return mounts, volumes


def _copy(replay: Replay, place: Place, namespace: str) -> list[Manifest]:
    """Return the copy of the snapshot that has to be made in a namespace."""
    made = place.snapshots[namespace][2] if namespace in place.snapshots else None
    if made is None:
        return []
    name = names.object_name(replay.name, replay.namespace, namespace)
    labels = {**made["metadata"].get("labels", {}), names.ID: replay.uid, names.ENV_ID: name}
    owners = {"ownerReferences": [owner(replay)]} if namespace == replay.namespace else {}
    return [{**made, "metadata": {**made["metadata"], "labels": labels, **owners}}]


_ORDER: Final = ("ConfigMap", "NetworkPolicy", "Service", "Deployment", "Job")


def _ordered(manifests: Iterable[Manifest]) -> tuple[Manifest, ...]:
    return tuple(sorted(manifests, key=lambda m: (_ORDER.index(m["kind"]), m["metadata"]["name"])))
