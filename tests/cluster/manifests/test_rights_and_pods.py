"""Pod Security and RBAC as a real API server judges them: our policy says the same, and rights end where they must."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from harness.cluster import Cluster

from speedscale_kube import Client, Ref
from speedscale_kube.errors import ForbiddenError
from speedscale_manifests.bundle import bundle
from speedscale_manifests.components import rbac
from speedscale_manifests.components.inventory import inventory
from speedscale_manifests.objects import service_account
from speedscale_manifests.policy import RULES
from speedscale_manifests.policy.model import Item, Pod, Scene
from speedscale_manifests.policy.staging import stage
from speedscale_manifests.values import from_mapping

Manifest = dict[str, Any]
REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
EVERYTHING = {
    "ebpf": {"enabled": True},
    "backend": {"enabled": True},
    "preInstall": {"enabled": True},
    "appUrl": "app.example.com",
}
STANDARD = {
    "run-as-non-root",
    "no-privilege-escalation",
    "not-privileged",
    "drop-all-capabilities",
    "no-added-capabilities",
    "seccomp-runtime-default",
    "no-host-namespaces",
    "no-host-ports",
    "restricted-volumes",
    "no-kernel-settings",
}
"""Rules that the standard `restricted` has, too."""


@pytest.fixture
def restricted(namespace: str, kube: Client) -> str:
    """A namespace that enforces the strictest level, with its default account."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}}, "policy")
    account = Ref("v1", "ServiceAccount", namespace, "default")
    Cluster.until(lambda: kube.find(account) is not None, f"{account} is there")
    return namespace


def _bare(spec: Manifest, namespace: str) -> Manifest:
    """Return a pod of this template, as nobody in particular: accounts and classes are not what is judged."""
    own = {
        key: value
        for key, value in copy.deepcopy(spec).items()
        if key not in ("serviceAccountName", "priorityClassName", "imagePullSecrets")
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "judged", "namespace": namespace}, "spec": own}


def _taken(kube: Client, pod: Manifest) -> bool:
    """Return whether the API server would take a pod; any refusal but Pod Security's is an error of this test."""
    try:
        kube.create(pod, "policy", dry_run=True)
    except ForbiddenError as error:
        if "violates PodSecurity" not in str(error):
            raise
        return False
    return True


def _meets_standard(pod: Manifest) -> bool:
    scene = Scene((Item(pod),))
    return not [finding for rule in RULES if rule.id in STANDARD for finding in rule.findings(scene)]


def _pods() -> Iterator[Pod]:
    values = from_mapping(EVERYTHING)
    yield from stage([*(item.manifest for item in inventory(values)), *bundle(values)]).pods


def test_the_api_server_judges_our_pods_as_our_policy_does(restricted: str, kube: Client) -> None:
    """Everything meets `restricted` but what is exempt with a reason: nettap, and what is put into users' pods."""
    refused = set()
    for pod in _pods():
        bare = _bare(pod.spec, restricted)
        taken = _taken(kube, bare)
        assert taken == _meets_standard(bare), pod.item.reference
        if not taken:
            refused.add(pod.item.component)
    assert refused == {"nettap", "sidecar"}


def _context(**fields: Any) -> Callable[[Manifest], Any]:
    return lambda spec: spec["containers"][0]["securityContext"].update(fields)


def _pod_context(**fields: Any) -> Callable[[Manifest], Any]:
    return lambda spec: spec.setdefault("securityContext", {}).update(fields)


CHANGES: dict[str, Callable[[Manifest], Any]] = {
    "nothing": lambda spec: None,
    "root": _context(runAsUser=0),
    "may be root": _context(runAsNonRoot=False),
    "escalates": _context(allowPrivilegeEscalation=True),
    "escalation unset": lambda spec: spec["containers"][0]["securityContext"].pop("allowPrivilegeEscalation"),
    "privileged": _context(privileged=True, allowPrivilegeEscalation=True),
    "drops nothing": _context(capabilities={}),
    "adds": _context(capabilities={"drop": ["ALL"], "add": ["NET_RAW"]}),
    "unconfined": _context(seccompProfile={"type": "Unconfined"}),
    "no profile": lambda spec: spec["containers"][0]["securityContext"].pop("seccompProfile"),
    "profile of a file": _context(seccompProfile={"type": "Localhost", "localhostProfile": "a.json"}),
    "no user": lambda spec: spec["containers"][0]["securityContext"].pop("runAsUser"),
    "SELinux level": _context(seLinuxOptions={"level": "s0:c1"}),
    "SELinux type": _context(seLinuxOptions={"type": "spc_t"}),
    "SELinux usual type": _context(seLinuxOptions={"type": "container_t"}),
    "host network": lambda spec: spec.update(hostNetwork=True),
    "host processes": lambda spec: spec.update(hostPID=True),
    "host port": lambda spec: spec["containers"][0]["ports"][0].update(hostPort=9443),
    "host files": lambda spec: spec["volumes"].append({"name": "h", "hostPath": {"path": "/var"}}),
    "NFS": lambda spec: spec["volumes"].append({"name": "n", "nfs": {"server": "nas", "path": "/"}}),
    "projected": lambda spec: spec["volumes"].append({"name": "p", "projected": {"sources": []}}),
    "safe sysctl": _pod_context(sysctls=[{"name": "net.ipv4.tcp_syncookies", "value": "1"}]),
    "unsafe sysctl": _pod_context(sysctls=[{"name": "kernel.msgmax", "value": "65536"}]),
}


def test_a_spoilt_pod_is_judged_alike(restricted: str, kube: Client) -> None:
    (operator,) = [pod for pod in _pods() if pod.item.component == "operator"]
    verdicts = {}
    for name, change in CHANGES.items():
        bare = _bare(operator.spec, restricted)
        change(bare["spec"])
        verdicts[name] = (_taken(kube, bare), _meets_standard(bare))
    assert {name: taken for name, (taken, _) in verdicts.items()} == {
        name: ours for name, (_, ours) in verdicts.items()
    }
    assert {taken for taken, _ in verdicts.values()} == {True, False}


@pytest.fixture
def granted(namespace: str, kube: Client, cluster: Cluster) -> Iterator[Callable[..., Callable[..., bool]]]:
    """Give an operator its rights; return who answers whether it may do something."""
    made: list[Manifest] = []

    def grant(**tree: Any) -> Callable[..., bool]:
        values = from_mapping({"namespace": namespace, **tree})
        for manifest in [service_account(values, "operator"), *rbac.rights(values)]:
            kube.apply(manifest, "policy")
            made.append(manifest)
        who = f"system:serviceaccount:{namespace}:speedscale-operator"

        def may(verb: str, resource: str, group: str = "", name: str = "", where: str = "") -> bool:
            attributes = {"verb": verb, "resource": resource, "group": group, "name": name, "namespace": where}
            review = {
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SubjectAccessReview",
                "spec": {"user": who, "resourceAttributes": {key: text for key, text in attributes.items() if text}},
            }
            answer = cluster.kubectl("create", "--raw", REVIEWS, "-f", "-", stdin=json.dumps(review))
            return bool(json.loads(answer)["status"]["allowed"])

        return may

    yield grant
    for manifest in made:
        kube.delete(kube.ref(manifest))


def test_what_the_operator_may_and_may_not(namespace: str, granted: Any) -> None:
    may = granted(secretAccessList=["db-login"])
    admission = "admissionregistration.k8s.io"
    assert may("patch", "deployments", "apps", where="shop")
    assert may("create", "jobs", "batch", where="shop")
    assert may("get", "secrets", name="speedscale-certs", where="shop")
    assert may("get", "secrets", name="db-login", where="shop")
    assert may("watch", "secrets", name="speedscale-webhook-certs", where=namespace)
    assert may("update", "leases", "coordination.k8s.io", "speedscale-operator", namespace)
    assert may("patch", "mutatingwebhookconfigurations", admission, "speedscale-operator")
    assert not may("patch", "mutatingwebhookconfigurations", admission, "cert-manager-webhook")
    assert not may("get", "secrets", name="another", where="shop")
    assert not may("list", "secrets", where="shop")
    assert not may("patch", "secrets", name="db-login", where="shop")
    assert not may("watch", "secrets", where=namespace)
    assert not may("create", "pods", where="shop")
    assert not may("create", "clusterrolebindings", "rbac.authorization.k8s.io")
    assert not may("create", "serviceaccounts", where="shop")
    assert not may("update", "leases", "coordination.k8s.io", "another", namespace)
    assert not may("create", "leases", "coordination.k8s.io", where="shop")


def test_rights_end_at_the_selected_namespaces(namespace: str, kube: Client, granted: Any) -> None:
    shop = f"{namespace}-shop"
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": shop}}, "policy")
    try:
        may = granted(namespaceSelector=[shop])
        for where, allowed in ((shop, True), (namespace, True), ("default", False)):
            assert may("patch", "deployments", "apps", where=where) is allowed
            assert may("watch", "pods", where=where) is allowed
            assert may("create", "secrets", where=where) is allowed
        assert may("get", "namespaces", name=shop)
        assert not may("get", "namespaces", name="kube-system")
        assert not may("list", "deployments", "apps")
    finally:
        kube.delete(Ref("v1", "Namespace", "", shop))


KINDS_OF_CLUSTER: tuple[dict[str, Any], ...] = (
    {"preset": "gke-autopilot"},
    {"preset": "openshift", "ebpf": {"enabled": True}},
    {"preset": "bottlerocket", "ebpf": {"enabled": True}},
    {"preset": "eks-calico", "operator": {"replicas": 2}},
    {"preset": "eks-fargate"},
    {"forwarder": {"replicas": 3}, "backend": {"enabled": True}, "networkPolicies": {"metricsNamespaces": ["default"]}},
    {"privilegedSidecars": True, "sidecar": {"observeDns": True}, "preInstall": {"enabled": True}, "appUrl": "a.b.c"},
)
ELSEWHERE = {"SecurityContextConstraints", "Certificate"}
"""Kinds of OpenShift and cert-manager, which a plain API server does not have."""


@pytest.mark.parametrize("tree", KINDS_OF_CLUSTER, ids=lambda tree: tree.get("preset", "-".join(tree)))
def test_the_api_server_takes_every_object(tree: dict[str, Any], namespace: str, kube: Client) -> None:
    """Strictly and without a trace: output, bundle, and what the controller makes of the bundle's templates."""
    values = from_mapping({**tree, "namespace": namespace, "createNamespace": False})
    scene = stage([*(item.manifest for item in inventory(values)), *bundle(values)], values.preset)
    judged = 0
    for item in scene.items:
        if item.kind in ELSEWHERE:
            continue
        manifest = copy.deepcopy(item.manifest)
        if item.template and "namespace" in manifest["metadata"]:
            manifest["metadata"]["namespace"] = namespace
        manifest["metadata"].pop("ownerReferences", None)
        kube.apply(manifest, "policy", dry_run=True, strict=True)
        judged += 1
    assert judged > 40
