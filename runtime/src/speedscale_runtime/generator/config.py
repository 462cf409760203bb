"""The generator's settings, parsed once from its environment (schema `settings/generator`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speedscale_runtime import home as homes
from speedscale_runtime.rrpair import baggage
from speedscale_runtime.transforms import golang
from speedscale_schemas.errors import ConfigError
from speedscale_schemas.settings import parse

from .testconfig import TestConfig

_TERMINATION_LOG = Path("/dev/termination-log")
"""The default of a container's terminationMessagePath."""


@dataclass(frozen=True, slots=True)
class Settings:
    """One run. Units are in the names; None means unset."""

    snapshot: str
    snapshot_dir: Path
    test_config_id: str
    test_config: Mapping[str, Any] | None
    custom_urls: tuple[str, ...]
    tests: tuple[str, ...]
    report_id: str
    build_tag: str
    timeout_s: float | None
    readiness_url: str
    readiness_timeout_s: float
    results_file: Path
    progress_file: Path | None
    termination_log: Path | None
    low_data: bool | None
    rewrite_host: bool | None
    processes: int
    seed: int | None
    tls_ca_file: str
    tls_skip_verify: bool
    max_response_bytes: int
    home: Path
    dlp_key_path: Path | None
    metrics_host: str
    metrics_port: int | None
    log_level: str
    collector_url: str
    collector_ca_file: Path
    collector_token_file: Path
    collector_timeout_s: float
    index: int

    def mark(self, config: TestConfig) -> str:
        """Return the member of `baggage` that each test bears; empty where the run has no id of others' knowing, or
        the test config wants requests as they were recorded."""
        return baggage.member(self.report_id) if self.report_id and config.mark else ""


def from_environ(environ: Mapping[str, str]) -> Settings:
    """Return the settings; ConfigError with every problem."""
    values = parse("generator", environ)
    problems: list[str] = []
    if not values["SNAPSHOT_ID"]:
        problems.append("environment: SNAPSHOT_ID: required; a folder with a recording, or a snapshot's id")
    timeout: float | None = None
    if values["TIMEOUT"]:
        try:
            timeout = golang.duration(values["TIMEOUT"])
        except ValueError as error:
            problems.append(f"environment: TIMEOUT: {error}")
    if problems:
        raise ConfigError(problems)
    return Settings(
        snapshot=values["SNAPSHOT_ID"],
        snapshot_dir=Path(values["SNAPSHOT_DIR"]),
        test_config_id=values["TEST_CONFIG_ID"],
        test_config=values["TEST_CONFIG"] or None,
        custom_urls=tuple(values["CUSTOM_URL"]),
        tests=tuple(values["TESTS"]),
        report_id=values["TEST_REPORT_ID"],
        build_tag=values["BUILD_TAG"],
        timeout_s=timeout,
        readiness_url=values["READINESS_URL"],
        readiness_timeout_s=float(values["READINESS_TIMEOUT_S"]),
        results_file=Path(values["RESULTS_FILE"]),
        progress_file=Path(values["PROGRESS_FILE"]) if values["PROGRESS_FILE"] else None,
        termination_log=termination_log(environ),
        low_data=_maybe(values["LOW_DATA"]),
        rewrite_host=_maybe(values["REWRITE_HOST"]),
        processes=values["PROCESSES"],
        seed=None if values["SEED"] < 0 else values["SEED"],
        tls_ca_file=values["TLS_CA_FILE"],
        tls_skip_verify=values["TLS_SKIP_VERIFY"],
        max_response_bytes=values["MAX_RESPONSE_BYTES"],
        home=homes.folder(values),
        dlp_key_path=Path(values["DLP_KEY_PATH"]) if values["DLP_KEY_PATH"] else None,
        metrics_host=values["METRICS_HOST"],
        metrics_port=None if values["METRICS_PORT"] < 0 else values["METRICS_PORT"],
        log_level=values["LOG_LEVEL"],
        collector_url=values["COLLECTOR_URL"],
        collector_ca_file=Path(values["COLLECTOR_CA_FILE"]),
        collector_token_file=Path(values["COLLECTOR_TOKEN_FILE"]),
        collector_timeout_s=float(values["COLLECTOR_TIMEOUT_S"]),
        index=values["JOB_COMPLETION_INDEX"],
    )


def termination_log(environ: Mapping[str, str]) -> Path | None:
    """Return where the summary goes: TERMINATION_LOG, else the container's own file where there is one."""
    named = environ.get("TERMINATION_LOG", "")
    path = Path(named) if named else _TERMINATION_LOG
    return path if named or path.is_file() else None


def _maybe(value: str) -> bool | None:
    return None if not value else value == "true"
