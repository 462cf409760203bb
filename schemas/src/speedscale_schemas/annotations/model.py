"""What a row of the table is, what a problem is, and what parsing yields.

Called by everything in this package and by its users: injection in the controller, linting, the typed annotations
of the construct library. Pure data: no reading of texts here (`values`), no rules (`rules`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from .values import ValueType

SIDECAR = "sidecar.speedscale.com"
OPERATOR = "operator.speedscale.com"
CAPTURE = "capture.speedscale.com"
REPLAY = "replay.speedscale.com"
PREFIXES = (SIDECAR, OPERATOR, CAPTURE, REPLAY)

WORKLOAD_KINDS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "Rollout", "Pod")
"""Kinds whose own metadata bears annotations that a user sets."""

ProxyType = Literal["transparent", "reverse", "forward", "dual"]
Severity = Literal["error", "warning"]
Method = Literal["sidecar", "nettap", "none"]


@dataclass(frozen=True, slots=True)
class Annotation:
    """One row of the table.

    `default` is the text that an absent annotation stands for, None when it stands for nothing. `proxy_types` are
    those it has an effect with, empty for all. `needs` says in words what it presupposes. `instead` is the full name
    of the annotation that replaces a deprecated one.
    """

    prefix: str
    name: str
    type: ValueType
    default: str | None
    meaning: str
    set_by: Literal["user", "operator"] = "user"
    proxy_types: tuple[ProxyType, ...] = ()
    needs: str = ""
    instead: str = ""
    stands_on: str = "workload"

    @property
    def full_name(self) -> str:
        """Return prefix and name, as it stands in a manifest."""
        return f"{self.prefix}/{self.name}"

    @property
    def field(self) -> str:
        """Return the name of the field in `Sidecar`, `Capture`, `Operator` or `Replay`."""
        return self.name.replace("-", "_")


class Code(StrEnum):
    """Why something is a problem; a linter's rules and a metric's labels are made of it."""

    UNKNOWN = "unknown"
    VALUE = "value"
    NOT_A_STRING = "not-a-string"
    WRONG_OBJECT = "wrong-object"
    BOTH_METHODS = "both-methods"
    CONFLICT = "conflict"
    NO_EFFECT = "no-effect"
    DEPRECATED = "deprecated"
    DESTRUCTIVE = "destructive"
    UNSUPPORTED = "unsupported"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong with one annotation, and what would be right.

    `value` is what stands there (cut), `accepted` what could, `nearest` the nearest known name or word, or empty.
    An error means that what the annotation asks for is not done; a warning that it is done otherwise than it reads.
    """

    annotation: str
    code: Code
    value: str
    reason: str
    accepted: str = ""
    nearest: str = ""
    severity: Severity = "error"

    def __str__(self) -> str:
        accepted = f"; accepted: {self.accepted}" if self.accepted else ""
        nearest = f"; did you mean {self.nearest}?" if self.nearest else ""
        value = f"{self.value} " if self.value else ""
        return f"{self.annotation}: {value}{self.reason}{accepted}{nearest}"


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A TLS key pair: two files in a Secret, or two full paths in the container when `secret` is None."""

    secret: str | None
    private: str
    public: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sidecar:
    """The settings of the sidecar; a field is a row of the table with prefix `sidecar.speedscale.com`."""

    inject: bool
    insert_init_first: bool
    capture_mode: str
    capture_node_traffic: bool
    host_resolution: str
    prometheus_port: int | None
    prometheus_enable_scrape_annotations: bool
    proxy_type: ProxyType
    proxy_protocol: str
    proxy_host: str
    proxy_port: int
    proxy_in_port: int
    proxy_out_port: int
    tls_out: bool
    tls_java_tool_options: bool
    tls_java_tool_options_value: str | None
    tls_in_secret: str | None
    tls_in_private: str
    tls_in_public: str
    tls_mutual_secret: str | None
    tls_mutual_private: str
    tls_mutual_public: str
    ignore_src_ips: tuple[str, ...]
    ignore_dst_ips: tuple[str, ...]
    ignore_src_hosts: tuple[str, ...]
    ignore_dst_hosts: tuple[str, ...]
    ignore_inbound_ports: tuple[int, ...]
    ignore_outbound_ports: tuple[int, ...]
    ignore_loopback: bool
    track_loopback: bool
    cpu_request: str
    cpu_limit: str | None
    memory_request: str
    memory_limit: str | None
    ephemeral_storage_request: str | None
    ephemeral_storage_limit: str | None
    kube_api_support: bool
    istio_cni: bool
    extra_container_env_vars: tuple[tuple[str, str], ...]
    mount_known_ca: bool
    diagnostics: bool

    @property
    def tls_in(self) -> KeyPair | None:
        """Return the key pair that inbound TLS is unwrapped with, None when it is not."""
        return _pair(self.tls_in_secret, self.tls_in_private, self.tls_in_public)

    @property
    def tls_mutual(self) -> KeyPair | None:
        """Return the client certificate towards upstreams, None when there is none."""
        return _pair(self.tls_mutual_secret, self.tls_mutual_private, self.tls_mutual_public)

    @property
    def listens_inbound(self) -> bool:
        """Return whether the sidecar listens on `proxy_in_port`."""
        return self.proxy_type != "forward"

    @property
    def listens_outbound(self) -> bool:
        """Return whether the sidecar listens on `proxy_out_port`."""
        return self.proxy_type != "reverse"


def _pair(secret: str | None, private: str, public: str) -> KeyPair | None:
    if secret is not None or (private.startswith("/") and public.startswith("/")):
        return KeyPair(secret, private, public)
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """Capture through nettap (eBPF); prefix `capture.speedscale.com`. `enabled` is None where nothing is said."""

    enabled: bool | None
    ignore_ports: tuple[int, ...]
    java_agent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """What user and operator say to each other; prefix `operator.speedscale.com`."""

    ignore: bool
    sut: bool
    managed_by: str | None
    namespace: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """A replay that annotations ask for; prefix `replay.speedscale.com`. Without `snapshot_id` there is none."""

    snapshot_id: str | None
    testconfig_id: str
    build_tag: str | None
    mode: str
    timeout: str | None
    cleanup: str
    secrets: tuple[str, ...]
    sut_url: str | None
    env_id: str | None
    report_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """All settings of one workload, defaults filled in, and what is wrong with its annotations.

    `given` are the full names that the workload itself sets to acceptable values. A field whose annotation is refused
    has its default, which nothing may act on: ask `method` and `replays`, which know of the refusal.
    """

    kind: str
    sidecar: Sidecar
    capture: Capture
    operator: Operator
    replay: Replay
    given: frozenset[str]
    problems: tuple[Problem, ...] = field(default=())

    @property
    def errors(self) -> tuple[Problem, ...]:
        """Return the problems that keep something from being done."""
        return tuple(p for p in self.problems if p.severity == "error")

    @property
    def method(self) -> Method:
        """Return how the workload's traffic is captured; `none` when it asks for nothing, or for something refused."""
        refused = any(not p.annotation.startswith(f"{REPLAY}/") for p in self.errors)
        if refused or self.operator.ignore:
            return "none"
        if self.sidecar.inject:
            return "sidecar"
        return "nettap" if self.capture.enabled else "none"

    @property
    def replays(self) -> bool:
        """Return whether the annotations start a replay."""
        refused = any(p.annotation.startswith((f"{REPLAY}/", f"{OPERATOR}/")) for p in self.errors)
        return self.replay.snapshot_id is not None and not refused and not self.operator.ignore
