"""What the forwarder is told: its environment, its rules, and sizes that follow from its volume.

The names of variables are those of the schema `settings/forwarder`; a test reads what is written here with the very
parser the service uses. No object but ConfigMaps is made here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from speedscale_manifests.objects import Manifest, config_map, go_json, names
from speedscale_manifests.values import Values, plain
from speedscale_schemas.annotations.quantities import amount
from speedscale_schemas.errors import ConfigError

from . import backend

PORT = 8888
METRICS_PORT = 4145
DRAIN_S = 30

HOME = "/etc/speedscale"
STATE = "/var/lib/speedscale"
RECORDINGS = f"{STATE}/recordings"
SECRETS = "/var/run/secrets/speedscale"
IDENTITY = f"{SECRETS}/forwarder"
DLP_KEY = f"{SECRETS}/dlp-key"

BACKEND_EXPORTER = "speedscale-backend"
FILTERS = f"{names.FORWARDER}-filters"
DLP_RULES = f"{names.FORWARDER}-dlp"

_SEGMENT_BYTES = 32 * 1024 * 1024
_LEAST_BYTES = 1024 * 1024


_MOUNTED: Mapping[str, str] = {
    "headersSecret": "headers_path",
    "credentialsSecret": "credentials_path",
    "saslSecret": "sasl_path",
    "clientCertSecret": "client_cert_path",
    "caSecret": "ca_file",
}
"""Values that name a Secret, and the setting that takes where it is mounted."""
_SAME: Mapping[str, str] = {
    "otel_endpoint": "otel_endpoint",
    "protocol": "protocol",
    "filter_rule": "filter_rule",
    "dlp_config_id": "dlp_config_id",
    "compression": "compression",
    "stream": "stream",
    "bucket": "bucket",
    "prefix": "prefix",
    "region": "region",
    "endpointURL": "endpoint_url",
    "brokers": "brokers",
    "topic": "topic",
    "tls": "tls",
    "saslMechanism": "sasl_mechanism",
    "lingerSeconds": "linger_s",
    "keepDays": "keep_days",
    "maxRecordBytes": "max_record_bytes",
    "timeoutSeconds": "timeout_s",
}
"""Values and settings that mean the same; what says nothing is left out."""
_NOTHING: tuple[object, ...] = ("", 0, False, (), [], "auto", "none")


def secret_path(secret: str) -> str:
    """Return where a Secret that an exporter names is mounted: a file a key."""
    return f"{SECRETS}/exporters/{secret}"


def exporter_secrets(values: Values) -> tuple[str, ...]:
    """Return the Secrets that exporters name, each once, sorted."""
    exporters = values.forwarder.exporters.values()
    return tuple(sorted({str(e[key]) for e in exporters for key in _MOUNTED if e.get(key)}))


def exporters(values: Values) -> dict[str, Any]:
    """Return EXPORTERS: the backend where there is one, and the user's; else a recording on the volume.

    With another one nothing is recorded besides: it would fill the volume that the spool needs.
    """
    found = {name: _exporter(name, spec) for name, spec in values.forwarder.exporters.items()}
    if backend.url(values):
        found[BACKEND_EXPORTER] = {"type": "backend"}
    return dict(sorted(found.items())) or {"recording": {"type": "files", "path": RECORDINGS, "format": "jsonl"}}


def _exporter(name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    kind = str(spec.get("type") or "otlp")
    exporter: dict[str, Any] = {"type": "files" if kind == "jsonl" else kind}
    if kind == "jsonl":
        exporter["format"] = "jsonl"
    if kind in ("jsonl", "parquet"):
        exporter["path"] = f"{STATE}/{'parquet' if kind == 'parquet' else 'recordings'}/{name}"
    for key, setting in _SAME.items():
        if (value := plain(spec.get(key, ""))) not in _NOTHING:
            exporter[setting] = value
    for key, setting in _MOUNTED.items():
        if secret := spec.get(key):
            exporter[setting] = secret_path(secret) + ("/ca.crt" if key == "caSecret" else "")
    return exporter


def keeps_files(values: Values) -> bool:
    """Say whether an exporter writes onto the volume that the spool is on."""
    kinds = {spec.get("type") for spec in values.forwarder.exporters.values()}
    return bool(kinds & {"parquet", "jsonl"}) or not (kinds or backend.url(values))


def spool_bytes(values: Values) -> int:
    """Return the largest size of the spool: four fifths of the volume, two fifths where files of exporters share it.

    What is left is for the file system's own needs and for segments that are half written when the limit is met.
    Raises ConfigError where the volume is too small to hold two segments of a useful size.
    """
    size = int(amount(values.forwarder.persistence.size))
    if size < _LEAST_BYTES:
        raise ConfigError(
            [
                f"forwarder.persistence.size: {values.forwarder.persistence.size!r}: too small for a spool;"
                " give at least 1Mi, and rather 2Gi: it holds what was accepted while an exporter is away"
            ]
        )
    return size * (2 if keeps_files(values) else 4) // 5


def settings(values: Values) -> Manifest:
    """Return ConfigMap `speedscale-forwarder`: the settings that come from the values, as environment variables."""
    spool = spool_bytes(values)
    lag = int(amount(values.forwarder.exporter_max_lag))
    data = {
        "CLUSTER_NAME": values.cluster_name,
        "DRAIN_TIMEOUT_S": str(DRAIN_S),
        "EXPORTERS": go_json(exporters(values)),
        # The service takes 0 for half of the spool; in the values it means all of it.
        "EXPORTER_MAX_LAG_BYTES": str(min(lag, spool) or spool),
        "LOG_LEVEL": values.log_level,
        "SPEEDSCALE_DLP_CONFIG": values.dlp.config,
        "SPEEDSCALE_FILTER_RULE": values.filter_rule,
        "SPOOL_MAX_BYTES": str(spool),
        "SPOOL_SEGMENT_BYTES": str(min(_SEGMENT_BYTES, spool // 8)),
        "WITH_DLP": "true" if values.dlp.enabled else "false",
    }
    return config_map(values, "forwarder", data, name=names.FORWARDER)


def rules(values: Values) -> tuple[Manifest, Manifest]:
    """Return the ConfigMaps with the user's filter and DLP rules, a file a rule; there also when empty.

    They are mounted as folders and read live: an edit takes effect without a restart, and so does a new rule.
    """
    return (
        config_map(values, "forwarder", _files(values.rules.filters), name=FILTERS),
        config_map(values, "forwarder", _files(values.rules.dlp), name=DLP_RULES),
    )


def _files(documents: Mapping[str, Any]) -> dict[str, str]:
    return {
        f"{name}.json": json.dumps(plain(rule), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        for name, rule in documents.items()
    }
