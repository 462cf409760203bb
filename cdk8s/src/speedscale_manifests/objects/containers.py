"""Containers: image, security context, probes, scratch space.

Every container of ours comes from `container`, which is where restricted Pod Security is the default. A component that
needs more passes its own `securityContext` and stands in the policy's table of exemptions with a reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict, Unpack

from speedscale_manifests.values import Values

from .manifest import Manifest, tidy


class ContainerParts(TypedDict, total=False):
    """Parts of a container by the names that Kubernetes gives them; None and empty ones are left out."""

    command: Sequence[str]
    args: Sequence[str]
    env: Sequence[Manifest]
    envFrom: Sequence[Manifest]
    ports: Sequence[Manifest]
    volumeMounts: Sequence[Manifest]
    livenessProbe: Manifest | None
    readinessProbe: Manifest | None
    startupProbe: Manifest | None
    lifecycle: Manifest | None
    restartPolicy: str | None
    securityContext: Mapping[str, Any]
    workingDir: str


def image(values: Values, name: str) -> str:
    """Return an image's reference: `<registry>/<name>:<tag>`, or `…@sha256:…` where a digest is given."""
    base = f"{values.image.registry}/{name}"
    digest = values.image_digests.get(name)
    if digest:
        return f"{base}@{digest}"
    return f"{base}:{values.image_tags.get(name) or values.image.tag}"


def container(
    values: Values, name: str, image_name: str, resources: Mapping[str, Any], **parts: Unpack[ContainerParts]
) -> Manifest:
    """Return a container.

    `image_name`: as in `imageTags`. `resources`: requests and limits. `parts`: the rest by its Kubernetes name;
    without `securityContext` it gets the installation's (`globalPodSecurityContext`, named so by the chart).
    """
    return tidy(
        {
            "name": name,
            "image": image(values, image_name),
            "imagePullPolicy": values.image.pull_policy,
            "securityContext": values.global_pod_security_context,
            "resources": {key: value for key, value in resources.items() if value},
            **parts,
        }
    )


def http_probe(
    path: str,
    port: str | int,
    *,
    delay_s: int = 0,
    period_s: int = 10,
    timeout_s: int = 5,
    failures: int = 3,
) -> Manifest:
    """Return an HTTP probe with every field written, so that the API server's defaults are no drift.

    `port`: number, or name of a container port. Times in seconds (at least 1, the delay at least 0).
    """
    return _probe({"httpGet": {"path": path, "port": port, "scheme": "HTTP"}}, delay_s, period_s, timeout_s, failures)


def exec_probe(
    command: Sequence[str], *, delay_s: int = 0, period_s: int = 10, timeout_s: int = 5, failures: int = 3
) -> Manifest:
    """Return a probe that runs a program in the container; fields as in `http_probe`."""
    return _probe({"exec": {"command": list(command)}}, delay_s, period_s, timeout_s, failures)


def _probe(how: Manifest, delay_s: int, period_s: int, timeout_s: int, failures: int) -> Manifest:
    times: Manifest = {
        "periodSeconds": period_s,
        "timeoutSeconds": timeout_s,
        "successThreshold": 1,
        "failureThreshold": failures,
    }
    return {**how, **times, **({"initialDelaySeconds": delay_s} if delay_s else {})}


def scratch(name: str, path: str, size: str | None = None) -> tuple[Manifest, Manifest]:
    """Return an emptyDir volume (bounded by `size`, a quantity) and its mount; roots are read-only."""
    return {"name": name, "emptyDir": {"sizeLimit": size} if size else {}}, {"name": name, "mountPath": path}
