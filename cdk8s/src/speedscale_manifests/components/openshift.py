"""SecurityContextConstraints: what OpenShift asks for beside Pod Security, where a pod needs more than `restricted-v2`.

Written with preset `openshift` only. All our other pods leave user and group to the platform there.
"""

from __future__ import annotations

from typing import Any

from speedscale_manifests.objects import Grant, Manifest, metadata
from speedscale_manifests.values import Values

GROUP = "security.openshift.io"

_CLOSED: dict[str, Any] = {
    "allowHostDirVolumePlugin": False,
    "allowHostIPC": False,
    "allowHostNetwork": False,
    "allowHostPID": False,
    "allowHostPorts": False,
    "allowPrivilegeEscalation": False,
    "allowPrivilegedContainer": False,
    "allowedCapabilities": [],
    "defaultAddCapabilities": [],
    "requiredDropCapabilities": [],
    "priority": 0,
    "fsGroup": {"type": "RunAsAny"},
    "readOnlyRootFilesystem": False,
    "runAsUser": {"type": "RunAsAny"},
    "seLinuxContext": {"type": "MustRunAs"},
    "seccompProfiles": ["runtime/default"],
    "supplementalGroups": {"type": "RunAsAny"},
    "volumes": ["configMap", "downwardAPI", "emptyDir", "projected", "secret"],
}


def applies(values: Values) -> bool:
    """Return whether the cluster is OpenShift."""
    return values.preset == "openshift"


def constraints(values: Values, component: str, **allowed: Any) -> Manifest:
    """Return SecurityContextConstraints that allow nothing but what is named, by the field's own name."""
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "SecurityContextConstraints",
        "metadata": metadata(values, component, namespace=""),
        **_CLOSED,
        **allowed,
    }


def use(name: str) -> Grant:
    """Return the right to run pods under one SecurityContextConstraints."""
    return Grant((GROUP,), ("securitycontextconstraints",), ("use",), "run under its own constraints", (name,))
