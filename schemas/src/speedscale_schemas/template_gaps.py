"""The table of gaps: everything that a template may leave to the controller.

Read through `templates`, which says how gaps are written and filled; the reference page is made of this table. Data
only: what fills a gap is the controller's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["GAPS", "Gap"]


@dataclass(frozen=True, slots=True)
class Gap:
    """One thing that is known only when the template is used.

    `pattern` is what a string has to be in full. `annotations` are those of `sidecar.speedscale.com` that decide it, by
    their names; without any of them the default of the annotation, or of the values, holds.
    """

    type: str
    description: str
    example: Any
    pattern: str = ""
    optional: bool = False
    annotations: tuple[str, ...] = ()


_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_NAME = r"[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?"
_ID = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}"
_HOST_NAME = r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?"
_PATH = r"|/.*"
_OWNER = {
    "apiVersion": "speedscale.com/v1",
    "kind": "TrafficReplay",
    "name": "abstract-yucca",
    "uid": "6f1d8f0e-3c1c-4b7e-9d57-0a6f5d2f8b11",
    "controller": True,
}

GAPS: Mapping[str, Gap] = {
    # every replay
    "replay_name": Gap(
        "string",
        "Name of the replay's objects: the TrafficReplay's, cut and hashed beyond 40 characters.",
        "abstract-yucca",
        _NAME,
    ),
    "replay_id": Gap(
        "string",
        "UID of the TrafficReplay, by which what it made is found again.",
        "6f1d8f0e-3c1c-4b7e-9d57-0a6f5d2f8b11",
        r"[0-9a-f-]{36}",
    ),
    "namespace": Gap(
        "string", "Namespace of the workload under test; the replay's objects stand in it.", "shop", _LABEL
    ),
    "owner_references": Gap(
        "array",
        "The TrafficReplay as owner, where it stands in the same namespace as the object.",
        [_OWNER],
        optional=True,
    ),
    "report_id": Gap("string", "Id of the report.", "6a0f4bb0-6c1e-4a2e-8a34-7f5a1f0c9d42", _ID),
    "snapshot_id": Gap("string", "Id of the snapshot.", "0b9ad1c7-52a5-5a43-93c1-a6a5a8d4d6b5", _ID),
    "test_config_id": Gap("string", "Name of the test config.", "standard", _ID),
    "test_config": Gap("object", "The test config itself, a copy taken when the replay began.", {"id": "standard"}),
    "build_tag": Gap("string", "Version under test; empty when none was given.", "v1.4.2"),
    "timeout": Gap(
        "string",
        "How long the run may take, as a Go duration; empty means no limit.",
        "30m",
        r"|([0-9]+(\.[0-9]+)?(ms|h|m|s))+",
    ),
    "certs_secret": Gap(
        "string",
        "Secret with the namespace's CA, root and sender token: `speedscale-certs`, in our own namespace"
        " `speedscale-own-certs`.",
        "speedscale-certs",
        _HOST_NAME,
    ),
    "pull_secrets": Gap(
        "array", "Pull Secrets that exist in the namespace.", [{"name": "registry-credentials"}], optional=True
    ),
    "secret_mounts": Gap(
        "array",
        "Where the Secrets that transforms ask for are mounted: /var/lib/speedscale/secrets/<name>, read only.",
        [{"name": "secret-login", "mountPath": "/var/lib/speedscale/secrets/login", "readOnly": True}],
    ),
    "secret_volumes": Gap(
        "array",
        "Volumes of these Secrets, each with exactly the keys that are asked for.",
        [
            {
                "name": "secret-login",
                "secret": {"secretName": "login", "items": [{"key": "password", "path": "password"}]},
            }
        ],
    ),
    "snapshot_volume": Gap(
        "object",
        "Volume named `snapshot` with the snapshot's files.",
        {"name": "snapshot", "configMap": {"name": "snapshot-0b9ad1c7"}},
    ),
    "collector_url": Gap(
        "string",
        "Where generator and responder bring their results, and fetch a snapshot that is no volume; empty without a"
        " collector.",
        "https://speedscale-collector-abstract-yucca.speedscale.svc",
        r"|https://[a-z0-9.-]+",
    ),
    # collector
    "snapshot_source": Gap(
        "string", "Where the collector has the snapshot from that pods ask it for.", "none", r"none|backend"
    ),
    "collector_snapshot_id": Gap(
        "string", "Id of the snapshot, as the backend knows it.", "0b9ad1c7-52a5-5a43-93c1-a6a5a8d4d6b5", _ID
    ),
    "replay_namespaces": Gap(
        "string", "Namespaces of the replay's generator and responders, separated by commas.", "shop,payments"
    ),
    "workload_kind": Gap(
        "string", "Kind of the workload under test; empty for an address.", "Deployment", r"|[A-Z][A-Za-z]*"
    ),
    "workload_name": Gap("string", "Name of the workload under test.", "checkout", rf"|{_HOST_NAME}"),
    "workload_selector": Gap("string", "Label selector of its pods, as kubectl writes it.", "app=checkout"),
    # generator
    "generator_pods": Gap("integer", "Pods of the generator.", 2),
    "generator_completion_mode": Gap(
        "string",
        "`Indexed` where there is more than one pod, else `NonIndexed`.",
        "Indexed",
        r"Indexed|NonIndexed",
    ),
    "generator_deadline_s": Gap(
        "integer",
        "Seconds after which the Job ends whatever it does: the replay's time-out, and what preparing and writing"
        " may take.",
        2100,
        optional=True,
    ),
    "custom_urls": Gap(
        "string", "Where requests go, as the generator's CUSTOM_URL takes it.", "http://checkout.shop.svc:8080"
    ),
    "tests": Gap(
        "string",
        "Which tests are sent, as the generator's TESTS takes it; empty means all.",
        "checkout:checkout.shop.svc:80",
    ),
    "low_data": Gap("string", "Keep counters only; empty leaves it to the test config.", "true", r"|true|false"),
    # responder
    "responder_replicas": Gap("integer", "Pods of the responder.", 1),
    "mocks": Gap(
        "string",
        "What is mocked, as the responder's MOCKS takes it; empty means everything.",
        "host:payments.example.com",
    ),
    "on_miss": Gap(
        "string", "What becomes of a request that no mock answers.", "fail", r"safe|fail|passthrough|record"
    ),
    "service_suffix": Gap(
        "string",
        "Ending of the Services' names: empty, so that they are called as documented, or"
        " `-<replay>` where another replay in the namespace has these names already.",
        "",
        rf"|-{_NAME}",
    ),
    "http_ports": Gap(
        "array",
        "Ports of Service responder-http: each port on which a mocked host speaks plain text; of a host that speaks"
        " both, all. Without any the Service is not made.",
        [{"name": "http-80", "port": 80, "targetPort": "http", "protocol": "TCP"}],
    ),
    "https_ports": Gap(
        "array",
        "Ports of Service responder-https: each port on which a mocked host speaks TLS only. Without any the Service is"
        " not made.",
        [{"name": "https-443", "port": 443, "targetPort": "https", "protocol": "TCP"}],
    ),
    "response_timing": Gap(
        "string", "When answers go out, as the responder's RESPONSE_TIMING takes it.", "none", r"none|recorded|[0-9.]+x"
    ),
    "response_selection": Gap(
        "string",
        "Which of several answers is next.",
        "cycle",
        r"cycle|round-robin|stick|miss|random",
    ),
    "faults": Gap(
        "string", "Faults to inject, as the responder's FAULTS takes them; empty means none.", "/pay:rate=1/3"
    ),
    # sidecar
    "app_label": Gap("string", "The workload's `app` label, else its name.", "checkout"),
    "proxy_type": Gap(
        "string",
        "How traffic reaches the proxy.",
        "dual",
        r"transparent|reverse|forward|dual",
        annotations=("proxy-type",),
    ),
    "proxy_protocol": Gap(
        "string",
        "What clients speak to the proxy.",
        "tcp:http",
        r"http|tcp|socks|tcp:http|tcp:socks",
        annotations=("proxy-protocol",),
    ),
    "proxy_host": Gap(
        "string",
        "Where a reverse or dual proxy sends inbound traffic.",
        "localhost",
        r"\S+",
        annotations=("proxy-host",),
    ),
    "proxy_port": Gap("integer", "Its port.", 8080, annotations=("proxy-port",)),
    "proxy_in_port": Gap("integer", "Port of the inbound listener.", 4143, annotations=("proxy-in-port",)),
    "proxy_out_port": Gap("integer", "Port of the outbound listener.", 4140, annotations=("proxy-out-port",)),
    "metrics_port": Gap("integer", "Port of the sidecar's metrics.", 4145, annotations=("prometheus-port",)),
    "host_resolution": Gap(
        "string", "Names for IP addresses.", "smart", r"smart|standard|none", annotations=("host-resolution",)
    ),
    "kube_api_support": Gap(
        "boolean", "Capture calls to the Kubernetes API.", False, annotations=("kube-api-support",)
    ),
    "istio_cni": Gap("boolean", "The cluster uses the Istio CNI agent.", False, annotations=("istio-cni",)),
    "tls_out": Gap("boolean", "Unwrap outbound TLS.", True, annotations=("tls-out",)),
    "tls_in": Gap(
        "boolean", "Unwrap inbound TLS.", False, annotations=("tls-in-secret", "tls-in-private", "tls-in-public")
    ),
    "tls_in_public": Gap(
        "string",
        "Path of the certificate for inbound TLS; empty without it.",
        "/etc/ssl/speedscale-in/tls.crt",
        _PATH,
        annotations=("tls-in-secret", "tls-in-public"),
    ),
    "tls_in_private": Gap(
        "string",
        "Path of its key.",
        "/etc/ssl/speedscale-in/tls.key",
        _PATH,
        annotations=("tls-in-secret", "tls-in-private"),
    ),
    "tls_mutual_public": Gap(
        "string",
        "Path of the client certificate towards upstreams; empty without one.",
        "/etc/ssl/speedscale-mutual/tls.crt",
        _PATH,
        annotations=("tls-mutual-secret", "tls-mutual-public"),
    ),
    "tls_mutual_private": Gap(
        "string",
        "Path of its key.",
        "/etc/ssl/speedscale-mutual/tls.key",
        _PATH,
        annotations=("tls-mutual-secret", "tls-mutual-private"),
    ),
    "certificate_mounts": Gap(
        "array",
        "Where the workload's own key pairs are mounted in the sidecar.",
        [{"name": "speedscale-tls-in", "mountPath": "/etc/ssl/speedscale-in", "readOnly": True}],
        annotations=("tls-in-secret", "tls-mutual-secret"),
    ),
    "certificate_volumes": Gap(
        "array",
        "Volumes of these key pairs.",
        [{"name": "speedscale-tls-in", "secret": {"secretName": "checkout-tls"}}],
        annotations=("tls-in-secret", "tls-mutual-secret"),
    ),
    "java_trust_source": Gap(
        "object",
        "Java's trust store beside the bundle, where the workload asks for it.",
        {"secret": {"name": "speedscale-jks", "items": [{"key": "cacerts.jks", "path": "jks/cacerts.jks"}]}},
        optional=True,
    ),
    "sidecar_resources": Gap(
        "object",
        "Requests and limits: the values' and the workload's annotations over them.",
        {"requests": {"cpu": "10m", "memory": "32Mi"}},
        annotations=(
            "cpu-request",
            "cpu-limit",
            "memory-request",
            "memory-limit",
            "ephemeral-storage-request",
            "ephemeral-storage-limit",
        ),
    ),
    "sidecar_log_level": Gap("string", "Log level; `debug` with diagnostics.", "info", r"trace|debug|info|warn|error"),
    "diagnostics": Gap(
        "boolean", "Verbose logs and packet captures under /diagnostics.", False, annotations=("diagnostics",)
    ),
    "sidecar_restart_policy": Gap(
        "string", "`Always` where the sidecar is a restartable init container.", "Always", "Always", optional=True
    ),
    "capture_rules": Gap(
        "object",
        "What meets the proxy and what bypasses it: ignoreSrcIps, ignoreDstIps, ignoreSrcHosts, ignoreDstHosts,"
        " ignoreInboundPorts, ignoreOutboundPorts (lists), ignoreLoopback, trackLoopback, nodeTraffic (booleans).",
        {"ignoreDstIps": ["10.0.0.0/8"], "ignoreInboundPorts": [9090], "nodeTraffic": False},
        annotations=(
            "ignore-src-ips",
            "ignore-dst-ips",
            "ignore-src-hosts",
            "ignore-dst-hosts",
            "ignore-inbound-ports",
            "ignore-outbound-ports",
            "ignore-loopback",
            "track-loopback",
            "capture-node-traffic",
        ),
    ),
    "mesh": Gap(
        "string",
        "Service mesh that the pods will be in: its rules may be written after ours, and order decides who meets whom.",
        "istio",
        r"none|istio|istio-ambient|linkerd",
    ),
    "responder_routes": Gap(
        "object",
        "What is sent to the responder (routing nat): host:port by host:port.",
        {"payments.example.com:443": "10.96.12.7:443"},
    ),
}
