"""nettap: a DaemonSet that sees the node's traffic by eBPF and changes no workload.

`speedscale-nettap-capture` loads the programs: root with four capabilities (BPF to load them, PERFMON to attach to
tracepoints and user functions, NET_ADMIN for cgroup and socket programs, SYS_PTRACE to read other processes' memory
maps), a fifth (SYS_ADMIN) by values only where `speedctl nettap doctor` shows the need; never SYS_RESOURCE, which
kernels since 5.11 do not ask for, nor `privileged`. `speedscale-nettap-ingest` makes records of what was seen: no
capability, no root, and the only one of the two that gets an API token or listens anywhere. They talk over a socket in
a folder that is theirs alone. The node's files are mounted read-only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from speedscale_manifests.objects import (
    Grant,
    Manifest,
    cluster_role,
    cluster_role_binding,
    config_map,
    container,
    env,
    exec_probe,
    field_env,
    http_probe,
    metadata,
    names,
    pod_template,
    role,
    role_binding,
    service,
    service_account,
    workload,
)
from speedscale_manifests.objects.emit import emit
from speedscale_manifests.values import Values, plain
from speedscale_schemas import nettap

from . import openshift, senders
from .component import Component

NAME = "nettap"
CAPTURE = "speedscale-nettap-capture"
DAEMON_SET = "nettap"
"""As in pod listings of the vendor's documentation; everything else keeps the chart's `speedscale-nettap`."""

TARGETS = nettap.CONFIG_MAP
"""ConfigMap that the controller writes from capture annotations."""

API = "api"
API_PORT = 8080
METRICS_PORT = 42424

_RING = "8Mi"
"""Of the capture program itself (runtime/nettap/capture/settings.c)."""

_LOOK = ("get", "list", "watch")
_TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
_SOCKET = env("NETTAP_SOCKET_PATH", "/tmp/nettap.sock")
_SOCKETS = {"name": "nettap-shared", "mountPath": "/tmp"}

PODS: tuple[Grant, ...] = (
    Grant(("",), ("pods",), _LOOK, "say which pods are captured, and which one a process belongs to"),
)
"""Rights in the namespaces that are watched."""

CLUSTER: tuple[Grant, ...] = (Grant(("",), ("namespaces",), _LOOK, "select namespaces by label"),)
"""Rights on what belongs to no namespace."""

CONFIGURATION: tuple[Grant, ...] = (
    Grant(("",), ("configmaps",), _LOOK, "read configuration and targets live", (names.NETTAP, TARGETS)),
)
"""Rights in our own namespace."""


def enabled(values: Values) -> bool:
    """Return whether traffic is captured without sidecars."""
    return values.ebpf.enabled


def identity(values: Values) -> list[Manifest]:
    """Return the account, its rights and, on OpenShift, its constraints."""
    watched = names.watched_namespaces(values)
    constraints = openshift.applies(values)
    return [
        service_account(values, NAME),
        cluster_role(values, NAME, [*_cluster(watched), *([openshift.use(names.NETTAP)] if constraints else [])]),
        cluster_role_binding(values, NAME),
        *(item for namespace in watched for item in _in_namespace(values, namespace)),
        role(values, NAME, CONFIGURATION, name=f"{names.NETTAP}-configuration"),
        role_binding(values, NAME, name=f"{names.NETTAP}-configuration"),
        *([_constraints(values)] if constraints else []),
        *_quota(values),
    ]


def _cluster(watched: Sequence[str]) -> tuple[Grant, ...]:
    if not watched:
        return (*PODS, *CLUSTER)
    named = Grant(("",), ("namespaces",), ("get",), "select among the watched namespaces by label", tuple(watched))
    return (named,)


def _in_namespace(values: Values, namespace: str) -> list[Manifest]:
    return [role(values, NAME, PODS, namespace=namespace), role_binding(values, NAME, namespace=namespace)]


def _quota(values: Values) -> list[Manifest]:
    """Return what GKE asks for before it lets critical pods into a namespace other than kube-system.

    It limits these priority classes by its admission configuration to namespaces whose ResourceQuota names them.
    """
    priority = values.ebpf.nettap.priority_class_name
    if values.cloud_provider != "gcp" or not priority.startswith("system-"):
        return []
    scope = {"scopeName": "PriorityClass", "operator": "In", "values": [priority]}
    return [
        {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": metadata(values, NAME),
            "spec": {"hard": {"pods": "10k"}, "scopeSelector": {"matchExpressions": [scope]}},
        }
    ]


def _constraints(values: Values) -> Manifest:
    added = values.ebpf.nettap.capture.pod_security_context.get("capabilities", {}).get("add", ())
    return openshift.constraints(
        values,
        NAME,
        allowHostDirVolumePlugin=True,
        allowHostNetwork=True,
        allowHostPID=True,
        allowHostPorts=True,
        allowedCapabilities=list(added),
        readOnlyRootFilesystem=True,
        seLinuxContext={"type": "RunAsAny"},
        volumes=["configMap", "emptyDir", "hostPath", "projected", "secret"],
    )


def managed(values: Values) -> list[Manifest]:
    """Return configuration, DaemonSet and Service.

    No NetworkPolicy: a pod on the node's network is the node, and policies do not select it.
    """
    configuration = config_map(values, NAME, {"config.yaml": emit(_configuration(values))}, name=names.NETTAP)
    # The configuration is read live: no hash of it stands in the pod template.
    template = pod_template(
        values,
        NAME,
        [_capture(values), _ingest(values)],
        service_account=names.NETTAP,
        securityContext=plain(values.ebpf.nettap.security_context),
        volumes=_volumes(),
        hostNetwork=True,
        hostPID=True,
        dnsPolicy="ClusterFirstWithHostNet",
        tolerations=[{"operator": "Exists"}],
        affinity=_affinity(values),
        nodeSelector=None,
        priorityClassName=values.ebpf.nettap.priority_class_name or None,
        terminationGracePeriodSeconds=30,
    )
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}
    daemon_set = workload(values, "DaemonSet", NAME, template, name=DAEMON_SET, updateStrategy=strategy)
    return [configuration, daemon_set, _service(values)]


def _configuration(values: Values) -> Manifest:
    tree: Manifest = values.tree()["ebpf"]["configuration"]
    return tree


def _capture(values: Values) -> Manifest:
    system = values.ebpf.configuration.system
    return container(
        values,
        CAPTURE,
        "nettap",
        values.ebpf.nettap.resources,
        command=[CAPTURE],
        env=[
            env("NETTAP_SYSTEM_PROCFSPATH", system.procfs_path),
            env("NETTAP_SYSTEM_CGROUPV2PATH", system.cgroupv2_path),
            env("NETTAP_SYSTEM_VMLINUXPATH", system.vmlinux_path),
            field_env("NETTAP_SYSTEM_NODENAME", "spec.nodeName"),
            _SOCKET,
            *_settings(values),
        ],
        securityContext=values.ebpf.nettap.capture.pod_security_context,
        # It has no listener. A capture that hangs costs the node nothing; it is started anew so that it captures again.
        livenessProbe=exec_probe([CAPTURE, "--healthy"], delay_s=10, period_s=30, timeout_s=5),
        volumeMounts=[
            {"name": "host-procfs", "mountPath": system.procfs_path, "readOnly": True},
            {"name": "host-cgroup", "mountPath": system.cgroupv2_path, "readOnly": True},
            {"name": "host-sys", "mountPath": "/host/sys", "readOnly": True},
            _SOCKETS,
        ],
    )


def _settings(values: Values) -> list[Manifest]:
    """Return what capture is told beyond its own defaults; it reads nothing from the API."""
    settings = []
    if values.ebpf.nettap.capture.ring_size != _RING:
        size = int(values.ebpf.nettap.capture.ring_size.removesuffix("Mi")) << 20
        settings.append(env("NETTAP_RING_BYTES", str(size)))
    if values.ebpf.configuration.diagnostics.bpf_stats.enabled:
        settings.append(env("NETTAP_BPF_STATS", "1"))
    return settings


def _ingest(values: Values) -> Manifest:
    return container(
        values,
        "speedscale-nettap-ingest",
        "goproxy",
        values.ebpf.nettap.resources,
        command=["speedscale-nettap-ingest"],
        env=[
            _SOCKET,
            env("NETTAP_CONFIG_MAP", names.NETTAP),
            env("NETTAP_CONFIG_MAP_TARGETS", TARGETS),
            env("NAMESPACE_SELECTOR", ",".join(names.watched_namespaces(values))),
            env("LOG_LEVEL", values.ebpf.configuration.logging.level),
            env("CLUSTER_NAME", values.cluster_name),
            field_env("POD_NAMESPACE", "metadata.namespace"),
            field_env("SPEC_NODENAME", "spec.nodeName"),
            field_env("SPEC_SERVICEACCOUNTNAME", "spec.serviceAccountName"),
            *senders.sender_env(values),
        ],
        securityContext=values.ebpf.nettap.ingest.pod_security_context,
        ports=[
            {"name": API, "containerPort": API_PORT, "protocol": "TCP"},
            {"name": "metrics", "containerPort": METRICS_PORT, "protocol": "TCP"},
        ],
        livenessProbe=http_probe("/healthz", API_PORT, delay_s=1, period_s=10, timeout_s=3),
        readinessProbe=http_probe("/readyz", API_PORT, delay_s=1, period_s=10, timeout_s=3),
        volumeMounts=[
            _SOCKETS,
            senders.mount(),
            {"name": "api-token", "mountPath": _TOKEN_PATH, "readOnly": True},
        ],
    )


def _volumes() -> list[Manifest]:
    host = {"host-procfs": "/proc", "host-cgroup": "/sys/fs/cgroup", "host-sys": "/sys"}
    return [
        *({"name": name, "hostPath": {"path": path, "type": ""}} for name, path in host.items()),
        {"name": "nettap-shared", "emptyDir": {"sizeLimit": "256Mi"}},
        senders.identity_volume(),
        _token(),
    ]


def _token() -> Manifest:
    """Return what `automountServiceAccountToken` would mount, as a volume that one container alone can take."""
    token = {"path": "token", "expirationSeconds": 3607}
    root = {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}
    field = {"apiVersion": "v1", "fieldPath": "metadata.namespace"}
    return {
        "name": "api-token",
        "projected": {
            "defaultMode": 0o444,
            "sources": [
                {"serviceAccountToken": token},
                {"configMap": root},
                {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": field}]}},
            ],
        },
    }


def _affinity(values: Values) -> Manifest:
    """Return where it can run at all; it tolerates every taint, so nodes that are none are ruled out by label."""
    expressions: list[dict[str, Any]] = [
        {"key": "kubernetes.io/arch", "operator": "In", "values": ["amd64", "arm64"]},
        {"key": "kubernetes.io/os", "operator": "NotIn", "values": ["windows"]},
    ]
    if values.cloud_provider == "aws":
        fargate = {"key": "eks.amazonaws.com/compute-type", "operator": "NotIn", "values": ["fargate"]}
        expressions.insert(0, fargate)
    if values.cloud_provider == "azure":
        expressions.insert(0, {"key": "type", "operator": "NotIn", "values": ["virtual-kubelet"]})
    terms = [{"matchExpressions": expressions}]
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}


def _service(values: Values) -> Manifest:
    return service(values, NAME, [{"name": API, "port": 80, "targetPort": API_PORT}], internalTrafficPolicy="Local")


COMPONENT = Component(name=NAME, chart="nettap", enabled=enabled, identity=identity, managed=managed)
