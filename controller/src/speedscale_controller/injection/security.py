"""Pod Security: what a namespace's level refuses of what we would add.

Source: Pod Security Standards (kubernetes.io/docs/concepts/security/pod-security-standards). Only our own containers
and volumes are judged; the rest is between the workload and its namespace. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

LABEL: Final = "pod-security.kubernetes.io/enforce"
_BASELINE_CAPABILITIES = frozenset(
    {
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    }
)
_RESTRICTED_VOLUMES = frozenset(
    {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
)


def level(labels: Mapping[str, str], default: str) -> str:
    """Return the level that a namespace with these labels enforces; an unknown one counts as the strictest."""
    found = labels.get(LABEL, default)
    return found if found in ("privileged", "baseline") else "restricted"


def violations(
    enforced: str, containers: Iterable[Mapping[str, Any]], volumes: Iterable[Mapping[str, Any]]
) -> list[str]:
    """Return what the level (`privileged`, `baseline`, `restricted`) refuses, in words."""
    if enforced == "privileged":
        return []
    found = [f"{c['name']} {what}" for c in containers for what in _container(c, enforced == "restricted")]
    allowed = _RESTRICTED_VOLUMES if enforced == "restricted" else None
    for volume in volumes:
        kinds = [key for key in volume if key != "name"]
        if "hostPath" in kinds or (allowed is not None and not set(kinds) <= allowed):
            found.append(f"volume {volume['name']} is a {'/'.join(kinds)}")
    return found


def _container(container: Mapping[str, Any], restricted: bool) -> Iterator[str]:
    context = container.get("securityContext") or {}
    capabilities = context.get("capabilities") or {}
    added = set(capabilities.get("add") or ())
    if context.get("privileged"):
        yield "is privileged"
    if extra := sorted(added - (frozenset({"NET_BIND_SERVICE"}) if restricted else _BASELINE_CAPABILITIES)):
        yield f"needs {', '.join(extra)}"
    if not restricted:
        return
    if context.get("runAsUser") == 0 or not context.get("runAsNonRoot"):
        yield "runs as root"
    if context.get("allowPrivilegeEscalation") is not False:
        yield "may escalate privileges"
    if "ALL" not in (capabilities.get("drop") or ()):
        yield "keeps capabilities"
    if (context.get("seccompProfile") or {}).get("type") not in ("RuntimeDefault", "Localhost"):
        yield "has no seccomp profile"
