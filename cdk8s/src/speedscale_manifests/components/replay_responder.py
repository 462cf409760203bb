"""The responder of a replay: answers for what the workload under test depends on.

It serves plain text and TLS on two ports, tells them apart by their first byte, and is reached on the recorded host
names and ports through its Services' addresses (host aliases or NAT). The redaction key is no optional mount: live
requests go through the same rule and key as the recording, or nothing redacted would ever match.
"""

from __future__ import annotations

from typing import Any

from speedscale_manifests.objects import Manifest, container, env, field_env, http_probe, scratch
from speedscale_manifests.values import Values
from speedscale_schemas.templates import gap, gap_text, seal

from . import network, replay, senders
from .component import Component

NAME = "responder"
HTTP_PORT = 8080
HTTPS_PORT = 8443
PROXY_PORT = 4140


def templates(values: Values) -> list[Manifest]:
    """Return Deployment, Services and policy of one replay's responder."""
    suffix = gap("service_suffix")
    objects = [
        replay.deployment(
            values,
            NAME,
            _pod(values),
            replicas=gap("responder_replicas"),
            strategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
        ),
        replay.service(values, NAME, f"responder-http{suffix}", gap("http_ports")),
        replay.service(values, NAME, f"responder-https{suffix}", gap("https_ports")),
        *replay.policy(
            values,
            NAME,
            ingress=[
                {"from": [{"podSelector": {}}], "ports": network.ports(HTTP_PORT, HTTPS_PORT, PROXY_PORT)},
                *network.metrics(values, replay.METRICS_PORT),
            ],
        ),
    ]
    return [seal(item) for item in objects]


def _pod(values: Values) -> Manifest:
    temporary, temporary_mount = scratch("tmp", "/tmp", "256Mi")
    results, results_mount = scratch("results", replay.RESULTS, "1Gi")
    key_env, key_mounts, key_volumes = replay.dlp_key(values)
    home, home_mount = scratch("home", replay.HOME, "64Mi")
    mounts: list[Any] = [
        temporary_mount,
        results_mount,
        home_mount,
        {"name": "snapshot", "mountPath": replay.SNAPSHOTS, "readOnly": True},
        senders.collector_mount(),
        senders.mount(f"{replay.HOME}/certs"),
        *key_mounts,
        gap("secret_mounts"),
    ]
    return replay.pod(
        values,
        NAME,
        [_container(values, mounts, key_env)],
        initContainers=[replay.fetch(values, values.replay_components.responder.resources)],
        volumes=[
            temporary,
            results,
            home,
            gap("snapshot_volume"),
            senders.collector_volume(values),
            senders.authority_volume(),
            *key_volumes,
            gap("secret_volumes"),
        ],
        terminationGracePeriodSeconds=30,
    )


def _container(values: Values, mounts: list[Any], key_env: list[Manifest]) -> Manifest:
    return container(
        values,
        "speedscale-responder",
        "replay",
        values.replay_components.responder.resources,
        command=["speedscale-responder"],
        env=[
            env("BUILD_TAG", gap("build_tag")),
            *replay.collector_env(),
            *key_env,
            env("FAULTS", gap("faults")),
            env("LOG_LEVEL", values.log_level),
            env("METRICS_HTTP_PORT", replay.METRICS_PORT),
            env("MOCKS", gap("mocks")),
            env("ON_MISS", gap("on_miss")),
            env("OUT_DIR", replay.RESULTS),
            field_env("POD_NAME", "metadata.name"),
            env("PROXY_OUT_PORT", PROXY_PORT),
            env("RESPONSE_SELECTION", gap("response_selection")),
            env("RESPONSE_TIMING", gap("response_timing")),
            env("SERVICE_HOST", "0.0.0.0"),
            env("SERVICE_HTTP_PORT", HTTP_PORT),
            env("SERVICE_HTTPS_PORT", HTTPS_PORT),
            env("SNAPSHOT_ID", f"{replay.SNAPSHOTS}/{gap('snapshot_id')}"),
            env("SPEEDSCALE_DLP_CONFIG", values.dlp.config),
            env("SPEEDSCALE_HOME", replay.HOME),
            env("TEST_CONFIG", gap_text("test_config")),
            env("TEST_REPORT_ID", gap("report_id")),
            *senders.upstream_env(values, "TLS_OUT_CA_FILE"),
        ],
        ports=[
            {"name": "http", "containerPort": HTTP_PORT, "protocol": "TCP"},
            {"name": "https", "containerPort": HTTPS_PORT, "protocol": "TCP"},
            {"name": "proxy", "containerPort": PROXY_PORT, "protocol": "TCP"},
            {"name": "metrics", "containerPort": replay.METRICS_PORT, "protocol": "TCP"},
        ],
        startupProbe=http_probe("/healthz", "metrics", period_s=2, failures=150),
        livenessProbe=http_probe("/healthz", "metrics", period_s=20, failures=3),
        readinessProbe=http_probe("/readyz", "metrics", period_s=2, failures=2),
        volumeMounts=mounts,
    )


COMPONENT = Component(name=NAME, chart="operator", templates=templates)
