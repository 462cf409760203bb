"""The collector's settings, parsed once from its environment (schema `settings/collector`). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from speedscale_runtime import home as homes
from speedscale_runtime.cloud import Target, target_of
from speedscale_schemas import settings as schema_settings
from speedscale_schemas.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Workload:
    """The workload under test; without a `selector` its pods are not followed."""

    kind: str
    name: str
    namespace: str
    selector: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.name else ""


@dataclass(frozen=True, slots=True)
class Settings:
    """One collector of one replay. Units are in the names; `backend` is None where the report stays in the cluster."""

    log_level: str
    build_tag: str
    cluster: str
    own_namespace: str
    replay: str
    replay_id: str
    namespaces: frozenset[str]
    host: str
    port: int
    certificate: Path
    key: Path
    tokens: Path
    metrics_host: str
    metrics_port: int | None
    results: Path
    status_file: Path | None
    report_id: str
    test_config_id: str
    snapshot_id: str
    gives_snapshot: bool
    workload: Workload
    follow_s: float
    log_max_bytes: int
    upload_max_bytes: int
    results_max_bytes: int
    wait_s: float
    kubeconfig: str
    dlp_key: Path | None
    dlp_rule: str
    home: Path
    backend: Target | None = field(repr=False)


def parse(environ: Mapping[str, str]) -> Settings:
    """Return the settings; ConfigError with every problem."""
    values = schema_settings.parse("collector", environ)
    problems = [
        f"environment: {name}: required"
        for name in ("POD_NAMESPACE", "WORKLOAD_NAMESPACE", "TEST_REPORT_ID")
        if not values[name]
    ]
    backend: Target | None = None
    key, key_file = values["SPEEDSCALE_API_KEY"], values["SPEEDSCALE_API_KEY_FILE"]
    if key or key_file:  # without a key there is no backend for us, whatever address the values have
        try:
            backend = target_of(values["SPEEDSCALE_APP_URL"], key, values["BACKEND_CA_FILE"], key_file=key_file)
        except ConfigError as error:
            problems += [f"environment: {problem}" for problem in error.problems]
    gives = values["SNAPSHOT_SOURCE"] == "backend"
    if gives and not values["SNAPSHOT_ID"]:
        problems.append("environment: SNAPSHOT_ID: required with SNAPSHOT_SOURCE=backend")
    if problems:
        raise ConfigError(problems)
    return Settings(
        log_level=values["LOG_LEVEL"],
        build_tag=values["BUILD_TAG"],
        cluster=values["CLUSTER_NAME"],
        own_namespace=values["POD_NAMESPACE"],
        replay=values["REPLAY_NAME"],
        replay_id=values["REPLAY_ID"] or values["TEST_REPORT_ID"],
        namespaces=frozenset(values["REPLAY_NAMESPACES"] or [values["WORKLOAD_NAMESPACE"]]),
        host=values["COLLECTOR_HOST"],
        port=values["COLLECTOR_PORT"],
        certificate=Path(values["COLLECTOR_TLS_CERT_FILE"]),
        key=Path(values["COLLECTOR_TLS_KEY_FILE"]),
        tokens=Path(values["COLLECTOR_TOKENS_FILE"]),
        metrics_host=values["METRICS_HOST"],
        metrics_port=None if values["METRICS_HTTP_PORT"] < 0 else values["METRICS_HTTP_PORT"],
        results=Path(values["RESULTS_DIR"]),
        status_file=Path(values["STATUS_FILE"]) if values["STATUS_FILE"] else None,
        report_id=values["TEST_REPORT_ID"],
        test_config_id=values["TEST_CONFIG_ID"],
        snapshot_id=values["SNAPSHOT_ID"],
        gives_snapshot=gives,
        workload=Workload(
            values["WORKLOAD_KIND"],
            values["WORKLOAD_NAME"],
            values["WORKLOAD_NAMESPACE"],
            values["WORKLOAD_SELECTOR"],
        ),
        follow_s=float(values["FOLLOW_INTERVAL_S"]),
        log_max_bytes=values["LOG_MAX_BYTES"],
        upload_max_bytes=values["UPLOAD_MAX_BYTES"],
        results_max_bytes=values["RESULTS_MAX_BYTES"],
        wait_s=float(values["ANALYSE_WAIT_S"]),
        kubeconfig=values["KUBECONFIG"],
        dlp_key=Path(values["DLP_KEY_PATH"]) if values["DLP_KEY_PATH"] else None,
        dlp_rule=values["SPEEDSCALE_DLP_CONFIG"],
        home=homes.folder(values),
        backend=backend,
    )
