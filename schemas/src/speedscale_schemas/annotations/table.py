"""The one table of annotations: all four prefixes, every name, its values, default, meaning and conditions.

Called by `parse`, by the linter, by the reference page and by the test that holds the typed annotations of the
construct library against it. Data only. Sources: the vendor's annotation reference and replay guides; where those are
silent, the choice is ours.
"""

from __future__ import annotations

from . import quantities as q
from . import values as v
from .model import CAPTURE, OPERATOR, PREFIXES, REPLAY, SIDECAR, Annotation, ProxyType

_TRANSPARENT: tuple[ProxyType, ...] = ("transparent",)
_INBOUND: tuple[ProxyType, ...] = ("reverse", "dual")
_EXPLICIT: tuple[ProxyType, ...] = ("reverse", "forward", "dual")
_TLS_OUT = "tls-out"
_TLS_IN = "tls-in-secret, or full paths for both files"
_TLS_MUTUAL = "tls-mutual-secret, or full paths for both files"
_SNAPSHOT = "snapshot-id"


def _sidecar(
    name: str,
    type: v.ValueType,
    default: str | None,
    meaning: str,
    proxy_types: tuple[ProxyType, ...] = (),
    needs: str = "",
) -> Annotation:
    return Annotation(SIDECAR, name, type, default, meaning, proxy_types=proxy_types, needs=needs)


_SIDECAR = (
    _sidecar(
        "inject", v.BOOLEAN, "false", "Add the sidecar; false, or taking the annotation away, takes it out again."
    ),
    _sidecar("insert-init-first", v.BOOLEAN, "false", "Put our init container before the workload's own."),
    _sidecar("capture-mode", v.choice("proxy"), "proxy", "The only mode."),
    _sidecar(
        "capture-node-traffic",
        v.BOOLEAN,
        "false",
        "Also capture inbound traffic that comes from the pod's node, such as probes.",
        _TRANSPARENT,
    ),
    _sidecar(
        "host-resolution",
        v.choice("smart", "standard", "none"),
        "smart",
        "Where names for IP addresses come from: observed DNS answers, PTR look-ups, or nowhere.",
    ),
    _sidecar("prometheus-port", v.PORT, None, "Container port that the sidecar shows its metrics on."),
    _sidecar("prometheus-enable-scrape-annotations", v.BOOLEAN, "false", "Add prometheus.io annotations to the pod."),
    _sidecar(
        "proxy-type",
        v.choice("transparent", "reverse", "forward", "dual"),
        "transparent",
        "How traffic reaches the sidecar: redirected, or sent to it as to a reverse proxy, a forward proxy, or both.",
    ),
    _sidecar(
        "proxy-protocol",
        v.choice("http", "tcp", "socks", "tcp:http", "tcp:socks"),
        "http",
        "What clients speak to the sidecar. tcp is for reverse only, tcp:http and tcp:socks for dual only.",
        _EXPLICIT,
    ),
    _sidecar("proxy-host", v.HOST, "localhost", "Where inbound traffic is forwarded to.", _INBOUND),
    _sidecar("proxy-port", v.PORT, "80", "Port that inbound traffic is forwarded to.", _INBOUND),
    _sidecar("proxy-in-port", v.PORT, "4143", "Port of the inbound listener.", ("transparent", "reverse", "dual")),
    _sidecar("proxy-out-port", v.PORT, "4140", "Port of the outbound listener.", ("transparent", "forward", "dual")),
    _sidecar(
        "tls-out",
        v.BOOLEAN,
        "false",
        "Unwrap outbound TLS, with certificates made per server name under the cluster's CA.",
    ),
    _sidecar(
        "tls-java-tool-options",
        v.BOOLEAN,
        "false",
        "Add JAVA_TOOL_OPTIONS with the trust store to the workload's containers.",
        needs=_TLS_OUT,
    ),
    _sidecar(
        "tls-java-tool-options-value",
        v.TEXT,
        None,
        "The whole value of JAVA_TOOL_OPTIONS; wins over tls-java-tool-options.",
    ),
    _sidecar("tls-in-secret", v.SECRET, None, "Unwrap inbound TLS with the key pair in this Secret."),
    _sidecar("tls-in-private", v.FILE, "tls.key", "File of the private key for inbound TLS.", needs=_TLS_IN),
    _sidecar("tls-in-public", v.FILE, "tls.crt", "File of the certificate for inbound TLS.", needs=_TLS_IN),
    _sidecar("tls-mutual-secret", v.SECRET, None, "Client certificate towards upstreams that ask for one."),
    _sidecar("tls-mutual-private", v.FILE, "tls.key", "File of the client's private key.", needs=_TLS_MUTUAL),
    _sidecar("tls-mutual-public", v.FILE, "tls.crt", "File of the client's certificate.", needs=_TLS_MUTUAL),
    _sidecar("ignore-src-ips", v.NETWORKS, None, "Inbound traffic from these bypasses the sidecar.", _TRANSPARENT),
    _sidecar("ignore-dst-ips", v.NETWORKS, None, "Outbound traffic to these bypasses the sidecar.", _TRANSPARENT),
    _sidecar(
        "ignore-src-hosts",
        v.HOSTS,
        None,
        "Inbound traffic from these bypasses the sidecar; resolved once, when the pod starts.",
        _TRANSPARENT,
    ),
    _sidecar(
        "ignore-dst-hosts",
        v.HOSTS,
        None,
        "Outbound traffic to these bypasses the sidecar; resolved once, when the pod starts.",
        _TRANSPARENT,
    ),
    _sidecar(
        "ignore-inbound-ports", v.PORTS, None, "Inbound traffic to these ports bypasses the sidecar.", _TRANSPARENT
    ),
    _sidecar(
        "ignore-outbound-ports", v.PORTS, None, "Outbound traffic to these ports bypasses the sidecar.", _TRANSPARENT
    ),
    _sidecar(
        "ignore-loopback", v.BOOLEAN, "false", "Leave loopback traffic out, port forwarding included.", _TRANSPARENT
    ),
    _sidecar(
        "track-loopback",
        v.BOOLEAN,
        "false",
        "Send outbound traffic on lo to the inbound listener, so that port forwarding is seen.",
        _TRANSPARENT,
    ),
    _sidecar("cpu-request", q.CPU, "10m", "CPU that is reserved for the sidecar."),
    _sidecar("cpu-limit", q.CPU, None, "CPU that the sidecar may use at most."),
    _sidecar("memory-request", q.BYTES, "32Mi", "Memory that is reserved for the sidecar."),
    _sidecar("memory-limit", q.BYTES, None, "Memory that the sidecar may use at most."),
    _sidecar("ephemeral-storage-request", q.BYTES, None, "Local storage that is reserved for the sidecar."),
    _sidecar("ephemeral-storage-limit", q.BYTES, None, "Local storage that the sidecar may use at most."),
    _sidecar(
        "kube-api-support", v.BOOLEAN, "false", "Capture the workload's calls to the Kubernetes API.", needs=_TLS_OUT
    ),
    _sidecar("istio-cni", v.BOOLEAN, "false", "The cluster uses Istio's CNI agent."),
    _sidecar(
        "extra-container-env-vars", v.VARIABLES, None, "Environment variables for the workload's other containers."
    ),
    _sidecar("mount-known-ca", v.BOOLEAN, "false", "Mount the CA where trust stores are usually found."),
    _sidecar("diagnostics", v.BOOLEAN, "false", "Verbose logs, and packet captures under /diagnostics."),
    Annotation(
        SIDECAR,
        "injected",
        v.BOOLEAN,
        None,
        "The sidecar is in; a label as well.",
        "operator",
        stands_on="workload, pod",
    ),
    Annotation(
        SIDECAR, "tls-secret", v.SECRET, None, "Older name of tls-in-secret.", instead=f"{SIDECAR}/tls-in-secret"
    ),
)

_OPERATOR = (
    Annotation(
        OPERATOR, "ignore", v.BOOLEAN, "false", "Never touch this workload, nor revert what was done to it by hand."
    ),
    Annotation(OPERATOR, "sut", v.BOOLEAN, "false", "It has a sidecar or a running replay.", "operator"),
    Annotation(
        OPERATOR,
        "managed-by",
        v.LINE,
        None,
        "INSTANCE_ID of the operator that manages it; keeps two operators apart.",
        "operator",
        stands_on="workload, TrafficReplay",
    ),
    Annotation(
        OPERATOR,
        "namespace",
        v.SECRET,
        None,
        "Namespace of the operator that manages it.",
        "operator",
        stands_on="workload, TrafficReplay",
    ),
)

_CAPTURE = (
    Annotation(CAPTURE, "enabled", v.BOOLEAN, None, "Capture with nettap, without a sidecar; false keeps nettap off."),
    Annotation(
        CAPTURE,
        "ignore-ports",
        v.PORTS,
        None,
        "Ports that nettap leaves out, whichever end has them; at most 16.",
    ),
    Annotation(
        CAPTURE,
        "java-agent",
        v.BOOLEAN,
        "false",
        "An agent that sees a JVM's TLS: none exists yet, true is refused.",
    ),
)

_REPLAY = (
    Annotation(REPLAY, "snapshot-id", v.ID, None, "Start a replay of this snapshot against the workload."),
    Annotation(REPLAY, "testconfig-id", v.ID, "standard", "Test config of the replay.", needs=_SNAPSHOT),
    Annotation(REPLAY, "build-tag", v.LINE, None, "Name of the build, shown in the report.", needs=_SNAPSHOT),
    Annotation(
        REPLAY,
        "mode",
        v.choice("full-replay", "responder-only", "generator-only"),
        "full-replay",
        "Tests and mocks, only mocks, or only tests.",
        needs=_SNAPSHOT,
    ),
    Annotation(REPLAY, "timeout", v.DURATION, None, "How long the tests may take.", needs=_SNAPSHOT),
    Annotation(
        REPLAY,
        "cleanup",
        v.choice("inventory", "all", "none"),
        "inventory",
        "What is removed at the end: what the replay made, the workload as well, or nothing.",
        needs=_SNAPSHOT,
    ),
    Annotation(REPLAY, "secrets", v.SECRETS, None, "Secrets that the snapshot's transforms use.", needs=_SNAPSHOT),
    Annotation(REPLAY, "sut-url", v.URL, None, "Send the tests there, not to the workload.", needs=_SNAPSHOT),
    Annotation(
        REPLAY, "env-id", v.ID, None, "TrafficReplay that runs; a label as well.", "operator", stands_on="workload, pod"
    ),
    Annotation(REPLAY, "report-id", v.ID, None, "Report of that replay.", "operator", stands_on="workload, pod"),
)

TABLE: tuple[Annotation, ...] = (*_SIDECAR, *_OPERATOR, *_CAPTURE, *_REPLAY)
BY_NAME: dict[str, Annotation] = {row.full_name: row for row in TABLE}

OTHER_PREFIXES = ("controlplane.speedscale.com",)
"""Prefixes of our own objects' labels and annotations, which no user sets and nobody judges."""

LABELS = frozenset(
    {
        f"{SIDECAR}/injected",
        f"{OPERATOR}/sut",
        f"{REPLAY}/env-id",
        f"{REPLAY}/component",
    }
)
"""Names under the four prefixes that are labels, set by the operator."""


def rows(prefix: str, *, settable: bool = False) -> tuple[Annotation, ...]:
    """Return a prefix's rows in order; with `settable` only those that a user should set today."""
    if prefix not in PREFIXES:
        raise KeyError(f"no prefix {prefix!r}; there are {', '.join(PREFIXES)}")
    found = (row for row in TABLE if row.prefix == prefix)
    return tuple(row for row in found if not settable or (row.set_by == "user" and not row.instead))
