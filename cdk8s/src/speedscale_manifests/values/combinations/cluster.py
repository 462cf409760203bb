"""What the operator, certificates and the kind of cluster demand of each other."""

from __future__ import annotations

from collections.abc import Iterator

from .rule import Finding, Rule, Tree

_NO_NETTAP = {
    "gke-autopilot": "GKE Autopilot runs no DaemonSet with the capabilities that nettap needs",
    "eks-fargate": "Fargate runs no DaemonSet",
}
# preset → setting, why the cluster refuses it when it is on, what to do
_NOT_ON: dict[str, tuple[tuple[str, str, str], ...]] = {
    "gke-autopilot": (
        (
            "hostNetwork",
            "GKE Autopilot refuses pods on the node's network",
            "leave it off: its API server reaches pods",
        ),
        (
            "privilegedSidecars",
            "GKE Autopilot refuses privileged containers",
            "use `sidecar.proxy_type: dual`, which needs none",
        ),
    ),
    "eks-fargate": (
        ("hostNetwork", "Fargate has no node's network", "leave it off: the API server reaches pods there"),
        (
            "privilegedSidecars",
            "Fargate refuses privileged containers",
            "use `sidecar.proxy_type: dual`, which needs none",
        ),
    ),
}
_FOREIGN = ("kube-system", "kube-public", "kube-node-lease")


def _leader(tree: Tree) -> Iterator[Finding]:
    operator = tree["operator"]
    if operator["replicas"] > 1 and not operator["leaderElection"]:
        reason = f"{operator['replicas']} operators without a leader would all reconcile the same objects"
        cause = ("operator", "replicas")
        yield Finding(("operator", "leaderElection"), reason, "set it to true, or `operator.replicas` to 1", cause)


def _certificates(tree: Tree) -> Iterator[Finding]:
    certificates = tree["certificates"]
    if not tree["createTLSCerts"] and certificates["mode"] == "controller":
        reason = "certificates are off, yet `certificates.mode` leaves them to the controller"
        remedy = "set `certificates.mode` to cert-manager or manual, or `createTLSCerts` to true"
        yield Finding(("createTLSCerts",), reason, remedy)


def _issuer(tree: Tree) -> Iterator[Finding]:
    certificates = tree["certificates"]
    if certificates["mode"] == "cert-manager" and not certificates["issuerRef"]["name"]:
        reason = "mode cert-manager needs an issuer"
        cause = ("certificates", "mode")
        yield Finding(("certificates", "issuerRef", "name"), reason, "name the ClusterIssuer or Issuer", cause)


def _unused_issuer(tree: Tree) -> Iterator[Finding]:
    certificates = tree["certificates"]
    if certificates["mode"] != "cert-manager" and certificates["issuerRef"]["name"]:
        reason = f"no issuer is asked in mode {certificates['mode']}"
        yield Finding(
            ("certificates", "issuerRef", "name"), reason, "set `certificates.mode` to cert-manager, or remove it"
        )


def _no_nettap(tree: Tree) -> Iterator[Finding]:
    reason = _NO_NETTAP.get(tree["preset"])
    if reason and tree["ebpf"]["enabled"]:
        yield Finding(("ebpf", "enabled"), reason, "capture with sidecars there: set it to false")


def _not_on_preset(tree: Tree) -> Iterator[Finding]:
    for key, reason, remedy in _NOT_ON.get(tree["preset"], ()):
        if tree[key]:
            yield Finding((key,), reason, remedy)


def _own_namespace(tree: Tree) -> Iterator[Finding]:
    for index, name in enumerate(tree["namespaceSelector"]):
        if name == tree["namespace"]:
            yield Finding(
                ("namespaceSelector", index), "our own namespace is always watched", "remove it, it changes nothing"
            )


def _system_namespace(tree: Tree) -> Iterator[Finding]:
    if tree["namespace"] in _FOREIGN:
        yield Finding(
            ("namespace",), f"{tree['namespace']} belongs to the cluster", "give the installation its own namespace"
        )


def _host_network(tree: Tree) -> Iterator[Finding]:
    if tree["hostNetwork"] and tree["operator"]["replicas"] > 1:
        reason = "on the node's network two operators cannot share a node: their port is taken"
        yield Finding(("operator", "replicas"), reason, "have at least as many nodes as operators")


def _drift_off(tree: Tree) -> Iterator[Finding]:
    if tree["profile"] == "operator" and tree["operator"]["drift"] == "off":
        reason = "in profile operator nobody else puts changed components right"
        yield Finding(("operator", "drift"), reason, "leave it empty (enforce), or use profile gitops")


def _nobody_checks(tree: Tree) -> Iterator[Finding]:
    if tree["preInstall"]["enabled"] and not tree["appUrl"] and not tree["backend"]["enabled"]:
        reason = "the Job checks the way to a backend, and there is none"
        yield Finding(("preInstall", "enabled"), reason, "set `appUrl` or `backend.enabled`")


def _roots_of_nobody(tree: Tree) -> Iterator[Finding]:
    if tree["appRoots"] and not tree["appUrl"]:
        reason = "these are roots of a backend outside of this installation, and none is named"
        yield Finding(("appRoots",), reason, "set `appUrl`, or leave it out: of `backend.enabled` the root is known")


RULES = (
    Rule("leader-election", "refuse", "more than one operator needs `operator.leaderElection`", _leader),
    Rule("certificates-off", "refuse", "without `createTLSCerts` somebody else makes the certificates", _certificates),
    Rule("issuer-missing", "refuse", "`certificates.mode: cert-manager` needs `certificates.issuerRef.name`", _issuer),
    Rule("nettap-impossible", "refuse", "no `ebpf.enabled` where the kind of cluster runs no nettap", _no_nettap),
    Rule("preset-limit", "refuse", "nothing is on that the kind of cluster refuses", _not_on_preset),
    Rule("issuer-unused", "warn", "an issuer is asked in mode cert-manager only", _unused_issuer),
    Rule("roots-unused", "warn", "`appRoots` are for the backend of `appUrl`", _roots_of_nobody),
    Rule("own-namespace", "warn", "`namespaceSelector` need not name our own namespace", _own_namespace),
    Rule("system-namespace", "warn", "the installation has a namespace of its own", _system_namespace),
    Rule("host-port", "warn", "operators on the node's network need a node each", _host_network),
    Rule("drift-off", "warn", "in profile operator somebody reconciles", _drift_off),
    Rule("pre-install-alone", "warn", "`preInstall.enabled` needs a backend to check", _nobody_checks),
)
