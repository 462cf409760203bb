"""Workloads and the accounts they run as."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from speedscale_manifests.values import Values

from . import names
from .identity import metadata, selector
from .manifest import Manifest, prune


def workload(
    values: Values,
    kind: str,
    component: str,
    template: Manifest,
    *,
    name: str = "",
    ignore: bool = True,
    annotations: Mapping[str, str] | None = None,
    **spec: Any,
) -> Manifest:
    """Return a Deployment, StatefulSet or DaemonSet around a pod template.

    `ignore`: whether it bears the mark that keeps our own webhook away; only the demo does not. `spec`: further
    fields by their Kubernetes name (`replicas`, `strategy`, …).
    """
    marks = {names.IGNORE: "true"} if ignore else {}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": metadata(
            values,
            component,
            name,
            user_labels=True,
            user_annotations=True,
            annotations={**(annotations or {}), **marks},
        ),
        "spec": prune({**spec, "selector": {"matchLabels": selector(component)}, "template": template}),
    }


def deployment(
    values: Values, component: str, template: Manifest, *, replicas: int = 1, recreate: bool = False, **rest: Any
) -> Manifest:
    """Return a Deployment; `recreate`: end the old pod before the new one starts; `rest` as for `workload`."""
    strategy: Manifest = (
        {"type": "Recreate"}
        if recreate
        else {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}
    )
    return workload(values, "Deployment", component, template, **{"replicas": replicas, "strategy": strategy, **rest})


def service_account(
    values: Values,
    component: str,
    *,
    token: bool = False,
    name: str = "",
    annotations: Mapping[str, str] | None = None,
) -> Manifest:
    """Return a ServiceAccount with the pull secrets; `token`: pods may mount its API token without saying so."""
    account: Manifest = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": metadata(values, component, name, user_annotations=True, annotations=annotations),
        "automountServiceAccountToken": token,
    }
    if values.image.pull_secrets:
        account["imagePullSecrets"] = [{"name": secret} for secret in values.image.pull_secrets]
    return account
