"""The ingest's settings: one frozen object, parsed once from the environment, handed on as JSON.

`parse` runs in a first process that ends; the schema library it needs costs more memory than the ingest may have, so
that reads the JSON of the parsed settings (`to_json`, `from_json`), as the sidecar does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from speedscale_runtime.recording.config import ForwarderTarget, forwarder
from speedscale_schemas.errors import ConfigError

from .roster import Fixed

SERVICE = "nettap-ingest"


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the ingest is told; units are in the names, ranges in the schema `settings/nettap-ingest`."""

    log_level: str
    cluster: str
    node: str
    namespace: str
    namespaces: tuple[str, ...]  # none: all
    kubernetes: bool
    kubeconfig: str
    socket_path: str
    config_map: str
    targets_map: str
    fixed: tuple[Fixed, ...]
    loopback: bool
    node_traffic: bool
    forwarder: ForwarderTarget
    batch_max_bytes: int
    batch_linger_s: float
    queue_max_bytes: int
    max_body_bytes: int
    max_head_bytes: int
    memory_max_bytes: int
    window_max_bytes: int
    sockets_max: int
    idle_s: float
    flush_timeout_s: float
    api_host: str
    api_port: int
    metrics_port: int
    status_file: str

    def to_json(self) -> str:
        """Return the settings for `from_json` in another process of ours."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """Return what `to_json` was given."""
        data: dict[str, Any] = json.loads(text)
        data["forwarder"] = ForwarderTarget(**data["forwarder"])
        data["namespaces"] = tuple(data["namespaces"])
        data["fixed"] = tuple(Fixed(**{**one, "ignore_ports": tuple(one["ignore_ports"])}) for one in data["fixed"])
        return cls(**data)


def parse(environ: Mapping[str, str]) -> Settings:
    """Return the settings; raise ConfigError with every problem found."""
    import ipaddress

    from speedscale_schemas import settings

    v = settings.parse(SERVICE, environ)
    problems: list[str] = []
    target = forwarder(v, problems)
    host = v["API_HOST"] or "0.0.0.0"
    try:
        ipaddress.ip_address(host)
    except ValueError:
        problems.append(f"environment: API_HOST: {host!r}: expected an IP address such as 127.0.0.1 or ::")
    in_cluster = bool(v["KUBERNETES_SERVICE_HOST"] or v["KUBECONFIG"])
    if in_cluster and not v["SPEC_NODENAME"]:
        problems.append("environment: SPEC_NODENAME: missing: the node whose pods are watched")
    if problems:
        raise ConfigError(problems)
    assert target is not None
    return Settings(
        log_level=v["LOG_LEVEL"],
        cluster=v["CLUSTER_NAME"] or "undefined",
        node=v["SPEC_NODENAME"],
        namespace=v["POD_NAMESPACE"],
        namespaces=tuple(v["NAMESPACE_SELECTOR"]),
        kubernetes=in_cluster,
        kubeconfig=v["KUBECONFIG"],
        socket_path=v["NETTAP_SOCKET_PATH"],
        config_map=v["NETTAP_CONFIG_MAP"],
        targets_map=v["NETTAP_CONFIG_MAP_TARGETS"],
        fixed=tuple(_fixed(one) for one in v["NETTAP_CGROUP_TARGETS"]),
        loopback=v["NETTAP_CAPTURE_LOOPBACK"],
        node_traffic=v["NETTAP_CAPTURE_NODE_TRAFFIC"],
        forwarder=target,
        batch_max_bytes=v["BATCH_MAX_BYTES"],
        batch_linger_s=v["BATCH_LINGER_MS"] / 1000,
        queue_max_bytes=max(v["QUEUE_MAX_BYTES"], 2 * v["MAX_BODY_BYTES"] + v["MAX_HEAD_BYTES"]),
        max_body_bytes=v["MAX_BODY_BYTES"],
        max_head_bytes=v["MAX_HEAD_BYTES"],
        memory_max_bytes=v["MEMORY_MAX_BYTES"],
        window_max_bytes=v["WINDOW_MAX_BYTES"],
        sockets_max=v["SOCKETS_MAX"],
        idle_s=float(v["IDLE_S"]),
        flush_timeout_s=float(v["FLUSH_TIMEOUT_S"]),
        api_host=host,
        api_port=v["API_PORT"],
        metrics_port=v["METRICS_HTTP_PORT"],
        status_file=v["STATUS_FILE"],
    )


def _fixed(one: Mapping[str, Any]) -> Fixed:
    return Fixed(one["path"], one["service"], one.get("namespace", ""), tuple(one.get("ignorePorts", ())))
