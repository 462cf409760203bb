"""The collector of a replay: snapshot in, results and report out, logs and resource use of the pods under test.

It stands in our own namespace, under an account whose rights are in `dist/`: in the workload's namespace somebody would
have to grant them while a replay begins, and nothing of ours may grant rights. Its failure fails no replay, unless the
snapshot must come through it. Generator, responder and operator call it, on 8443, by its certificate and their tokens.
"""

from __future__ import annotations

from speedscale_manifests.objects import (
    Grant,
    Manifest,
    cluster_role,
    cluster_role_binding,
    container,
    env,
    http_probe,
    names,
    pod_env,
    proxy_env,
    role,
    role_binding,
    scratch,
    secret_keys_env,
    service_account,
)
from speedscale_manifests.values import Values
from speedscale_schemas.templates import gap, seal

from . import backend, network, replay, urls
from .component import Component

NAME = "collector"
PORT = 8443

_CERTS_PATH = "/var/run/secrets/speedscale/collector"

GRANTS: tuple[Grant, ...] = (
    Grant(("",), ("pods", "events"), ("get", "list", "watch"), "follow the pods under test and what happens to them"),
    Grant(("",), ("pods/log",), ("get",), "put their logs into the report"),
    Grant(("metrics.k8s.io",), ("pods",), ("get", "list"), "put their CPU and memory into the report"),
)
"""Rights in the namespaces where replays run."""


def identity(values: Values) -> list[Manifest]:
    """Return the account and its rights: over the cluster, or in the selected namespaces only."""
    watched = names.watched_namespaces(values)
    account = service_account(values, NAME)
    if not watched:
        return [account, cluster_role(values, NAME, GRANTS), cluster_role_binding(values, NAME)]
    pairs = (
        (role(values, NAME, GRANTS, namespace=namespace), role_binding(values, NAME, namespace=namespace))
        for namespace in watched
    )
    return [account, *(item for pair in pairs for item in pair)]


def templates(values: Values) -> list[Manifest]:
    """Return Deployment, Service and policy of one replay's collector."""
    temporary, mount = scratch("tmp", "/tmp", "256Mi")
    results, results_mount = scratch("results", replay.RESULTS, "8Gi")
    key_env, key_mounts, key_volumes = replay.dlp_key(values)
    home, home_mount = scratch("home", replay.HOME, "64Mi")
    certs: Manifest = {"name": "certs", "secret": {"secretName": names.COLLECTOR_CERTS, "defaultMode": 0o444}}
    certs_mount: Manifest = {"name": "certs", "mountPath": _CERTS_PATH, "readOnly": True}
    template = replay.pod(
        values,
        NAME,
        [
            _container(
                values,
                [mount, results_mount, home_mount, certs_mount, *key_mounts, *backend.trust_mount(values)],
                key_env,
            )
        ],
        service_account=names.app_name(NAME),
        token=True,
        volumes=[temporary, results, home, certs, *_optional(key_volumes), *backend.trust_volume(values)],
        terminationGracePeriodSeconds=30,
    )
    outside = urls.ports(backend.url(values), values.http_proxy, values.https_proxy)
    policies = replay.policy(
        values,
        NAME,
        ingress=[
            network.from_component("operator", PORT),
            {"from": [_pods()], "ports": network.ports(PORT)},
            *network.metrics(values, replay.METRICS_PORT),
        ],
        egress=[
            network.to_dns(),
            network.to_api_server(values),
            network.to_outside(values, *outside),
            *backend.egress(values),
        ],
        namespace=values.namespace,
    )
    https = [{"name": "https", "port": 443, "targetPort": "https", "protocol": "TCP", "appProtocol": "https"}]
    objects = (
        replay.deployment(values, NAME, template, namespace=values.namespace),
        replay.service(values, NAME, replay.name(NAME), https, namespace=values.namespace),
        *policies,
    )
    return [seal(item) for item in objects]


def _pods() -> Manifest:
    """Return a policy's peer: this replay's generator and responders, in whatever namespace."""
    components = [f"speedscale-{name}" for name in ("generator", "responder")]
    return {
        "namespaceSelector": {},
        "podSelector": {
            "matchLabels": {replay.ID_LABEL: gap("replay_id")},
            "matchExpressions": [{"key": replay.COMPONENT_LABEL, "operator": "In", "values": components}],
        },
    }


def _optional(volumes: list[Manifest]) -> list[Manifest]:
    """Return Secrets' volumes without which a pod starts: without the redaction key logs are left out, and told."""
    return [{**one, "secret": {**one["secret"], "optional": True}} for one in volumes]


def _container(values: Values, mounts: list[Manifest], key_env: list[Manifest]) -> Manifest:
    return container(
        values,
        "speedscale-collector",
        "replay",
        values.collector.resources,
        command=["speedscale-collector"],
        env=[
            *pod_env(),
            env("BUILD_TAG", gap("build_tag")),
            env("CLUSTER_NAME", values.cluster_name),
            env("COLLECTOR_HOST", "0.0.0.0"),
            env("COLLECTOR_PORT", PORT),
            env("COLLECTOR_TLS_CERT_FILE", f"{_CERTS_PATH}/tls.crt"),
            env("COLLECTOR_TLS_KEY_FILE", f"{_CERTS_PATH}/tls.key"),
            env("COLLECTOR_TOKENS_FILE", f"{_CERTS_PATH}/tokens.json"),
            *key_env,
            env("LOG_LEVEL", values.log_level),
            env("METRICS_HOST", "0.0.0.0"),
            env("METRICS_HTTP_PORT", replay.METRICS_PORT),
            env("REPLAY_ID", gap("replay_id")),
            env("REPLAY_NAME", gap("replay_name")),
            env("REPLAY_NAMESPACES", gap("replay_namespaces")),
            env("RESULTS_DIR", replay.RESULTS),
            env("SNAPSHOT_ID", gap("collector_snapshot_id")),
            env("SNAPSHOT_SOURCE", gap("snapshot_source")),
            env("SPEEDSCALE_DLP_CONFIG", values.dlp.config if values.dlp.enabled else ""),
            env("SPEEDSCALE_HOME", replay.HOME),
            env("TEST_CONFIG_ID", gap("test_config_id")),
            env("TEST_REPORT_ID", gap("report_id")),
            env("WORKLOAD_KIND", gap("workload_kind")),
            env("WORKLOAD_NAME", gap("workload_name")),
            env("WORKLOAD_NAMESPACE", gap("namespace")),
            env("WORKLOAD_SELECTOR", gap("workload_selector")),
            *backend.client_env(values),
            *proxy_env(values),
        ],
        envFrom=[secret_keys_env(names.api_key_secret(values))],
        ports=[
            {"name": "https", "containerPort": PORT, "protocol": "TCP"},
            {"name": "metrics", "containerPort": replay.METRICS_PORT, "protocol": "TCP"},
        ],
        livenessProbe=http_probe("/healthz", "metrics", period_s=20, failures=3),
        readinessProbe=http_probe("/readyz", "metrics", period_s=5, failures=3),
        volumeMounts=mounts,
    )


COMPONENT = Component(name=NAME, chart="operator", identity=identity, templates=templates)
