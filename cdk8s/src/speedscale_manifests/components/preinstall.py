"""The check before an installation: is the key good, and is there a way to the backend?

A hook that runs once and leaves nothing. With Argo CD it is a PreSync hook where the Namespace exists already; where
the Namespace is among these manifests it comes into being in the Sync phase, so the check is a Sync hook of the wave
before the operator's. Helm runs it as pre-install (Argo CD disregards Helm's annotations beside its own).
"""

from __future__ import annotations

from typing import Final

from speedscale_manifests.objects import (
    Manifest,
    container,
    hook,
    metadata,
    names,
    pod_template,
    proxy_env,
    scratch,
    secret_keys_env,
)
from speedscale_manifests.values import Values

from . import backend, network, urls
from .component import Component

NAME: Final = "pre-install"
JOB: Final = "speedscale-operator-pre-install"
_HELM = {"helm.sh/hook": "pre-install", "helm.sh/hook-delete-policy": "before-hook-creation,hook-succeeded"}
_WEIGHT = "helm.sh/hook-weight"
_TTL_S = 30


def enabled(values: Values) -> bool:
    """Return whether the check is wanted, and can be made: a backend of this installation is not there yet."""
    return values.pre_install.enabled and not backend.egress(values)


def check(values: Values) -> list[Manifest]:
    """Return the Job, and the policy that lets it out."""
    phase = "Sync" if values.create_namespace else "PreSync"
    delete = "BeforeHookCreation,HookSucceeded"
    return [hook(values, manifest, phase, delete=delete) for manifest in [*network_policies(values), job(values)]]


def job(values: Values) -> Manifest:
    """Return the Job; it runs as the namespace's default account and mounts no token."""
    settings = values.pre_install
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata(
            values,
            NAME,
            JOB,
            user_labels=True,
            user_annotations=True,
            annotations={names.IGNORE: "true", **_HELM, _WEIGHT: "4"},
        ),
        "spec": {
            "backoffLimit": settings.backoff_limit,
            "ttlSecondsAfterFinished": _TTL_S,
            "template": pod_template(
                values,
                NAME,
                [_container(values)],
                restartPolicy="Never",
                volumes=[scratch("tmp", "/tmp", "16Mi")[0], *backend.trust_volume(values)],
            ),
        },
    }


def _container(values: Values) -> Manifest:
    settings = values.pre_install
    arguments = ["doctor", "--pre", "--attempts", settings.max_attempts, "--retry-delay", settings.retry_delay_seconds]
    return container(
        values,
        "speedscale-cli",
        "speedscale-cli",
        settings.resources,
        command=["speedctl"],
        args=[str(argument) for argument in arguments],
        env=[*backend.client_env(values), *proxy_env(values)],
        envFrom=[secret_keys_env(names.api_key_secret(values), optional=False)],
        volumeMounts=[scratch("tmp", "/tmp")[1], *backend.trust_mount(values)],
    )


def network_policies(values: Values) -> list[Manifest]:
    """Return the policy of the Job's pod: nothing in; name resolution and the backend out."""
    return network.policy(
        values,
        NAME,
        egress=[
            network.to_dns(),
            network.to_outside(values, *urls.ports(backend.url(values), values.http_proxy, values.https_proxy)),
        ],
        name=JOB,
        annotations={**_HELM, _WEIGHT: "3"},
    )


COMPONENT = Component(name=NAME, chart="operator", enabled=enabled, identity=check)
