"""The inspector: holds one outbound connection to the backend and does in the cluster what its users ask for.

Absent, with every right, when `dashboardAccess` is off. What it may do is exactly what it offers: look at workloads,
pods, their logs, Services, events, nodes and namespaces; put capture annotations on workloads; start and cancel
replays; change the operator's override configuration.

Not granted, on purpose: Secrets. RBAC cannot show names without values (`list` returns both), so names of Secrets
come from the values (`secretAccessList` and our own). RBAC cannot limit `patch` to annotations either: the inspector
sends annotation patches only, and says in its audit log and in Events what it changed. The override ConfigMap is made
empty by the controller: a right to create ConfigMaps in our namespace would be a right to forge the bundle.
"""

from __future__ import annotations

from collections.abc import Sequence

from speedscale_manifests.objects import (
    Grant,
    Manifest,
    cluster_role,
    cluster_role_binding,
    container,
    deployment,
    env,
    go_json,
    http_probe,
    names,
    pod_env,
    pod_template,
    proxy_env,
    role,
    role_binding,
    scratch,
    service_account,
)
from speedscale_manifests.values import Values

from . import backend, network, urls
from .component import Component

NAME = "inspector"
METRICS_PORT = 4145

_KEY_PATH = "/var/run/secrets/speedscale/backend"
_READ_ONLY_FOR_ALL = 0o444

_ANNOTATE = ("get", "list", "patch")

WORKLOADS: tuple[Grant, ...] = (
    Grant(
        ("apps",),
        ("deployments", "statefulsets", "daemonsets"),
        _ANNOTATE,
        "show workloads; put sidecar and capture annotations on them",
    ),
    Grant(("batch",), ("jobs", "cronjobs"), _ANNOTATE, "show workloads; put sidecar annotations on them"),
    Grant(("argoproj.io",), ("rollouts",), _ANNOTATE, "show Argo Rollouts where the cluster has them; annotate them"),
    Grant(("apps",), ("replicasets",), ("list",), "show ReplicaSets that no Deployment makes"),
    Grant(("",), ("pods", "services"), ("list",), "show what runs and how it is reached"),
    Grant(("",), ("pods/log",), ("get",), "show a log"),
    Grant(
        ("",),
        ("events",),
        ("list", "create", "patch"),
        "show what went wrong; tell on a changed object who changed it",
    ),
    Grant(
        (names.API_GROUP,),
        ("trafficreplays",),
        ("get", "list", "create", "delete"),
        "start, follow and cancel a replay",
    ),
)
"""Rights in the namespaces that are watched."""

CLUSTER: tuple[Grant, ...] = (
    Grant(("",), ("nodes",), ("list",), "show the nodes, and on which kind a workload runs"),
    Grant(("",), ("namespaces",), ("list",), "offer the namespaces to choose from"),
)
"""Rights on what belongs to no namespace."""

OWN: tuple[Grant, ...] = (
    Grant(
        ("",),
        ("configmaps",),
        ("get", "patch"),
        "change the operator's override configuration",
        (names.OPERATOR_OVERRIDE,),
    ),
)
"""Rights in our own namespace."""


def identity(values: Values) -> list[Manifest]:
    """Return the account and its rights: over the cluster, or in the selected namespaces only."""
    watched = names.watched_namespaces(values)
    own = f"{names.app_name(NAME)}-override"
    return [
        service_account(values, NAME),
        cluster_role(values, NAME, _cluster(watched)),
        cluster_role_binding(values, NAME),
        *(item for namespace in watched for item in _in_namespace(values, namespace)),
        role(values, NAME, OWN, name=own),
        role_binding(values, NAME, name=own),
    ]


def _cluster(watched: Sequence[str]) -> tuple[Grant, ...]:
    if not watched:
        return (*WORKLOADS, *CLUSTER)
    named = Grant(("",), ("namespaces",), ("get",), "show the namespaces that are watched", tuple(watched))
    return (CLUSTER[0], named)


def _in_namespace(values: Values, namespace: str) -> list[Manifest]:
    return [
        role(values, NAME, WORKLOADS, namespace=namespace),
        role_binding(values, NAME, namespace=namespace),
    ]


def managed(values: Values) -> list[Manifest]:
    """Return the workload and its policy; nothing connects to it, so there is no Service."""
    temporary, mount = scratch("tmp", "/tmp", "64Mi")
    pod = pod_template(
        values,
        NAME,
        [_container(values, [mount])],
        service_account=names.app_name(NAME),
        token=True,
        volumes=[temporary, _key_volume(values), *backend.trust_volume(values)],
        terminationGracePeriodSeconds=15,
    )
    return [
        # Two at once would both hold the control connection.
        deployment(values, NAME, pod, recreate=True),
        *network.policy(
            values,
            NAME,
            ingress=network.metrics(values, METRICS_PORT),
            egress=[
                network.to_dns(),
                network.to_api_server(values),
                network.to_outside(values, *urls.ports(backend.url(values), values.http_proxy, values.https_proxy)),
                *backend.egress(values),
            ],
        ),
    ]


def _container(values: Values, mounts: list[Manifest]) -> Manifest:
    return container(
        values,
        "speedscale-inspector",
        "inspector",
        values.inspector.resources,
        command=["speedscale-inspector"],
        env=[
            *pod_env(),
            env("ACCESS_LABELS", go_json(values.inspector.access_labels)),
            env("BACKEND_SECRET_DIR", _KEY_PATH),
            env("CLUSTER_NAME", values.cluster_name),
            env("LOG_LEVEL", values.log_level),
            env("METRICS_HOST", "0.0.0.0"),
            env("METRICS_HTTP_PORT", METRICS_PORT),
            env("NAMESPACE_SELECTOR", ",".join(names.watched_namespaces(values))),
            env("OVERRIDE_CONFIG_MAP", names.OPERATOR_OVERRIDE),
            env("PROFILE", values.profile),
            env("SECRET_NAMES", ",".join(_secret_names(values))),
            env("WITH_DLP", values.dlp.enabled),
            *backend.client_env(values),
            *proxy_env(values),
        ],
        ports=[{"name": "metrics", "containerPort": METRICS_PORT, "protocol": "TCP"}],
        livenessProbe=http_probe("/healthz", "metrics", period_s=20, failures=3),
        readinessProbe=http_probe("/readyz", "metrics", period_s=10, failures=3),
        volumeMounts=[
            *mounts,
            {"name": "backend-key", "mountPath": _KEY_PATH, "readOnly": True},
            *backend.trust_mount(values),
        ],
    )


def _key_volume(values: Values) -> Manifest:
    """Return the volume with address and key of the backend, as files: they may come late, and change."""
    keys = ("SPEEDSCALE_API_KEY", "SPEEDSCALE_APP_URL")
    source: Manifest = {
        "secretName": names.api_key_secret(values),
        "items": [{"key": key, "path": key} for key in keys],
        "optional": True,
        "defaultMode": _READ_ONLY_FOR_ALL,
    }
    return {"name": "backend-key", "secret": source}


def _secret_names(values: Values) -> list[str]:
    listed = [name for name in values.secret_access_list if name != "*"]
    return list(dict.fromkeys((*listed, *names.own_secrets(values))))


def enabled(values: Values) -> bool:
    """Return whether the backend's users may see and change this cluster."""
    return values.dashboard_access


COMPONENT = Component(name=NAME, chart="inspector", enabled=enabled, identity=identity, managed=managed)
