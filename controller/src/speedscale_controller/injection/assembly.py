"""Putting the parts into a workload, and writing down what was done.

Called by `decision` with a workload without us. Order: as a restartable init container the proxy listens before rules
send anything to it, and the workload's own init containers are before both, unless `insert-init-first` wants them
captured, too. As an ordinary container it is the first, because a node starts containers in order; an annotation keeps
`kubectl logs` and `exec` at the application.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from speedscale_schemas.annotations import Parsed

from . import environment, mesh, names, overlay, record, workload
from .facts import Facts, ReplayPatch
from .parts import Parts
from .stripping import Stripped

_DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
_SCRAPE = "prometheus.io/"


@dataclass(frozen=True, slots=True)
class Base:
    """What the parts go into: the workload without us, with a replay's patch (`laid`)."""

    object: dict[str, Any]
    kind: str
    laid: overlay.Overlay


def base_of(stripped: Stripped, kind: str, facts: Facts) -> Base:
    """Return what the parts go into."""
    if facts.replay is None or not facts.replay.patch:
        return Base(stripped.object, kind, overlay.Overlay())
    made, laid = overlay.apply(stripped.object, kind, facts.replay.patch, stripped.laid)
    return Base(made, kind, laid)


@dataclass(frozen=True, slots=True)
class Assembled:
    """The workload with everything in; `too_large` says that what we would have to remember does not fit."""

    object: dict[str, Any]
    warnings: tuple[str, ...]
    too_large: str = ""


def assemble(
    stripped: Stripped, base: Base, parsed: Parsed, facts: Facts, parts: Parts, meshes: mesh.Meshes, *, sidecar: bool
) -> Assembled:
    """Return the workload with the parts; neither the stripped one nor what the parts go into is changed."""
    obj, kind = workload.plain(base.object), base.kind
    template = workload.template_of(obj, kind)
    warnings: list[str] = []
    if sidecar:
        _mark(template, parts.labels)
        warnings += _annotations(template, parsed, parts, meshes)
    _containers(template["spec"], parts, first=parsed.sidecar.insert_init_first)
    _volumes(template["spec"], parts)
    plan = plan_of(parsed, facts, sidecar=sidecar)
    warnings += _applications(template["spec"], plan, parts, first=parsed.sidecar.insert_init_first)
    if facts.replay:
        _replay(obj, template, facts.replay)
    _own(obj, facts, sidecar=sidecar)
    too_large = _remember(stripped, base, obj)
    return Assembled(obj, tuple(warnings), too_large)


def plan_of(parsed: Parsed, facts: Facts, *, sidecar: bool) -> environment.Plan:
    """Return what the application's containers get."""
    settings = parsed.sidecar
    mocked = bool(facts.replay and facts.replay.trust)
    trust = mocked or (sidecar and settings.tls_out)
    extra = dict(settings.extra_container_env_vars) if sidecar or facts.replay else {}
    if facts.replay:
        extra = {**facts.replay.env, **extra}
    forward = sidecar and settings.proxy_type in ("forward", "dual")
    scheme = "socks5" if settings.proxy_protocol.rpartition(":")[2] == "socks" else "http"
    return environment.Plan(
        trust=trust,
        mocked=mocked,
        java=trust and settings.tls_java_tool_options and facts.installation.create_jks,
        java_value=settings.tls_java_tool_options_value if sidecar or mocked else None,
        known_stores=settings.mount_known_ca and (sidecar or mocked),
        proxy_url=f"{scheme}://127.0.0.1:{settings.proxy_out_port}" if forward else "",
        through_proxy_to_kube_api=settings.kube_api_support and settings.tls_out,
        extra=tuple(extra.items()),
    )


def _mark(template: dict[str, Any], labels: Mapping[str, str]) -> None:
    _map(template, "labels").update(labels)


def _map(holder: dict[str, Any], key: str) -> dict[str, Any]:
    """Return an object's labels or annotations, made where there are none."""
    if not isinstance(holder.get("metadata"), dict):
        holder["metadata"] = {}
    meta = holder["metadata"]
    if meta.get(key) is None:
        meta[key] = {}
    found: dict[str, Any] = meta[key]
    return found


def _annotations(template: dict[str, Any], parsed: Parsed, parts: Parts, meshes: mesh.Meshes) -> list[str]:
    annotations, settings = _map(template, "annotations"), parsed.sidecar
    metrics = settings.prometheus_port or names.METRICS_PORT
    warnings = list(mesh.hints(meshes, settings.proxy_type))
    if settings.prometheus_enable_scrape_annotations:
        own = sorted(name for name in annotations if name.startswith(_SCRAPE))
        if own:
            warnings.append(f"the pod has {', '.join(own)} of its own: the sidecar's metrics are not added to them")
        else:
            scrape = {"scrape": "true", "port": str(metrics), "path": "/metrics"}
            annotations.update({f"{_SCRAPE}{name}": value for name, value in scrape.items()})
    if meshes.istio:
        excluded = mesh.excluded_ports(annotations, metrics)
        if excluded is not None:
            annotations[mesh.EXCLUDE_INBOUND] = excluded
    proxy = parts.proxy
    if proxy is not None and "restartPolicy" not in proxy:
        annotations.setdefault(_DEFAULT_CONTAINER, template["spec"]["containers"][0]["name"])
    return warnings


def _containers(spec: dict[str, Any], parts: Parts, *, first: bool) -> None:
    proxy = parts.proxy
    native = proxy is not None and "restartPolicy" in proxy
    ours = [*([proxy] if proxy is not None and native else []), *parts.inits]
    if ours:
        own = spec.get("initContainers") or []
        spec["initContainers"] = [*ours, *own] if first else [*own, *ours]
    if proxy is not None and not native:
        spec["containers"] = [proxy, *spec["containers"]]


def _volumes(spec: dict[str, Any], parts: Parts) -> None:
    if parts.volumes:
        spec["volumes"] = [*(spec.get("volumes") or ()), *parts.volumes]
    known = {item.get("name") for item in spec.get("imagePullSecrets") or ()}
    missing = [item for item in parts.pull_secrets if item["name"] not in known]
    if missing:
        spec["imagePullSecrets"] = [*(spec.get("imagePullSecrets") or ()), *missing]


def _applications(spec: dict[str, Any], plan: environment.Plan, parts: Parts, *, first: bool) -> list[str]:
    warnings: list[str] = []
    native = parts.proxy is not None and "restartPolicy" in parts.proxy
    only_extra = environment.Plan(extra=plan.extra)
    for key in ("initContainers", "containers"):
        for container in spec.get(key) or ():
            if names.is_our_container(container) or container["name"] in names.MESHES:
                continue
            meets_us = key == "containers" or (first and native) or container.get("restartPolicy") == "Always"
            warnings += environment.apply(container, plan if meets_us else only_extra)
    return warnings


def _replay(obj: dict[str, Any], template: dict[str, Any], replay: ReplayPatch) -> None:
    for place in (obj, template):
        _map(place, "labels")[names.ENV_ID] = replay.name
        _map(place, "annotations").update({names.ENV_ID: replay.name, names.REPORT_ID: replay.report_id})
    if not replay.host_aliases:
        return
    by_address: dict[str, list[str]] = {}
    for host, address in sorted(replay.host_aliases.items()):
        by_address.setdefault(address, []).append(host)
    spec = template["spec"]
    own = spec.get("hostAliases") or []
    ours = [{"ip": address, "hostnames": hosts} for address, hosts in sorted(by_address.items())]
    taken = {alias.get("ip"): alias for alias in own}
    for alias in ours:
        if alias["ip"] in taken:
            there = taken[alias["ip"]]
            there["hostnames"] = list(dict.fromkeys([*alias["hostnames"], *(there.get("hostnames") or ())]))
    # the first line of /etc/hosts that has a name counts
    spec["hostAliases"] = [*(alias for alias in ours if alias["ip"] not in taken), *own]


def _own(obj: dict[str, Any], facts: Facts, *, sidecar: bool) -> None:
    """Mark the workload itself: that it is ours, and whose."""
    installation = facts.installation
    _map(obj, "annotations").update(
        {
            names.MANAGED_BY: installation.instance_id,
            names.MANAGED_FROM: installation.namespace,
            names.SUT: "true",
        }
    )
    _map(obj, "labels").update({names.SUT: "true", **({names.INJECTED: "true"} if sidecar else {})})


def _remember(stripped: Stripped, base: Base, obj: dict[str, Any]) -> str:
    """Write the record into the template; put back our own elements as they stood where nothing about them changed."""
    kind = base.kind
    template = workload.template_of(obj, kind)
    before = workload.template_of(base.object, kind)
    annotations = _map(template, "annotations")
    annotations[names.REVERT] = ""  # so that a map which is made for it is remembered
    ours = record.difference(before, template)
    ours = {path: entry for path, entry in ours.items() if not path.endswith(_REVERT_PATH)}
    mine = {}
    if template is not obj:
        metas = ({"metadata": base.object.get("metadata")}, {"metadata": obj.get("metadata")})
        mine = record.difference(*({k: v for k, v in m.items() if v is not None} for m in metas))
    text = record.dumps(mine, ours, base.laid.document() if base.laid else None)
    if len(text) > record.MAX_BYTES:
        return (
            f"{len(text):,} bytes would be needed to take everything out again exactly, {record.MAX_BYTES:,} are the"
            " most; the workload has too many containers, or values that are too long, for the variables that it gets"
        )
    annotations[names.REVERT] = text
    _keep_live(stripped, ours, template["spec"])
    _keep_order(workload.template_of(stripped.given, kind)["spec"], template["spec"])
    if stripped.text and all(stripped.ours.get(p) == entry for p, entry in ours.items() if entry[0] != "+"):
        annotations[names.REVERT] = stripped.text
        if obj != stripped.given:  # where nothing else changes, the older record is as good
            annotations[names.REVERT] = text
    return ""


_REVERT_PATH = "/metadata/annotations/" + names.REVERT.replace("/", "~1")


def _keep_live(stripped: Stripped, ours: record.Entries, spec: dict[str, Any]) -> None:
    """Where we want the same as last time, what stands is right: with defaults, or a registry that others rewrote."""
    for key in ("containers", "initContainers", "volumes"):
        for index, item in enumerate(spec.get(key) or ()):
            path = f"/spec/{key}/name={item.get('name')}"
            live = stripped.live.get(path)
            if live is not None and path in ours and stripped.ours.get(path) == ours[path]:
                spec[key][index] = workload.plain(live)


def _keep_order(given: Mapping[str, Any], spec: dict[str, Any]) -> None:
    """Where a list has the same elements as before, it keeps their order: others add theirs behind ours."""
    _same_order(given, spec, ("volumes", "imagePullSecrets"))
    there = {c.get("name"): c for c in workload.containers(given)}
    for container in workload.containers(spec):
        before = there.get(container["name"])
        if before is not None:
            refers = any("$(" in str(item.get("value", "")) for item in container.get("env") or ())
            _same_order(before, container, ("volumeMounts",) if refers else ("volumeMounts", "env"))


def _same_order(before: Mapping[str, Any], after: Any, keys: tuple[str, ...]) -> None:
    for key in keys:
        old, new = before.get(key), after.get(key)
        if not old or not new or old == new or len(old) != len(new):
            continue
        if all(item in old for item in new) and all(item in new for item in old):
            after[key] = workload.plain(old)
