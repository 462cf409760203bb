"""Rules about what a container may do: restricted Pod Security, and the rest that a reviewer asks for.

Source: Kubernetes documentation, "Pod Security Standards", level restricted; read-only roots, tokens and Service
variables go beyond it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .model import Finding, Rule, Scene

_HOST = ("hostNetwork", "hostPID", "hostIPC")
_SECCOMP = ("RuntimeDefault", "Localhost")
_SAFE_SYSCTLS = frozenset(
    {
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ping_group_range",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_syncookies",
    }
)
_SAFE_TYPES = frozenset({"container_t", "container_init_t", "container_kvm_t", "container_engine_t"})
_VOLUMES = frozenset(
    {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
)


def _non_root(scene: Scene, rule: str) -> Iterator[Finding]:
    for container in scene.containers():
        if container.effective("runAsNonRoot") is not True:
            yield container.finding(rule, "securityContext.runAsNonRoot", "may run as root", what="runAsNonRoot")
        if container.effective("runAsUser") == 0:
            yield container.finding(rule, "securityContext.runAsUser", "runs as root", what="runAsUser")


def _escalation(scene: Scene, rule: str) -> Iterator[Finding]:
    for container in scene.containers():
        if container.security.get("allowPrivilegeEscalation") is not False:
            yield container.finding(rule, "securityContext.allowPrivilegeEscalation", "is not false")


def _privileged(scene: Scene, rule: str) -> Iterator[Finding]:
    for container in scene.containers():
        if container.security.get("privileged"):
            yield container.finding(rule, "securityContext.privileged", "is privileged", what="privileged")


def _drops(scene: Scene, rule: str) -> Iterator[Finding]:
    for container in scene.containers():
        if "ALL" not in ((container.security.get("capabilities") or {}).get("drop") or ()):
            yield container.finding(rule, "securityContext.capabilities.drop", "does not drop ALL")


def _adds(scene: Scene, rule: str) -> Iterator[Finding]:
    for container in scene.containers():
        for capability in (container.security.get("capabilities") or {}).get("add") or ():
            message = f"adds capability {capability}"
            yield container.finding(rule, "securityContext.capabilities.add", message, what=str(capability))


def _seccomp(scene: Scene, rule: str) -> Iterator[Finding]:
    for container in scene.containers():
        profile = (container.effective("seccompProfile") or {}).get("type")
        if profile not in _SECCOMP:
            message = f"is {profile or 'absent'}, not RuntimeDefault"
            yield container.finding(rule, "securityContext.seccompProfile.type", message, what=str(profile))


def _read_only(scene: Scene, rule: str) -> Iterator[Finding]:
    for container in scene.containers():
        if container.security.get("readOnlyRootFilesystem") is not True:
            yield container.finding(rule, "securityContext.readOnlyRootFilesystem", "is not true")


def _host(scene: Scene, rule: str) -> Iterator[Finding]:
    for pod in scene.pods:
        for key in _HOST:
            if pod.spec.get(key):
                yield pod.finding(rule, key, f"shares the node's {key.removeprefix('host')}", what=key)


def _host_ports(scene: Scene, rule: str) -> Iterator[Finding]:
    for container in scene.containers():
        # On the node's network every port is the node's; that is `no-host-namespaces`.
        if container.pod.spec.get("hostNetwork"):
            continue
        for index, port in enumerate(container.spec.get("ports") or ()):
            if port.get("hostPort"):
                yield container.finding(rule, f"ports[{index}].hostPort", "opens a port of the node")


def _volumes(scene: Scene, rule: str) -> Iterator[Finding]:
    for pod in scene.pods:
        for index, volume in enumerate(pod.spec.get("volumes") or ()):
            for source in sorted(set(volume) - {"name"} - _VOLUMES):
                what = str((volume[source] or {}).get("path", source)) if source == "hostPath" else source
                yield pod.finding(rule, f"volumes[{index}].{source}", f"mounts {source} {what}", what=what)


def _kernel(scene: Scene, rule: str) -> Iterator[Finding]:
    for pod in scene.pods:
        for index, entry in enumerate((pod.spec.get("securityContext") or {}).get("sysctls") or ()):
            if entry["name"] not in _SAFE_SYSCTLS:
                message = f"sets {entry['name']}"
                yield pod.finding(rule, f"securityContext.sysctls[{index}]", message, what=entry["name"])
    for container in scene.containers():
        if container.security.get("procMount", "Default") != "Default":
            yield container.finding(rule, "securityContext.procMount", "unmasks /proc", what="procMount")
        options = container.effective("seLinuxOptions") or {}
        for key in ("type", "user", "role"):
            if options.get(key) and not (key == "type" and options[key] in _SAFE_TYPES):
                message = f"chooses an SELinux {key}"
                yield container.finding(rule, f"securityContext.seLinuxOptions.{key}", message, what=str(options[key]))


def _token_explicit(scene: Scene, rule: str) -> Iterator[Finding]:
    bound = {
        (subject.get("namespace", item.reference.namespace), subject["name"])
        for item in scene.of("RoleBinding", "ClusterRoleBinding")
        for subject in item.manifest.get("subjects") or ()
        if subject.get("kind") == "ServiceAccount"
    }
    for pod in scene.pods:
        wanted = pod.spec.get("automountServiceAccountToken")
        if wanted is None:
            yield pod.finding(rule, "automountServiceAccountToken", "is not stated, so a token is mounted")
        account = (pod.item.reference.namespace, pod.spec.get("serviceAccountName", "default"))
        if account in bound:
            continue
        places = ["automountServiceAccountToken"] if wanted else []
        for place in (*places, *_projected_tokens(pod.spec)):
            yield pod.finding(rule, place, f"a token is mounted, but no Role is bound to ServiceAccount {account[1]}")


def _projected_tokens(spec: Mapping[str, Any]) -> Iterator[str]:
    """Yield where volumes bring an API token; one for another audience is no right in the cluster."""
    for index, volume in enumerate(spec.get("volumes") or ()):
        for number, source in enumerate((volume.get("projected") or {}).get("sources") or ()):
            token = source.get("serviceAccountToken")
            if token is not None and not token.get("audience"):
                yield f"volumes[{index}].projected.sources[{number}].serviceAccountToken"


def _service_links(scene: Scene, rule: str) -> Iterator[Finding]:
    for pod in scene.pods:
        if pod.spec.get("enableServiceLinks") is not False:
            yield pod.finding(rule, "enableServiceLinks", "every Service around becomes a variable")


_CONTEXT = "set it in the container's securityContext; values: globalPodSecurityContext"

RULES: tuple[Rule, ...] = (
    Rule("run-as-non-root", "no container runs as root", _CONTEXT, _non_root),
    Rule("no-privilege-escalation", "no process gains privileges", _CONTEXT, _escalation),
    Rule("not-privileged", "no container is privileged", _CONTEXT, _privileged),
    Rule("drop-all-capabilities", "every container drops all capabilities", _CONTEXT, _drops),
    Rule("no-added-capabilities", "no container adds a capability", "leave capabilities.add out", _adds),
    Rule("seccomp-runtime-default", "every container has a seccomp profile", _CONTEXT, _seccomp),
    Rule("read-only-root", "every root file system is read-only", "mount an emptyDir where it writes", _read_only),
    Rule("no-host-namespaces", "no pod shares network, processes or IPC with the node", "take the field out", _host),
    Rule("no-host-ports", "no container opens a port of the node", "use a Service", _host_ports),
    Rule(
        "restricted-volumes", "no pod mounts the node's files or legacy volumes", "use an emptyDir or claim", _volumes
    ),
    Rule(
        "no-kernel-settings",
        "no pod sets unsafe sysctls, /proc masks or SELinux domains",
        "take the field out",
        _kernel,
    ),
    Rule(
        "token-only-with-rights",
        "a pod states whether it mounts an API token, and does only where a Role is bound to its account",
        "set automountServiceAccountToken; bind a Role, or do without the token",
        _token_explicit,
    ),
    Rule("no-service-links", "no pod gets variables of Services", "set enableServiceLinks: false", _service_links),
)
