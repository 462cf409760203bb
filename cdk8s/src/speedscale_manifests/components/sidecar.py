"""The sidecar as a template: a PodTemplate whose containers, init containers and volumes the controller takes by name.

`speedscale-goproxy` runs as 2102 without capabilities. Of the init containers the controller takes those that a
workload needs: `-iptables` (transparent mode) and `-responder` (routing nat in a replay) write rules and are the only
ones with NET_ADMIN; root, because a capability that is added to another user is not effective; with nftables behind
iptables NET_ADMIN is enough, and NET_RAW, which only the legacy back end asks for, is not given. Where capture's rules
cannot be written the pod starts without capture; without a replay's routes it does not start, since it would call the
real services. Observing answers of DNS servers needs a capability of the proxy and no init container.

Never in the way: the sidecar's Secrets are optional mounts, so that a pod starts where they are missing or late
(traffic is then passed on and counted, not recorded), and there is no liveness probe, because a restart would cut
connections. Only what the application's own containers trust (`speedscale-trust`, mounted with TLS interception and in
replays) has to be there before they start.
"""

from __future__ import annotations

from typing import Any

from speedscale_manifests.objects import (
    Grant,
    Manifest,
    cluster_role,
    container,
    env,
    field_env,
    http_probe,
    metadata,
    names,
    scratch,
)
from speedscale_manifests.values import Values
from speedscale_schemas.templates import gap, gap_text, seal

from . import openshift, senders
from .component import Component

NAME = "sidecar"
CONTAINER = "speedscale-goproxy"
INIT = "speedscale-initproxy"
UID = 2102
HEALTH_PORT = 4144

_APPLICATION_VOLUMES = (
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
)
_NO_NET_ADMIN = frozenset({"gke-autopilot", "eks-fargate"})
_INJECTED = "sidecar.speedscale.com/injected"
_RESTRICTED: Manifest = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "privileged": False,
    "readOnlyRootFilesystem": True,
    "runAsGroup": UID,
    "runAsNonRoot": True,
    "runAsUser": UID,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def templates(values: Values) -> list[Manifest]:
    """Return the PodTemplate."""
    temporary, mount = scratch("speedscale-tmp", "/tmp", "256Mi")
    diagnostics, diagnostics_mount = scratch("speedscale-diagnostics", "/diagnostics", "256Mi")
    inits = _init_containers(values)
    template: Manifest = {
        "metadata": {"labels": {_INJECTED: "true"}},
        "spec": {
            **({"initContainers": inits} if inits else {}),
            "containers": [_proxy(values, [mount, diagnostics_mount])],
            "imagePullSecrets": gap("pull_secrets"),
            "volumes": [
                temporary,
                diagnostics,
                senders.interception_volume(values),
                senders.trust_volume(),
                gap("certificate_volumes"),
            ],
        },
    }
    return [
        seal(
            {
                "apiVersion": "v1",
                "kind": "PodTemplate",
                "metadata": metadata(values, NAME),
                "template": template,
            }
        )
    ]


def identity(values: Values) -> list[Manifest]:
    """Return, on OpenShift, the constraints that injected pods run under, and the right to use them.

    Whose pods may is for the cluster's administrator to say: bind ClusterRole `speedscale-sidecar` to the accounts of
    the workloads that are captured.
    """
    if not openshift.applies(values):
        return []
    constraints = openshift.constraints(
        values,
        NAME,
        allowPrivilegedContainer=values.privileged_sidecars,
        allowPrivilegeEscalation=values.privileged_sidecars or _sees_dns(values),
        allowedCapabilities=["NET_ADMIN", *(["NET_RAW"] if _sees_dns(values) else [])],
        volumes=list(_APPLICATION_VOLUMES),
    )
    grant: Grant = openshift.use(names.app_name(NAME))
    return [constraints, cluster_role(values, NAME, [grant])]


def _sees_dns(values: Values) -> bool:
    return values.sidecar.observe_dns and not values.disable_sidecar_smart_reverse_dns


def _proxy(values: Values, mounts: list[Manifest]) -> Manifest:
    return container(
        values,
        CONTAINER,
        "goproxy",
        {},
        command=["speedscale-goproxy"],
        restartPolicy=gap("sidecar_restart_policy"),
        env=[
            *_identity_env(values),
            *_proxy_env(),
            *_tls_env(values),
            *senders.sender_env(values),
            env("SIDECAR_RESTART_POLICY", gap("sidecar_restart_policy")),
        ],
        ports=[
            {"name": "proxy-in", "containerPort": gap("proxy_in_port"), "protocol": "TCP"},
            {"name": "proxy-out", "containerPort": gap("proxy_out_port"), "protocol": "TCP"},
            {"name": "proxy-health", "containerPort": HEALTH_PORT, "protocol": "TCP"},
            {"name": "proxy-metrics", "containerPort": gap("metrics_port"), "protocol": "TCP"},
        ],
        securityContext=_proxy_security(values),
        # The application is held back until we take connections: of a restartable init container by the startup probe,
        # of an ordinary one by the hook, since the next container is started when it has ended (with 0 in any case).
        lifecycle={"postStart": {"exec": {"command": ["speedscale-goproxy", "wait"]}}},
        startupProbe=http_probe("/readyz", HEALTH_PORT, period_s=1, failures=60),
        readinessProbe=http_probe("/readyz", HEALTH_PORT, period_s=10, failures=3),
        volumeMounts=[*mounts, senders.mount(), gap("certificate_mounts")],  # type: ignore[list-item]
    ) | {"resources": gap("sidecar_resources")}


def _proxy_security(values: Values) -> Manifest:
    if not _sees_dns(values):
        return _RESTRICTED
    # A user other than root gets an added capability through the file's own only, which the flag would forbid.
    return {**_RESTRICTED, "allowPrivilegeEscalation": True, "capabilities": {"drop": ["ALL"], "add": ["NET_RAW"]}}


def _identity_env(values: Values) -> list[Manifest]:
    return [
        env("APP_LABEL", gap("app_label")),
        field_env("APP_POD_NAME", "metadata.name"),
        field_env("APP_POD_NAMESPACE", "metadata.namespace"),
        env("CAPTURE_MODE", "proxy"),
        env("CLUSTER_NAME", values.cluster_name),
        env("LOG_LEVEL", gap("sidecar_log_level")),
        field_env("SPEC_NODENAME", "spec.nodeName"),
        field_env("SPEC_SERVICEACCOUNTNAME", "spec.serviceAccountName"),
        field_env("STATUS_HOST_IP", "status.hostIP"),
        field_env("STATUS_POD_IP", "status.podIP"),
    ]


def _proxy_env() -> list[Manifest]:
    return [
        env("DIAGNOSTICS", gap_text("diagnostics")),
        env("HEALTH_PORT", HEALTH_PORT),
        env("HOST_RESOLUTION", gap("host_resolution")),
        env("KUBE_API_SUPPORT", gap_text("kube_api_support")),
        env("METRICS_HTTP_PORT", gap_text("metrics_port")),
        env("PROXY_IN_PORT", gap_text("proxy_in_port")),
        env("PROXY_OUT_PORT", gap_text("proxy_out_port")),
        env("PROXY_PROTOCOL", gap("proxy_protocol")),
        env("PROXY_TYPE", gap("proxy_type")),
        env("REVERSE_PROXY_HOST", gap("proxy_host")),
        env("REVERSE_PROXY_PORT", gap_text("proxy_port")),
    ]


def _tls_env(values: Values) -> list[Manifest]:
    return [
        env("TLS_CERT_DIR", senders.PATH),
        *senders.upstream_env(values, "TLS_OUT_CA_FILE"),
        env("TLS_OUT_UNWRAP", gap_text("tls_out")),
        env("TLS_IN_UNWRAP", gap_text("tls_in")),
        env("TLS_IN_PUBLIC_KEY", gap("tls_in_public")),
        env("TLS_IN_PRIVATE_KEY", gap("tls_in_private")),
        env("TLS_MUTUAL_PUBLIC_KEY", gap("tls_mutual_public")),
        env("TLS_MUTUAL_PRIVATE_KEY", gap("tls_mutual_private")),
    ]


def _init_containers(values: Values) -> list[Manifest]:
    """Return those that this kind of cluster runs; without `-iptables` the controller refuses transparent mode."""
    if values.preset in _NO_NET_ADMIN:
        return []
    rules = [
        env("CAPTURE_RULES", gap_text("capture_rules")),
        env("ISTIO_CNI", gap_text("istio_cni")),
        env("MESH", gap("mesh")),
        env("METRICS_HTTP_PORT", gap_text("metrics_port")),
        env("ON_FAILURE", "pass"),
    ]
    routes = [env("RESPONDER_ROUTES", gap_text("responder_routes"))]
    kinds: list[tuple[str, list[Manifest]]] = [("iptables", rules), ("responder", routes)]
    return [_init(values, kind, extra) for kind, extra in kinds]


def _init(values: Values, kind: str, extra: list[Manifest]) -> Manifest:
    reinitialize = [env("REINITIALIZE_IPTABLES", values.sidecar.reinitialize_iptables)] if kind == "iptables" else []
    return container(
        values,
        f"{INIT}-{kind}",
        "goproxy",
        {},
        command=[f"{INIT}-{kind}"],
        env=[
            env("LOG_LEVEL", gap("sidecar_log_level")),
            env("PROXY_UID", UID),
            env("PROXY_TYPE", gap("proxy_type")),
            env("PROXY_IN_PORT", gap_text("proxy_in_port")),
            env("PROXY_OUT_PORT", gap_text("proxy_out_port")),
            field_env("STATUS_HOST_IP", "status.hostIP"),
            field_env("STATUS_POD_IP", "status.podIP"),
            *reinitialize,
            *extra,
        ],
        securityContext=_init_security(values),
    ) | {"resources": gap("sidecar_resources")}


def _init_security(values: Values) -> Manifest:
    context: dict[str, Any] = {
        **_RESTRICTED,
        "capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN"]},
        "runAsGroup": 0,
        "runAsNonRoot": False,
        "runAsUser": 0,
    }
    if values.privileged_sidecars:
        # A privileged container has every capability, and the API server wants the flag to say so.
        del context["capabilities"]
        context |= {"privileged": True, "allowPrivilegeEscalation": True}
    return context


COMPONENT = Component(name=NAME, chart="operator", identity=identity, templates=templates)
