"""The operator's settings as one frozen object.

Names, units and reasons of the defaults stand in the schema `settings/operator`. Read by everything in the controller;
nothing else reads the environment. Objects inside (`*_config`) are plain JSON and are not to be written to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any

from speedscale_schemas import settings as schema_settings
from speedscale_schemas.annotations.values import duration_s
from speedscale_schemas.errors import ConfigError

SERVICE = "operator"
API_KEY_SECRET = "speedscale-apikey"
Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the operator is told. Times are seconds, sizes bytes."""

    pod_name: str
    namespace: str  # of the installation
    kubeconfig: str
    cluster_name: str
    profile: str  # gitops, operator
    drift: str  # enforce, report, off
    log_level: str
    leader_election: bool
    namespaces: tuple[str, ...]  # to work in; empty means all
    secret_access: tuple[str, ...]
    image_registry: str
    image_tag: str
    image_pull_policy: str
    image_pull_secrets: tuple[str, ...]
    component_image_tags: Mapping[str, str]
    instance_id: str  # the vendor's; ours lives in ConfigMap speedscale-operator-state
    api_key: str = field(repr=False)
    app_url: str
    backend_ca_file: str  # empty: see the schema
    api_key_secret: str
    dlp_key_secret: str
    dlp_config: str  # empty when redaction is turned off
    filter_rule: str
    with_inspector: bool
    deploy_demo: str
    facts_interval_s: float
    test_prep_timeout_s: float
    analyse_timeout_s: float
    control_plane_timeout_s: float
    certificates_mode: str  # controller, cert-manager, manual
    create_jks: bool
    privileged_sidecars: bool
    disable_smartdns: bool
    sidecar_config: Json
    forwarder_config: Json
    inspector_config: Json
    collector_config: Json
    generator_config: Json
    responder_config: Json
    redis_config: Json
    global_annotations: Mapping[str, str]
    global_labels: Mapping[str, str]
    global_pod_security_context: Json  # of containers, as the vendor's key is named
    global_security_context: Json  # of pods
    http_proxy: str
    https_proxy: str
    no_proxy: str
    snapshot_dir: str
    webhook_host: str
    webhook_port: int
    health_host: str
    health_port: int
    admission_deadline_s: float
    admission_max_bytes: int
    shutdown_grace_s: float

    @classmethod
    def parse(cls, environ: Mapping[str, str]) -> Settings:
        """Return the settings; ConfigError with every problem found. Keys that nobody knows are left alone."""
        values = schema_settings.parse(SERVICE, environ)
        problems: list[str] = []
        times = {name: _seconds(key, values[key], problems) for key, name in _TIMES.items()}
        if problems:
            raise ConfigError(problems)
        read: dict[str, Any] = {name: values[key] for key, name in _PLAIN.items()}
        return cls(**read, **_typed(values, times))

    def watches(self, namespace: str) -> bool:
        """Say whether the operator works in this namespace."""
        return not self.namespaces or namespace in self.namespaces


_TIMES = {
    "TELEMETRY_INTERVAL": "facts_interval_s",
    "TEST_PREP_TIMEOUT": "test_prep_timeout_s",
    "ANALYSE_TIMEOUT": "analyse_timeout_s",
    "CONTROL_PLANE_TIMEOUT": "control_plane_timeout_s",
}

# Key of the environment → field, for values that are taken as the schema types them.
_PLAIN = {
    "POD_NAME": "pod_name",
    "POD_NAMESPACE": "namespace",
    "KUBECONFIG": "kubeconfig",
    "CLUSTER_NAME": "cluster_name",
    "PROFILE": "profile",
    "LOG_LEVEL": "log_level",
    "LEADER_ELECTION": "leader_election",
    "IMAGE_REGISTRY": "image_registry",
    "IMAGE_TAG": "image_tag",
    "IMAGE_PULL_POLICY": "image_pull_policy",
    "INSTANCE_ID": "instance_id",
    "SPEEDSCALE_API_KEY": "api_key",
    "SPEEDSCALE_APP_URL": "app_url",
    "BACKEND_CA_FILE": "backend_ca_file",
    "DLP_KEY_SECRET_NAME": "dlp_key_secret",
    "SPEEDSCALE_FILTER_RULE": "filter_rule",
    "WITH_INSPECTOR": "with_inspector",
    "DEPLOY_DEMO": "deploy_demo",
    "CERTIFICATES_MODE": "certificates_mode",
    "CREATE_JKS": "create_jks",
    "PRIVILEGED_SIDECARS": "privileged_sidecars",
    "DISABLE_SMARTDNS": "disable_smartdns",
    "HTTP_PROXY": "http_proxy",
    "HTTPS_PROXY": "https_proxy",
    "NO_PROXY": "no_proxy",
    "SNAPSHOT_DIR": "snapshot_dir",
    "WEBHOOK_HOST": "webhook_host",
    "WEBHOOK_PORT": "webhook_port",
    "HEALTH_HOST": "health_host",
    "HEALTH_PORT": "health_port",
    "ADMISSION_DEADLINE_S": "admission_deadline_s",
    "ADMISSION_MAX_BYTES": "admission_max_bytes",
    "SHUTDOWN_GRACE_S": "shutdown_grace_s",
}
_OBJECTS = (
    "SIDECAR_CONFIG",
    "FORWARDER_CONFIG",
    "INSPECTOR_CONFIG",
    "COLLECTOR_CONFIG",
    "GENERATOR_CONFIG",
    "RESPONDER_CONFIG",
    "REDIS_CONFIG",
    "GLOBAL_ANNOTATIONS",
    "GLOBAL_LABELS",
    "GLOBAL_POD_SECURITY_CONTEXT",
    "GLOBAL_SECURITY_CONTEXT",
)
_LISTS = {
    "NAMESPACE_SELECTOR": "namespaces",
    "SECRET_ACCESS_LIST": "secret_access",
    "IMAGE_PULL_SECRETS": "image_pull_secrets",
}

RESTART: Mapping[str, str] = MappingProxyType(
    {
        "leader_election": "LEADER_ELECTION",
        "namespaces": "NAMESPACE_SELECTOR",
        "profile": "PROFILE",
        "certificates_mode": "CERTIFICATES_MODE",
        "snapshot_dir": "SNAPSHOT_DIR",
        "app_url": "SPEEDSCALE_APP_URL",
        "webhook_host": "WEBHOOK_HOST",
        "webhook_port": "WEBHOOK_PORT",
        "health_host": "HEALTH_HOST",
        "health_port": "HEALTH_PORT",
        "admission_max_bytes": "ADMISSION_MAX_BYTES",
    }
)
"""Field → key of the settings that take effect with a restart of the pod; every other one does at once."""


def restart_needed(running: Settings, now: Settings) -> tuple[str, ...]:
    """Return the keys that were changed and wait for a restart, sorted."""
    return tuple(sorted(key for name, key in RESTART.items() if getattr(running, name) != getattr(now, name)))


def _typed(values: Mapping[str, Any], times: Mapping[str, float]) -> dict[str, Any]:
    namespaces = tuple(dict.fromkeys(values["NAMESPACE_SELECTOR"]))
    if namespaces and values["POD_NAMESPACE"] not in namespaces:
        namespaces = (*namespaces, values["POD_NAMESPACE"])  # the demo and our own objects live there
    drift = values["DRIFT"] or ("report" if values["PROFILE"] == "gitops" else "enforce")
    return {
        **{key.lower(): MappingProxyType(values[key]) for key in _OBJECTS},
        **times,
        **{name: tuple(dict.fromkeys(values[key])) for key, name in _LISTS.items()},
        "namespaces": namespaces,
        "component_image_tags": MappingProxyType(dict(pair.split("=", 1) for pair in values["COMPONENT_IMAGE_TAGS"])),
        "drift": drift,
        "api_key_secret": values["API_KEY_SECRET_NAME"] or API_KEY_SECRET,
        "dlp_config": values["SPEEDSCALE_DLP_CONFIG"] if values["WITH_DLP"] else "",
    }


def _seconds(name: str, text: str, problems: list[str]) -> float:
    try:
        return duration_s(text)
    except ValueError as error:
        problems.append(f"environment: {name}: {text!r}: {error}; give one such as 90s or 10m")
        return 0.0


def changed(old: Settings, new: Settings) -> tuple[str, ...]:
    """Return the names of the fields that differ, in the order of the class."""
    return tuple(f.name for f in fields(Settings) if getattr(old, f.name) != getattr(new, f.name))
