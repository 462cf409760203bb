"""The sidecar's template, filled for one workload: the containers and volumes that it needs, and no others.

Called by `decision`. The template is the bundle's; here its gaps get their values and what a workload has no use for is
left out: init containers outside of transparent mode, diagnostics, trust without TLS.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from speedscale_schemas.annotations import KeyPair, Parsed
from speedscale_schemas.annotations import Sidecar as Settings
from speedscale_schemas.templates import fill

from . import names, workload
from .facts import Facts
from .mesh import Meshes

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Parts:
    """What is added to a pod. `proxy` is None where only a replay changes the workload."""

    proxy: Object | None
    inits: tuple[Object, ...]
    volumes: tuple[Object, ...]
    pull_secrets: tuple[Object, ...]
    labels: Mapping[str, str]

    @property
    def containers(self) -> tuple[Object, ...]:
        """Return all containers."""
        return (*self.inits, *((self.proxy,) if self.proxy else ()))


def build(
    obj: Mapping[str, Any],
    parsed: Parsed,
    facts: Facts,
    resources: Mapping[str, Any],
    meshes: Meshes,
    *,
    sidecar: bool,
    native: bool,
    trust: bool,
) -> Parts:
    """Return the parts; ConfigError where the template and the table of gaps are not of one version."""
    assert facts.template is not None
    values = _values(obj, parsed.sidecar, facts, resources, native=native) | {"mesh": meshes.name}
    filled = _filled(facts.template["template"], values)
    spec = filled["spec"]
    settings = parsed.sidecar
    wanted = _wanted_inits(settings, facts, sidecar=sidecar)
    inits = tuple(c for c in spec.get("initContainers") or () if c["name"] in wanted)
    proxy = next((c for c in spec["containers"] if c["name"] == names.CONTAINER), None) if sidecar else None
    if proxy is not None and not settings.diagnostics:
        proxy["volumeMounts"] = [m for m in proxy["volumeMounts"] if m["name"] != names.DIAGNOSTICS_VOLUME]
    used = {m["name"] for c in (*inits, proxy or {}) for m in c.get("volumeMounts") or ()}
    if trust:
        used.add(names.TRUST_VOLUME)
    return Parts(
        proxy=_dense_env(proxy) if proxy else None,
        inits=tuple(map(_dense_env, inits)),
        volumes=tuple(v for v in spec["volumes"] if v["name"] in used),
        pull_secrets=tuple(spec.get("imagePullSecrets") or ()) if inits or proxy else (),
        labels=workload.labels_of(filled) if sidecar else {},
    )


_MAX_FILLED = 64
_filled_before: dict[str, tuple[Any, Object]] = {}
"""Filled templates by their values, with the template itself; workloads differ in little but their name."""

_NAME = "\ue002"
"""Stands for the application's name in them."""


def _filled(template: Mapping[str, Any], values: dict[str, Any]) -> Object:
    """Return a filled template of the caller's own; filling is dear, and mostly it was done for another workload."""
    name = values["app_label"]
    key = repr({**values, "app_label": None})
    known, found = _filled_before.get(key, (None, {}))
    if known is not template:
        found = fill(template, {**values, "app_label": _NAME})
        if len(_filled_before) >= _MAX_FILLED:
            _filled_before.clear()
        _filled_before[key] = (template, found)
    made: Object = workload.plain(found)
    places = [e for c in made["spec"]["containers"] for e in c.get("env") or () if e.get("value") == _NAME]
    if repr(found).count(repr(_NAME)[1:-1]) != len(places):
        return dict(fill(template, values))  # it stands elsewhere in this template
    for place in places:
        place["value"] = name
    return made


def has_init(facts: Facts, name: str) -> bool:
    """Return whether the template has this init container; those of some clusters have none."""
    spec = workload.mapping(workload.mapping(workload.mapping(facts.template).get("template")).get("spec"))
    return any(c.get("name") == name for c in spec.get("initContainers") or ())


def _wanted_inits(settings: Settings, facts: Facts, *, sidecar: bool) -> set[str]:
    wanted = set()
    if sidecar and settings.proxy_type == "transparent":
        wanted.add(names.INIT_RULES)
        if settings.host_resolution == "smart" and not facts.installation.disable_smartdns:
            wanted.add(names.INIT_DNS)
    if facts.replay and facts.replay.routes:
        wanted.add(names.INIT_ROUTES)
    return wanted


def _dense_env(container: Object) -> Object:
    """Return the container as the API server stores it: empty values of variables are left out."""
    env = [{k: v for k, v in item.items() if v != ""} for item in container.get("env") or ()]
    return {**container, "env": env}


def _values(
    obj: Mapping[str, Any], settings: Settings, facts: Facts, resources: Mapping[str, Any], *, native: bool
) -> dict[str, Any]:
    installation = facts.installation
    own_namespace = facts.namespace.name == installation.namespace
    return {
        "app_label": workload.app_label(obj),
        "certs_secret": "speedscale-own-certs" if own_namespace else "speedscale-certs",
        "pull_secrets": [{"name": name} for name in installation.pull_secrets] or None,
        "proxy_type": settings.proxy_type,
        "proxy_protocol": settings.proxy_protocol,
        "proxy_host": settings.proxy_host,
        "proxy_port": settings.proxy_port,
        "proxy_in_port": settings.proxy_in_port,
        "proxy_out_port": settings.proxy_out_port,
        "metrics_port": settings.prometheus_port or names.METRICS_PORT,
        "host_resolution": settings.host_resolution,
        "kube_api_support": settings.kube_api_support,
        "istio_cni": settings.istio_cni,
        "tls_out": settings.tls_out,
        **_key_pairs(settings),
        "sidecar_resources": dict(resources),
        "sidecar_log_level": "debug" if settings.diagnostics else installation.log_level,
        "diagnostics": settings.diagnostics,
        "sidecar_restart_policy": "Always" if native else None,
        "capture_rules": _rules(settings),
        "responder_routes": dict(facts.replay.routes) if facts.replay else {},
        "java_trust_source": _JAVA_SOURCE if installation.create_jks and _wants_java(settings) else None,
    }


_JAVA_SOURCE = {
    "secret": {"name": "speedscale-jks", "items": [{"key": "cacerts.jks", "path": "jks/cacerts.jks"}]},
}


def _wants_java(settings: Settings) -> bool:
    return settings.tls_java_tool_options or names.TRUST_PATH in (settings.tls_java_tool_options_value or "")


def _key_pairs(settings: Settings) -> dict[str, Any]:
    inbound, mutual = settings.tls_in, settings.tls_mutual
    mounts, volumes = [], []
    found: dict[str, Any] = {"tls_in": inbound is not None}
    for gap, pair, volume, path in (
        ("tls_in", inbound, names.TLS_IN_VOLUME, names.TLS_IN_PATH),
        ("tls_mutual", mutual, names.TLS_MUTUAL_VOLUME, names.TLS_MUTUAL_PATH),
    ):
        found[f"{gap}_public"], found[f"{gap}_private"] = _paths(pair, path)
        if pair is not None and pair.secret is not None:
            mounts.append({"name": volume, "mountPath": path, "readOnly": True})
            volumes.append({"name": volume, "secret": _secret(pair)})
    return {**found, "certificate_mounts": mounts, "certificate_volumes": volumes}


def _paths(pair: KeyPair | None, path: str) -> tuple[str, str]:
    if pair is None:
        return "", ""
    if pair.secret is None:
        return pair.public, pair.private
    return f"{path}/{pair.public}", f"{path}/{pair.private}"


def _secret(pair: KeyPair) -> Object:
    """Return the volume's source: the two files and nothing else; readable for our user, who owns none of them."""
    files = dict.fromkeys((pair.public, pair.private))
    return {
        "secretName": pair.secret,
        "items": [{"key": name, "path": name} for name in files],
        "defaultMode": 0o444,
        "optional": True,
    }


def _rules(settings: Settings) -> dict[str, Any]:
    lists = {
        "ignoreSrcIps": settings.ignore_src_ips,
        "ignoreDstIps": settings.ignore_dst_ips,
        "ignoreSrcHosts": settings.ignore_src_hosts,
        "ignoreDstHosts": settings.ignore_dst_hosts,
        "ignoreInboundPorts": settings.ignore_inbound_ports,
        "ignoreOutboundPorts": settings.ignore_outbound_ports,
    }
    return {
        **{name: list(items) for name, items in lists.items() if items},
        "ignoreLoopback": settings.ignore_loopback,
        "trackLoopback": settings.track_loopback,
        "nodeTraffic": settings.capture_node_traffic,
    }
