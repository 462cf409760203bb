"""Kinds of workloads: where the pod template stands, and how what is needed is read from any of them.

Called by everything in this package. Tolerant: what is not of the expected type counts as absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

PATHS: Final[Mapping[str, tuple[str, ...]]] = {
    "Deployment": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "DaemonSet": ("spec", "template"),
    "ReplicaSet": ("spec", "template"),
    "Rollout": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
    "Pod": (),
}


def pod_template_path(kind: str) -> tuple[str, ...]:
    """Return the keys from the object to what holds the pod's metadata and spec; KeyError for other kinds."""
    return PATHS[kind]
