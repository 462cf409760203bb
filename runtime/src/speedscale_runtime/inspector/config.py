"""The inspector's settings: one frozen object, parsed once from the environment.

The schema `settings/inspector` holds names, units and reasons of the defaults. Nothing else reads the environment, but
for the backend's address and key, which may come late: `backend` reads their files before each connection.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from speedscale_runtime import cloud
from speedscale_schemas import settings
from speedscale_schemas.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the inspector is told."""

    app_url: str
    api_key: str = field(repr=False)
    secret_dir: str
    ca_file: str
    cluster: str
    access_labels: Mapping[str, str]
    namespaces: tuple[str, ...]  # none: all
    secret_names: tuple[str, ...]
    override: str
    profile: str
    dlp_config: str  # empty when redaction is turned off
    max_commands: int
    max_items: int
    pod_name: str
    namespace: str
    kubeconfig: str
    log_level: str
    metrics_host: str
    metrics_port: int
    status_file: str

    def watches(self, namespace: str) -> bool:
        """Say whether a namespace may be looked at."""
        return not self.namespaces or namespace in self.namespaces


def parse(environ: Mapping[str, str]) -> Settings:
    """Return the settings; raise ConfigError with every problem found."""
    v = settings.parse("inspector", environ)
    try:
        ipaddress.ip_address(v["METRICS_HOST"])
    except ValueError:
        raise ConfigError([f"environment: METRICS_HOST: {v['METRICS_HOST']!r}: expected an IP address"]) from None
    return Settings(
        app_url=v["SPEEDSCALE_APP_URL"],
        api_key=v["SPEEDSCALE_API_KEY"],
        secret_dir=v["BACKEND_SECRET_DIR"],
        ca_file=v["BACKEND_CA_FILE"],
        cluster=v["CLUSTER_NAME"],
        access_labels=dict(v["ACCESS_LABELS"]),
        namespaces=tuple(v["NAMESPACE_SELECTOR"]),
        secret_names=tuple(v["SECRET_NAMES"]),
        override=v["OVERRIDE_CONFIG_MAP"],
        profile=v["PROFILE"],
        dlp_config=v["SPEEDSCALE_DLP_CONFIG"] if v["WITH_DLP"] else "",
        max_commands=v["INSPECTOR_MAX_COMMANDS"],
        max_items=v["INSPECTOR_MAX_ITEMS"],
        pod_name=v["POD_NAME"],
        namespace=v["POD_NAMESPACE"],
        kubeconfig=v["KUBECONFIG"],
        log_level=v["LOG_LEVEL"],
        metrics_host=v["METRICS_HOST"],
        metrics_port=v["METRICS_HTTP_PORT"],
        status_file=v["STATUS_FILE"],
    )


def backend(of: Settings) -> cloud.Target | None:
    """Return the backend as settings and Secret name it now, None where they name none.

    ConfigError where they name one that cannot be used: no key, or no address that may be called.
    """
    url = of.app_url or _file(of.secret_dir, "SPEEDSCALE_APP_URL")
    key = of.api_key or _file(of.secret_dir, "SPEEDSCALE_API_KEY")
    return cloud.target_of(url, key, of.ca_file)


def _file(folder: str, name: str) -> str:
    if not folder:
        return ""
    try:
        return (Path(folder) / name).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""  # the Secret is not there (yet), or lacks this key
