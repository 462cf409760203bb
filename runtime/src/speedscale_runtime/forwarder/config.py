"""The forwarder's settings: one frozen object, parsed once from the environment.

The schema `settings/forwarder` holds names, units and reasons of the defaults. Nothing else reads the environment.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speedscale_runtime import home as homes
from speedscale_runtime.cloud.target import Target, target_of
from speedscale_schemas import settings
from speedscale_schemas.errors import ConfigError

from .exporter_specs import ExporterSpec, Parser, kind_of


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the forwarder is told."""

    log_level: str
    host: str
    port: int
    token_file: str
    tls_cert_file: str
    tls_key_file: str
    max_batch_bytes: int
    max_inflight_bytes: int
    metrics_host: str
    metrics_port: int
    status_file: str
    home: Path
    filter_rule: str
    dlp_config: str  # empty when redaction is turned off
    dlp_key_path: str
    rule_reload_s: float
    cluster: str
    spool_dir: Path
    spool_max_bytes: int
    spool_segment_bytes: int
    spool_fsync: str
    spool_commit_window_s: float
    spool_max_age_s: float
    exporter_max_lag_bytes: int
    exporter_max_lag_s: float
    drain_timeout_s: float
    exporters: tuple[ExporterSpec, ...]


def parse(environ: Mapping[str, str]) -> Settings:
    """Return the settings; raise ConfigError with every problem found."""
    v = settings.parse("forwarder", environ)
    problems: list[str] = []
    home = homes.folder(v)
    specs = v["EXPORTERS"] or {"recording": {"type": "files"}}
    parser = Parser(home, environ, problems)
    exporters = tuple(
        parser.parse(name, spec, _backend(name, spec, v, problems) if kind_of(spec) == "backend" else None)
        for name, spec in sorted(specs.items())
    )
    _listening(v, problems)
    if v["SPOOL_SEGMENT_BYTES"] * 2 > v["SPOOL_MAX_BYTES"]:
        problems.append(
            f"environment: SPOOL_SEGMENT_BYTES: {v['SPOOL_SEGMENT_BYTES']}: at least two segments must fit into"
            f" SPOOL_MAX_BYTES ({v['SPOOL_MAX_BYTES']})"
        )
    if problems:
        raise ConfigError(problems)
    return Settings(
        log_level=v["LOG_LEVEL"],
        host=v["FORWARDER_HOST"],
        port=v["FORWARDER_PORT"],
        token_file=v["FORWARDER_TOKEN_FILE"],
        tls_cert_file=v["FORWARDER_TLS_CERT_FILE"],
        tls_key_file=v["FORWARDER_TLS_KEY_FILE"],
        max_batch_bytes=v["FORWARDER_MAX_BATCH_BYTES"],
        max_inflight_bytes=v["FORWARDER_MAX_INFLIGHT_BYTES"],
        metrics_host=v["METRICS_HOST"],
        metrics_port=v["METRICS_HTTP_PORT"],
        status_file=v["STATUS_FILE"],
        home=home,
        filter_rule=v["SPEEDSCALE_FILTER_RULE"],
        dlp_config=v["SPEEDSCALE_DLP_CONFIG"] if v["WITH_DLP"] else "",
        dlp_key_path=v["DLP_KEY_PATH"],
        rule_reload_s=float(v["RULE_RELOAD_S"]),
        cluster=v["CLUSTER_NAME"],
        spool_dir=Path(v["SPOOL_DIR"]).expanduser() if v["SPOOL_DIR"] else home / "spool",
        spool_max_bytes=v["SPOOL_MAX_BYTES"],
        spool_segment_bytes=v["SPOOL_SEGMENT_BYTES"],
        spool_fsync=v["SPOOL_FSYNC"],
        spool_commit_window_s=v["SPOOL_COMMIT_WINDOW_MS"] / 1000,
        spool_max_age_s=float(v["SPOOL_MAX_AGE_S"]),
        exporter_max_lag_bytes=v["EXPORTER_MAX_LAG_BYTES"] or v["SPOOL_MAX_BYTES"] // 2,
        exporter_max_lag_s=float(v["EXPORTER_MAX_LAG_S"]),
        drain_timeout_s=float(v["DRAIN_TIMEOUT_S"]),
        exporters=exporters,
    )


def _listening(v: Mapping[str, Any], problems: list[str]) -> None:
    cert, key = v["FORWARDER_TLS_CERT_FILE"], v["FORWARDER_TLS_KEY_FILE"]
    if bool(cert) != bool(key):
        problems.append("environment: FORWARDER_TLS_CERT_FILE and FORWARDER_TLS_KEY_FILE: set both or none")
    problems += [
        f"environment: {name}: {v[name]!r}: cannot be read; check that it is mounted"
        for name in ("FORWARDER_TLS_CERT_FILE", "FORWARDER_TLS_KEY_FILE", "FORWARDER_TOKEN_FILE", "DLP_KEY_PATH")
        if v[name] and not os.access(v[name], os.R_OK)
    ]
    try:
        ipaddress.ip_address(v["FORWARDER_HOST"])
    except ValueError:
        problems.append(f"environment: FORWARDER_HOST: {v['FORWARDER_HOST']!r}: expected an IP address")


def _backend(name: str, spec: Mapping[str, Any], v: Mapping[str, Any], problems: list[str]) -> Target | None:
    """Return the backend of the environment; one that is not named is a problem."""
    place = f"environment: EXPORTERS.{name}"
    try:
        found = target_of(
            v["SPEEDSCALE_APP_URL"],
            v["SPEEDSCALE_API_KEY"],
            v["BACKEND_CA_FILE"],
            key_file=v["SPEEDSCALE_API_KEY_FILE"],
            timeout_s=float(spec.get("timeout_s", 10)),
        )
    except ConfigError as error:
        problems += [f"{place}: {problem}" for problem in error.problems]
        return None
    if found is None:
        problems.append(f"{place}: SPEEDSCALE_APP_URL: missing; this exporter sends to the backend that it names")
    return found
