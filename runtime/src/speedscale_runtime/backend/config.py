"""The backend's settings: one frozen object, parsed once from the environment.

The schema `settings/backend` holds names, units and reasons of the defaults. Nothing else reads the environment.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from speedscale_schemas import settings
from speedscale_schemas.errors import ConfigError

_KEY_MIN_CHARS = 16


@dataclass(frozen=True, slots=True)
class Bucket:
    """An object store; credentials are found by its library."""

    name: str
    endpoint: str
    region: str
    prefix: str
    cache_max_bytes: int


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the backend is told."""

    log_level: str
    host: str
    port: int
    tls_cert_file: str
    tls_key_file: str
    data_dir: Path
    metrics_host: str
    metrics_port: int
    status_file: str
    api_key: str = field(repr=False)
    api_key_file: str
    api_key_labels: Mapping[str, str]
    url: str
    max_batch_bytes: int
    max_inflight_bytes: int
    snapshot_max_bytes: int
    results_max_bytes: int
    journal_max_bytes: int
    journal_segment_bytes: int
    compact_after_bytes: int
    compact_after_s: int
    dedup_pairs: int
    retention_days: int
    traffic_max_bytes: int
    audit_max_rows: int
    query_memory_bytes: int
    bucket: Bucket | None

    def bound(self, named: int | str) -> int:
        """Return a bound of the API's document: a number, or the name of the setting that holds it."""
        return named if isinstance(named, int) else int(getattr(self, named.lower().removeprefix("cloud_")))


def parse(environ: Mapping[str, str]) -> Settings:
    """Return the settings; raise ConfigError with every problem found."""
    v = settings.parse("backend", environ)
    problems = _problems(v)
    if problems:
        raise ConfigError(problems)
    bucket = None
    if v["S3_BUCKET"]:
        bucket = Bucket(v["S3_BUCKET"], v["S3_ENDPOINT"], v["AWS_REGION"], v["S3_PREFIX"], v["CACHE_MAX_BYTES"])
    url = v["SPEEDSCALE_APP_URL"].strip().rstrip("/")
    return Settings(
        log_level=v["LOG_LEVEL"],
        host=v["CLOUD_HOST"],
        port=v["CLOUD_PORT"],
        tls_cert_file=v["CLOUD_TLS_CERT_FILE"],
        tls_key_file=v["CLOUD_TLS_KEY_FILE"],
        data_dir=Path(v["DATA_DIR"]),
        metrics_host=v["METRICS_HOST"],
        metrics_port=v["METRICS_HTTP_PORT"],
        status_file=v["STATUS_FILE"],
        api_key=v["SPEEDSCALE_API_KEY"].strip(),
        api_key_file=v["SPEEDSCALE_API_KEY_FILE"],
        api_key_labels=v["BOOTSTRAP_KEY_LABELS"],
        url=url if "://" in url or not url else f"https://{url}",
        max_batch_bytes=v["CLOUD_MAX_BATCH_BYTES"],
        max_inflight_bytes=v["CLOUD_MAX_INFLIGHT_BYTES"],
        snapshot_max_bytes=v["SNAPSHOT_MAX_BYTES"],
        results_max_bytes=v["RESULTS_MAX_BYTES"],
        journal_max_bytes=v["JOURNAL_MAX_BYTES"],
        journal_segment_bytes=v["JOURNAL_SEGMENT_BYTES"],
        compact_after_bytes=v["COMPACT_AFTER_BYTES"],
        compact_after_s=v["COMPACT_AFTER_S"],
        dedup_pairs=v["DEDUP_PAIRS"],
        retention_days=v["RETENTION_DAYS"],
        traffic_max_bytes=v["TRAFFIC_MAX_BYTES"],
        audit_max_rows=v["AUDIT_MAX_ROWS"],
        query_memory_bytes=v["QUERY_MEMORY_BYTES"],
        bucket=bucket,
    )


def usable(key: str) -> bool:
    """Say whether a text can be an API key."""
    return len(key) >= _KEY_MIN_CHARS and key.isascii() and key.isprintable() and " " not in key


def _problems(v: Mapping[str, Any]) -> list[str]:
    problems = []
    cert, key = v["CLOUD_TLS_CERT_FILE"], v["CLOUD_TLS_KEY_FILE"]
    if bool(cert) != bool(key):
        problems.append("environment: CLOUD_TLS_CERT_FILE and CLOUD_TLS_KEY_FILE: set both or none")
    try:
        loopback = ipaddress.ip_address(v["CLOUD_HOST"]).is_loopback
    except ValueError:
        problems.append(f"environment: CLOUD_HOST: {v['CLOUD_HOST']!r}: expected an IP address")
    else:
        if not cert and not loopback:
            problems.append(
                "environment: CLOUD_TLS_CERT_FILE: missing; keys pass over this connection, so that without a"
                f" certificate CLOUD_HOST has to be a loopback address, not {v['CLOUD_HOST']}"
            )
    given = v["SPEEDSCALE_API_KEY"].strip()
    if given and not usable(given):
        problems.append(
            f"environment: SPEEDSCALE_API_KEY: (hidden): expected at least {_KEY_MIN_CHARS} printable ASCII characters"
        )
    if v["JOURNAL_SEGMENT_BYTES"] * 2 > v["JOURNAL_MAX_BYTES"]:
        problems.append("environment: JOURNAL_SEGMENT_BYTES: at least two segments must fit into JOURNAL_MAX_BYTES")
    if v["CLOUD_MAX_BATCH_BYTES"] * 2 > v["JOURNAL_MAX_BYTES"]:
        problems.append("environment: CLOUD_MAX_BATCH_BYTES: at least two batches must fit into JOURNAL_MAX_BYTES")
    return problems
