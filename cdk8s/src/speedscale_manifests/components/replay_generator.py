"""The generator of a replay: a Job that drives the workload under test.

Indexed only where it has more than one pod; results are then merged by the controller. A pod that failed is not made
again: half a replay twice is no replay. It has no limit of its own on where it sends: the workload under test may be
any Service, Ingress or custom URL.
"""

from __future__ import annotations

from typing import Any

from speedscale_manifests.objects import Manifest, container, env, scratch
from speedscale_manifests.values import Values
from speedscale_schemas.templates import gap, gap_text, seal

from . import network, replay, senders
from .component import Component

NAME = "generator"
_TTL_S = 24 * 3600


def templates(values: Values) -> list[Manifest]:
    """Return the Job and its policy: nothing may connect to it, but those who read metrics."""
    job: Manifest = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": replay.metadata(values, NAME, workload=True),
        "spec": {
            "activeDeadlineSeconds": gap("generator_deadline_s"),
            "backoffLimit": 0,
            "completionMode": gap("generator_completion_mode"),
            "completions": gap("generator_pods"),
            "parallelism": gap("generator_pods"),
            "ttlSecondsAfterFinished": _TTL_S,
            "template": _pod(values),
        },
    }
    policies = replay.policy(values, NAME, ingress=network.metrics(values, replay.METRICS_PORT))
    return [seal(item) for item in (job, *policies)]


def _pod(values: Values) -> Manifest:
    temporary, temporary_mount = scratch("tmp", "/tmp", "256Mi")
    results, results_mount = scratch("results", replay.RESULTS, "4Gi")
    key_env, key_mounts, key_volumes = replay.dlp_key(values)
    home, home_mount = scratch("home", replay.HOME, "64Mi")
    mounts: list[Any] = [
        temporary_mount,
        results_mount,
        home_mount,
        {"name": "snapshot", "mountPath": replay.SNAPSHOTS, "readOnly": True},
        senders.collector_mount(),
        *key_mounts,
        gap("secret_mounts"),
    ]
    return replay.pod(
        values,
        NAME,
        [_container(values, mounts, key_env)],
        restartPolicy="Never",
        initContainers=[replay.fetch(values, values.replay_components.generator.resources)],
        volumes=[
            temporary,
            results,
            home,
            gap("snapshot_volume"),
            senders.collector_volume(values),
            *key_volumes,
            gap("secret_volumes"),
        ],
        terminationGracePeriodSeconds=30,
    )


def _container(values: Values, mounts: list[Any], key_env: list[Manifest]) -> Manifest:
    return container(
        values,
        "speedscale-generator",
        "replay",
        values.replay_components.generator.resources,
        command=["speedscale-generator"],
        env=[
            env("BUILD_TAG", gap("build_tag")),
            *replay.collector_env(),
            env("CUSTOM_URL", gap("custom_urls")),
            *key_env,
            env("LOG_LEVEL", values.log_level),
            env("LOW_DATA", gap("low_data")),
            env("METRICS_HOST", "0.0.0.0"),
            env("METRICS_PORT", replay.METRICS_PORT),
            env("PROGRESS_FILE", f"{replay.RESULTS}/progress.json"),
            env("RESULTS_FILE", f"{replay.RESULTS}/results.jsonl"),
            env("SNAPSHOT_DIR", replay.SNAPSHOTS),
            env("SNAPSHOT_ID", gap("snapshot_id")),
            env("SPEEDSCALE_HOME", replay.HOME),
            env("TEST_CONFIG", gap_text("test_config")),
            env("TEST_CONFIG_ID", gap("test_config_id")),
            env("TEST_REPORT_ID", gap("report_id")),
            env("TESTS", gap("tests")),
            *senders.upstream_env(values, "TLS_CA_FILE"),
            env("TIMEOUT", gap("timeout")),
        ],
        ports=[{"name": "metrics", "containerPort": replay.METRICS_PORT, "protocol": "TCP"}],
        volumeMounts=mounts,
    )


__all__ = ["COMPONENT", "NAME", "templates"]

COMPONENT = Component(name=NAME, chart="operator", templates=templates)
