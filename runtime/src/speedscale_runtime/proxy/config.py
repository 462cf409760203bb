"""The proxy's settings: one frozen object, parsed once from the environment, handed on as JSON.

`parse` runs in the short-lived first process; the schema library it needs costs more memory than the supervisor
may have, so supervisor and worker read the JSON of the parsed settings (`to_json`, `from_json`).
"""

from __future__ import annotations

import ipaddress
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from speedscale_runtime import home as homes
from speedscale_runtime.recording.config import ForwarderTarget, Identity, forwarder
from speedscale_schemas.errors import ConfigError

POD_SPILL_BYTES = 64 * 1024 * 1024
POD_DRAIN_S = 20.0  # of the 30 s that a pod has by default: time is left to flush


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the proxy is told; units are in the names, ranges in the schema `settings/goproxy`.

    `out_host` may name several addresses, separated by commas; `kube_api` is host:port, ":443" outside of a cluster.
    """

    log_level: str
    identity: Identity
    forwarder: ForwarderTarget
    proxy_type: str
    proxy_protocol: str
    in_host: str
    in_port: int
    out_host: str
    out_port: int
    reverse_host: str
    reverse_port: int
    health_host: str
    health_port: int
    metrics_port: int
    batch_max_bytes: int
    batch_linger_s: float
    queue_max_bytes: int
    spill_max_bytes: int
    spill_dir: str
    max_body_bytes: int
    max_head_bytes: int
    tls_out: bool
    tls_cert_dir: str
    tls_home: str
    tls_out_ca_file: str
    tls_on_reject: str
    tls_in: bool
    tls_in_certificate: str
    tls_in_key: str
    tls_mutual_certificate: str
    tls_mutual_key: str
    kube_api_support: bool
    kube_api: str
    host_resolution: str
    diagnostics_dir: str
    connect_timeout_s: float
    drain_until: str
    drain_timeout_s: float
    drain_quiet_s: float
    flush_timeout_s: float
    status_file: str
    stats_file: str

    def to_json(self) -> str:
        """Return the settings for `from_json` in another process of ours."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """Return what `to_json` was given."""
        data: dict[str, Any] = json.loads(text)
        data["identity"] = Identity(**data["identity"])
        data["forwarder"] = ForwarderTarget(**data["forwarder"])
        return cls(**data)


def parse(environ: Mapping[str, str]) -> Settings:
    """Return the settings; raise ConfigError with every problem found."""
    from speedscale_schemas import settings

    v = settings.parse("goproxy", environ)
    problems = [
        f"environment: {name}: {v[name]!r}: expected an IP address such as 127.0.0.1 or ::"
        for name in ("PROXY_IN_HOST", "PROXY_OUT_HOST", "HEALTH_HOST")
        if v[name] and not _is_ip(v[name])
    ]
    if v["SPILL_DIR"] and not os.access(v["SPILL_DIR"], os.W_OK | os.X_OK):
        problems.append(f"environment: SPILL_DIR: {v['SPILL_DIR']!r}: is no folder that can be written to")
    problems += [
        f"environment: {switch}: needs {name}, the path of a PEM file; it may come later than this process"
        for switch, wanted, name in (
            ("TLS_IN_UNWRAP", v["TLS_IN_UNWRAP"], "TLS_IN_PUBLIC_KEY"),
            ("TLS_IN_UNWRAP", v["TLS_IN_UNWRAP"], "TLS_IN_PRIVATE_KEY"),
            ("TLS_MUTUAL_PUBLIC_KEY", v["TLS_MUTUAL_PUBLIC_KEY"], "TLS_MUTUAL_PRIVATE_KEY"),
            ("TLS_MUTUAL_PRIVATE_KEY", v["TLS_MUTUAL_PRIVATE_KEY"], "TLS_MUTUAL_PUBLIC_KEY"),
        )
        if wanted and not v[name]
    ]
    target = forwarder(v, problems)
    if problems:
        raise ConfigError(problems)
    assert target is not None
    metrics = v["METRICS_HTTP_PORT"] if v["METRICS_HTTP_ENABLE"] else 0
    in_pod = bool(v["APP_POD_NAME"])
    transparent = v["PROXY_TYPE"] == "transparent"
    every = "::" if ":" in v["STATUS_POD_IP"] else "0.0.0.0"
    outlives = in_pod and v["SIDECAR_RESTART_POLICY"] != "Always"
    until = v["DRAIN_UNTIL"] or ("application" if outlives else "connections")
    return Settings(
        log_level=v["LOG_LEVEL"],
        identity=_identity(v),
        forwarder=target,
        proxy_type=v["PROXY_TYPE"],
        proxy_protocol=v["PROXY_PROTOCOL"],
        in_host=v["PROXY_IN_HOST"] or ("::" if transparent else every),
        in_port=v["PROXY_IN_PORT"],
        out_host=v["PROXY_OUT_HOST"] or ("127.0.0.1,::1" if transparent else "127.0.0.1"),
        out_port=v["PROXY_OUT_PORT"],
        reverse_host=v["REVERSE_PROXY_HOST"],
        reverse_port=v["REVERSE_PROXY_PORT"],
        health_host=v["HEALTH_HOST"] or every,
        health_port=v["HEALTH_PORT"],
        metrics_port=metrics,
        batch_max_bytes=v["BATCH_MAX_BYTES"],
        batch_linger_s=v["BATCH_LINGER_MS"] / 1000,
        # Room for one pair with both bodies at their limit, or such a pair could never be captured.
        queue_max_bytes=max(v["QUEUE_MAX_BYTES"], 2 * v["MAX_BODY_BYTES"] + v["MAX_HEAD_BYTES"])
        if "MAX_BODY_BYTES" in environ
        else v["QUEUE_MAX_BYTES"],
        spill_max_bytes=POD_SPILL_BYTES if in_pod and not environ.get("SPILL_MAX_BYTES") else v["SPILL_MAX_BYTES"],
        spill_dir=v["SPILL_DIR"],
        max_body_bytes=v["MAX_BODY_BYTES"],
        max_head_bytes=v["MAX_HEAD_BYTES"],
        tls_out=v["TLS_OUT_UNWRAP"],
        tls_cert_dir=v["TLS_CERT_DIR"],
        tls_home=str(homes.folder(v)),
        tls_out_ca_file=v["TLS_OUT_CA_FILE"],
        tls_on_reject=v["TLS_ON_REJECT"],
        tls_in=v["TLS_IN_UNWRAP"],
        tls_in_certificate=v["TLS_IN_PUBLIC_KEY"],
        tls_in_key=v["TLS_IN_PRIVATE_KEY"],
        tls_mutual_certificate=v["TLS_MUTUAL_PUBLIC_KEY"],
        tls_mutual_key=v["TLS_MUTUAL_PRIVATE_KEY"],
        kube_api_support=v["KUBE_API_SUPPORT"],
        kube_api=f"{v['KUBERNETES_SERVICE_HOST']}:{v['KUBERNETES_SERVICE_PORT'] or 443}",
        host_resolution=v["HOST_RESOLUTION"],
        diagnostics_dir=v["DIAGNOSTICS_DIR"] if v["DIAGNOSTICS"] else "",
        connect_timeout_s=float(v["CONNECT_TIMEOUT_S"]),
        drain_until=until,
        drain_timeout_s=POD_DRAIN_S
        if until == "application" and not environ.get("DRAIN_TIMEOUT_S")
        else float(v["DRAIN_TIMEOUT_S"]),
        drain_quiet_s=float(v["DRAIN_QUIET_S"]),
        flush_timeout_s=float(v["FLUSH_TIMEOUT_S"]),
        status_file=v["STATUS_FILE"],
        stats_file=v["STATS_FILE"],
    )


def _identity(v: Mapping[str, Any]) -> Identity:
    return Identity(
        service=v["SERVICE_NAME"] or v["APP_LABEL"] or "my-app",
        cluster=v["CLUSTER_NAME"] or "undefined",
        namespace=v["APP_POD_NAMESPACE"] or v["APP_NAMESPACE"] or "undefined",
        app_label=v["APP_LABEL"],
        pod_name=v["APP_POD_NAME"],
        pod_ip=v["STATUS_POD_IP"],
        proxy_id=v["PROXY_ID"] or v["APP_POD_NAME"] or secrets.token_hex(8),
    )


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
