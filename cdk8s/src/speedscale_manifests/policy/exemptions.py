"""What is allowed to break a rule, and why. Data only.

An exemption names the rule, the component, the container (or `*`, or "" for the pod itself) and the very things that
are allowed; anything else still breaks the rule. A test holds that each of them is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from .model import Finding


@dataclass(frozen=True, slots=True)
class Exemption:
    """One allowed breach. `allows`: the `what` of findings, `*` for any."""

    rule: str
    component: str
    reason: str
    container: str = ""
    allows: tuple[str, ...] = ("*",)

    def covers(self, finding: Finding) -> bool:
        """Return whether this allows a finding."""
        return (
            finding.rule == self.rule
            and finding.component == self.component
            and fnmatchcase(finding.container, self.container)
            and ("*" in self.allows or finding.what in self.allows)
        )


_INIT = "speedscale-initproxy-*"
_CAPTURE = "speedscale-nettap-capture"
_THEIR_POD = "the pod is the user's; only our containers and volumes are put into it"
_RULES_NEED = "iptables rules need NET_ADMIN, and a capability added to another user than root is not effective"
_PRIVILEGED = "`privilegedSidecars` asks for it, where a cluster refuses NET_ADMIN alone"
_LOADER = "loading and attaching eBPF programs needs root with exactly these capabilities"
_NODE = "it sees the traffic of the node's pods, in their network and process namespaces"

EXEMPTIONS: tuple[Exemption, ...] = (
    Exemption("run-as-non-root", "sidecar", _RULES_NEED, _INIT),
    Exemption("no-added-capabilities", "sidecar", _RULES_NEED, _INIT, ("NET_ADMIN",)),
    Exemption("not-privileged", "sidecar", _PRIVILEGED, _INIT),
    Exemption("drop-all-capabilities", "sidecar", _PRIVILEGED, _INIT),
    Exemption("no-privilege-escalation", "sidecar", _PRIVILEGED, _INIT),
    Exemption(
        "no-added-capabilities",
        "sidecar",
        "`sidecar.observeDns` asks for names from DNS answers, which only a raw socket sees",
        "speedscale-goproxy",
        ("NET_RAW",),
    ),
    Exemption(
        "no-privilege-escalation",
        "sidecar",
        "with `sidecar.observeDns`: a user other than root gets NET_RAW through the file's capability only",
        "speedscale-goproxy",
    ),
    Exemption("token-only-with-rights", "sidecar", _THEIR_POD),
    Exemption("no-service-links", "sidecar", _THEIR_POD),
    Exemption(
        "resources-set",
        "sidecar",
        "a limit that nobody chose would throttle the application; values and annotations set it",
        "speedscale-*",
        ("limits.cpu", "limits.memory"),
    ),
    Exemption(
        "references-exist",
        "generator",
        "the snapshot under test, named by the TrafficReplay",
    ),
    Exemption(
        "references-exist",
        "responder",
        "the snapshot that mocks come from, named by the TrafficReplay",
    ),
    Exemption("probes-set", "java-client", "a client listens on nothing", "java-client"),
    Exemption(
        "probes-set",
        "nettap",
        "capture serves nothing: a program says that it lives, and the ingest beside it when the pod is ready",
        _CAPTURE,
    ),
    Exemption(
        "no-host-namespaces",
        "operator",
        "`hostNetwork` asks for it, where the API server cannot reach pods (EKS with Calico)",
        "",
        ("hostNetwork",),
    ),
    Exemption("run-as-non-root", "nettap", _LOADER, _CAPTURE),
    Exemption(
        "no-added-capabilities",
        "nettap",
        _LOADER,
        _CAPTURE,
        ("BPF", "PERFMON", "NET_ADMIN", "SYS_PTRACE"),
    ),
    Exemption(
        "no-added-capabilities",
        "nettap",
        "added by values only, where `speedctl nettap doctor` shows that the kernel asks for it",
        _CAPTURE,
        ("SYS_ADMIN",),
    ),
    Exemption("no-host-namespaces", "nettap", _NODE, "", ("hostNetwork", "hostPID")),
    Exemption(
        "restricted-volumes",
        "nettap",
        "processes, cgroups and kernel types of the node, read only",
        "",
        ("/proc", "/sys/fs/cgroup", "/sys"),
    ),
    Exemption(
        "no-kernel-settings",
        "nettap",
        "preset bottlerocket: only super_t may read the node's files under SELinux there",
        _CAPTURE,
        ("super_t", "system_u", "system_r"),
    ),
    Exemption(
        "no-kernel-settings",
        "nettap",
        "preset openshift: only spc_t may read the files of other processes under SELinux there",
        _CAPTURE,
        ("spc_t",),
    ),
)
"""The table."""


def exempt(finding: Finding) -> bool:
    """Return whether some exemption allows a finding."""
    return any(exemption.covers(finding) for exemption in EXEMPTIONS)
