"""The responder's settings, parsed once from the environment (schema `settings/responder`). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from speedscale_runtime import home as homes
from speedscale_schemas import settings as schema_settings
from speedscale_schemas.errors import ConfigError

from . import timing
from .faults import compile_faults
from .mocks import Selection


class OnMiss(StrEnum):
    """What becomes of a request that no mock answers."""

    SAFE = "safe"
    FAIL = "fail"
    PASSTHROUGH = "passthrough"
    RECORD = "record"


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the responder is told; -1 for a port means: do not listen there, 0: any free port."""

    log_level: str
    snapshot: str
    home: Path
    host: str
    http_port: int
    https_port: int
    proxy_port: int
    metrics_port: int
    on_miss: OnMiss
    timing_factor: float
    selection: Selection
    selectors: tuple[str, ...]
    faults: tuple[str, ...]
    dlp_config: str
    dlp_key_path: Path | None
    test_config: Mapping[str, Any]
    transform_set: str
    upstream_roots: Path | None
    out: Path | None
    record_to: Path | None
    lines_max: int
    status_file: Path | None
    seed: int
    build_tag: str
    report_id: str
    collector_url: str
    collector_ca_file: Path
    collector_token_file: Path
    collector_interval_s: float
    pod: str


def parse(environ: Mapping[str, str]) -> Settings:
    """Return the settings; ConfigError lists everything that is wrong."""
    values = schema_settings.parse("responder", environ)
    problems: list[str] = []
    factor = 0.0
    try:
        factor = timing.factor(values["RESPONSE_TIMING"])
    except ConfigError as error:
        problems += [f"environment: RESPONSE_TIMING: {p}" for p in error.problems]
    # Specifications are split at newlines, since a regex may hold commas.
    faults = tuple(line for line in values["FAULTS"].splitlines() if line.strip())
    try:
        compile_faults(faults)
    except ConfigError as error:
        problems += [f"environment: FAULTS: {p}" for p in error.problems]
    if not values["SNAPSHOT_ID"]:
        problems.append("environment: SNAPSHOT_ID: missing; give a snapshot's id, or the path of one or of a recording")
    if values["SERVICE_HTTP_PORT"] < 0 and values["SERVICE_HTTPS_PORT"] < 0 and values["PROXY_OUT_PORT"] < 0:
        problems.append("environment: no port to serve on; set SERVICE_HTTP_PORT, SERVICE_HTTPS_PORT or PROXY_OUT_PORT")
    if problems:
        raise ConfigError(problems)
    return Settings(
        log_level=values["LOG_LEVEL"],
        snapshot=values["SNAPSHOT_ID"],
        home=homes.folder(values),
        host=values["SERVICE_HOST"],
        http_port=values["SERVICE_HTTP_PORT"],
        https_port=values["SERVICE_HTTPS_PORT"],
        proxy_port=values["PROXY_OUT_PORT"],
        metrics_port=values["METRICS_HTTP_PORT"],
        on_miss=OnMiss(values["ON_MISS"]),
        timing_factor=factor,
        selection=Selection(values["RESPONSE_SELECTION"].replace("round-robin", "cycle")),
        selectors=tuple(values["MOCKS"]),
        faults=faults,
        dlp_config=values["SPEEDSCALE_DLP_CONFIG"],
        dlp_key_path=_path(values["DLP_KEY_PATH"]),
        test_config=values["TEST_CONFIG"],
        transform_set=values["TRANSFORM_SET"],
        upstream_roots=_path(values["TLS_OUT_CA_FILE"]),
        out=_path(values["OUT_DIR"]),
        record_to=_path(values["RECORD_DIR"]),
        lines_max=values["RESULT_LINES_MAX"],
        status_file=_path(values["STATUS_FILE"]),
        seed=values["SEED"],
        build_tag=values["BUILD_TAG"],
        report_id=values["TEST_REPORT_ID"],
        collector_url=values["COLLECTOR_URL"],
        collector_ca_file=Path(values["COLLECTOR_CA_FILE"]),
        collector_token_file=Path(values["COLLECTOR_TOKEN_FILE"]),
        collector_interval_s=float(values["COLLECTOR_INTERVAL_S"]),
        pod=values["POD_NAME"],
    )


def _path(text: str) -> Path | None:
    return Path(text).expanduser() if text else None
