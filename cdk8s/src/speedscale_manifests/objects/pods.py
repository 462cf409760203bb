"""Pod templates: identity, scheduling and the pod's own security.

A pod mounts an API token only where its component says so, gets no environment from Services around it, and bears the
hash of the configuration it was started with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from speedscale_manifests.values import Values

from . import names
from .config import config_hash
from .identity import labels
from .manifest import Manifest, prune, tidy


def pod_security(values: Values) -> Manifest:
    """Return the security context of our pods."""
    context: Manifest = prune(values.global_security_context)
    return context


def pod_template(
    values: Values,
    component: str,
    containers: Sequence[Manifest],
    *,
    service_account: str = "",
    token: bool = False,
    config: Sequence[Manifest] = (),
    template_labels: Mapping[str, str] | None = None,
    template_annotations: Mapping[str, str] | None = None,
    **spec: Any,
) -> Manifest:
    """Return a pod template.

    `service_account`: name; without one the pod runs as `default` and bears the pull secrets itself. `token`: mount
    the account's API token. `config`: ConfigMaps whose change rolls the workload. `spec`: further fields of the pod
    by their Kubernetes name, winning over the defaults; None takes a default away.
    """
    annotations = {**values.global_annotations, **(template_annotations or {})}
    if config:
        annotations[names.CONFIG_HASH] = config_hash(*config)
    pulls = [] if service_account else [{"name": name} for name in values.image.pull_secrets]
    defaults: Manifest = {
        "serviceAccountName": service_account or None,
        "automountServiceAccountToken": token,
        "enableServiceLinks": False,
        "imagePullSecrets": pulls,
        "securityContext": pod_security(values),
        "affinity": values.affinity,
        "tolerations": values.tolerations,
        "nodeSelector": values.node_selector,
        "priorityClassName": values.priority_class_name or None,
        "containers": list(containers),
    }
    return {
        "metadata": tidy(
            {
                "labels": {**values.global_labels, **(template_labels or {}), **labels(component)},
                "annotations": annotations,
            }
        ),
        "spec": tidy({**defaults, **spec}),
    }
