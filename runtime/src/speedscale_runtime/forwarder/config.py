"""The forwarder's settings: one frozen object, parsed once from the environment.

The schema `settings/forwarder` holds names, units and reasons of the defaults. Nothing else reads the environment.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from speedscale_runtime import home as homes
from speedscale_runtime.cloud.target import Target, target_of
from speedscale_schemas import settings
from speedscale_schemas.errors import ConfigError

GRPC_PORT = 4317
_RECORD_MAX_BYTES = {"files": 4 << 20, "otlp": 4 << 20, "backend": 16 << 20}


@dataclass(frozen=True, slots=True)
class ExporterSpec:
    """One entry of EXPORTERS, defaults filled in; which fields count depends on `kind`."""

    name: str
    kind: str
    filter_rule: str
    dlp_config: str
    path: Path
    format: str
    max_pairs_per_s: float
    endpoint: str
    headers: tuple[tuple[str, str], ...]
    compression: str
    max_record_bytes: int
    timeout_s: float
    target: Target | None


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
    exporter_max_lag_bytes: int
    drain_timeout_s: float
    exporters: tuple[ExporterSpec, ...]


def parse(environ: Mapping[str, str]) -> Settings:
    """Return the settings; raise ConfigError with every problem found."""
    v = settings.parse("forwarder", environ)
    problems: list[str] = []
    home = homes.folder(v)
    specs = v["EXPORTERS"] or {"recording": {"type": "files"}}
    exporters = tuple(_exporter(name, spec, home, v, environ, problems) for name, spec in sorted(specs.items()))
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
        exporter_max_lag_bytes=v["EXPORTER_MAX_LAG_BYTES"] or v["SPOOL_MAX_BYTES"] // 2,
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


def _exporter(
    name: str,
    spec: Mapping[str, Any],
    home: Path,
    v: Mapping[str, Any],
    environ: Mapping[str, str],
    problems: list[str],
) -> ExporterSpec:
    place = f"environment: EXPORTERS.{name}"
    endpoint = str(spec.get("otel_endpoint", ""))
    kind = str(spec.get("type") or ("otlp" if endpoint else "files"))
    if kind == "otlp":
        endpoint = _endpoint(endpoint, place, problems)
    path = str(spec.get("path", ""))
    timeout_s = float(spec.get("timeout_s", 10))
    return ExporterSpec(
        name=name,
        kind=kind,
        filter_rule=str(spec.get("filter_rule", "")),
        dlp_config=str(spec.get("dlp_config_id", "")),
        path=Path(path).expanduser() if path else home / "data" / "recordings" / "forwarder",
        format=str(spec.get("format", "markdown")),
        max_pairs_per_s=float(spec.get("max_pairs_per_s", 500)),
        endpoint=endpoint,
        headers=(
            *_headers(spec.get("headers", {}), place, environ, problems),
            *_header_files(str(spec.get("headers_path", "")), place, problems),
        ),
        compression=str(spec.get("compression", "none")),
        max_record_bytes=int(spec.get("max_record_bytes", _RECORD_MAX_BYTES[kind])),
        timeout_s=timeout_s,
        target=_backend(place, v, timeout_s, problems) if kind == "backend" else None,
    )


def _backend(place: str, v: Mapping[str, Any], timeout_s: float, problems: list[str]) -> Target | None:
    """Return the backend of the environment; one that is not named is a problem."""
    try:
        found = target_of(
            v["SPEEDSCALE_APP_URL"],
            v["SPEEDSCALE_API_KEY"],
            v["BACKEND_CA_FILE"],
            key_file=v["SPEEDSCALE_API_KEY_FILE"],
            timeout_s=timeout_s,
        )
    except ConfigError as error:
        problems += [f"{place}: {problem}" for problem in error.problems]
        return None
    if found is None:
        problems.append(f"{place}: SPEEDSCALE_APP_URL: missing; this exporter sends to the backend that it names")
    return found


def _endpoint(text: str, place: str, problems: list[str]) -> str:
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError as error:
        problems.append(f"{place}.otel_endpoint: {text!r}: {error}")
        return text
    if url.scheme not in ("http", "https") or not url.hostname:
        problems.append(f"{place}.otel_endpoint: {text!r}: expected a URL such as http://otelcol:4318")
    elif port == GRPC_PORT:
        problems.append(
            f"{place}.otel_endpoint: {text!r}: port {GRPC_PORT} is OTLP over gRPC, which is not spoken here;"
            " give the OTLP/HTTP receiver, usually port 4318"
        )
    return text if url.path.strip("/") else text.rstrip("/") + "/v1/logs"


def _headers(
    headers: Mapping[str, str], place: str, environ: Mapping[str, str], problems: list[str]
) -> tuple[tuple[str, str], ...]:
    found = []
    for name, value in headers.items():
        missing = [n for n in re.findall(r"\$\{(\w+)\}", value) if n not in environ]
        problems += [f"{place}.headers.{name}: variable {n!r} is not set" for n in missing]
        found.append((name, re.sub(r"\$\{(\w+)\}", lambda m: environ.get(m[1], ""), value)))
    return tuple(found)


def _header_files(folder: str, place: str, problems: list[str]) -> tuple[tuple[str, str], ...]:
    """Return a header for each file of a mounted Secret; names that begin with a dot are the mount's own."""
    if not folder:
        return ()
    try:
        files = sorted(f for f in Path(folder).iterdir() if f.is_file() and not f.name.startswith("."))
        found = tuple((file.name, file.read_text("utf-8").strip()) for file in files)
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{place}.headers_path: {folder!r}: cannot be read ({type(error).__name__}); is it mounted?")
        return ()
    for name, value in found:
        if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) or not value.isprintable():
            problems.append(f"{place}.headers_path: {folder}/{name}: is no header (RFC 9110 section 5.5)")
    return found
