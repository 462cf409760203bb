"""Each preset over all that these values make, templates filled: what its kind of cluster refuses is not there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache
from typing import Any

import pytest

from speedscale_manifests import policy
from speedscale_manifests.bundle import bundle
from speedscale_manifests.components.inventory import enabled, inventory
from speedscale_manifests.objects import Manifest
from speedscale_manifests.validate import kubernetes
from speedscale_manifests.values import ValuesError, from_mapping
from speedscale_manifests.values.loading import presets
from speedscale_schemas.annotations.quantities import amount
from speedscale_schemas.templates import examples, fill

WITH_BACKEND: Mapping[str, Any] = {"backend": {"enabled": True}}


def objects(**tree: Any) -> list[Manifest]:
    """Return all objects of the output, and all templates, filled with examples."""
    return _objects(json.dumps(tree, sort_keys=True))


@cache
def _objects(text: str) -> list[Manifest]:
    tree = json.loads(text)
    values = from_mapping({**WITH_BACKEND, **tree})
    # What the controller fills in for the sidecar are the values' own settings.
    known = {**examples(), "sidecar_resources": values.tree()["sidecar"]["resources"]}
    filled = [fill(t, known) for c in enabled(values) for t in c.templates(values)]
    return [*(p.manifest for p in inventory(values)), *filled]


def pods(found: list[Manifest]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield name and spec of every pod template."""
    for manifest in found:
        template = manifest.get("template") or manifest.get("spec", {}).get("template")
        if template:
            yield manifest["metadata"]["name"], template["spec"]


def containers(found: list[Manifest]) -> Iterator[tuple[str, dict[str, Any]]]:
    for _, pod in pods(found):
        for container in [*pod.get("initContainers", ()), *pod["containers"]]:
            yield container["name"], container


def capabilities(found: list[Manifest]) -> dict[str, list[str]]:
    added = ((n, c.get("securityContext", {}).get("capabilities", {}).get("add", [])) for n, c in containers(found))
    return {name: add for name, add in added if add}


def names(found: list[Manifest], kind: str) -> list[str]:
    return [m["metadata"]["name"] for m in found if m["kind"] == kind]


def test_they_are_those_of_the_schema() -> None:
    assert presets() == ("bottlerocket", "eks", "eks-calico", "eks-fargate", "gke-autopilot", "openshift")


@pytest.mark.parametrize("preset", presets())
@pytest.mark.parametrize("profile", ["gitops", "operator"])
def test_policies_hold_and_kubernetes_accepts(preset: str, profile: str) -> None:
    tree: dict[str, Any] = {"preset": preset, "profile": profile, **WITH_BACKEND}
    if preset not in ("gke-autopilot", "eks-fargate"):
        tree["ebpf"] = {"enabled": True}
    values = from_mapping(tree)
    assert policy.check([*(p.manifest for p in inventory(values)), *bundle(values)], preset) == []
    for version in ("1.28", kubernetes.versions()[-1]):
        for manifest in objects(**tree):
            assert not kubernetes.check(manifest, version), manifest["metadata"]["name"]


@pytest.mark.parametrize("preset", presets())
def test_what_the_user_says_wins(preset: str) -> None:
    values = from_mapping({"preset": preset, "cloudProvider": "azure", "sidecar": {"proxy_type": "reverse"}})
    assert (values.cloud_provider, values.sidecar.proxy_type) == ("azure", "reverse")


# GKE Autopilot


def test_autopilot_requests_are_limits_and_name_storage() -> None:
    found = list(containers(objects(preset="gke-autopilot")))
    assert "speedscale-goproxy" in [name for name, _ in found]
    for name, container in found:
        resources = container["resources"]
        assert resources["requests"] == resources["limits"], name
        assert set(resources["requests"]) == {"cpu", "memory", "ephemeral-storage"}, name


def test_autopilot_accepts_the_amounts_as_they_are() -> None:
    for name, pod in pods(objects(preset="gke-autopilot")):
        if name == "speedscale-sidecar":
            continue  # stands beside an application, whose amounts count too
        cpu, memory, storage = (
            sum(amount(c["resources"]["requests"][r]) for c in pod["containers"])
            for r in ("cpu", "memory", "ephemeral-storage")
        )
        gib = Decimal(1024**3)
        assert cpu >= Decimal("0.25"), name
        assert cpu % Decimal("0.25") == 0, name
        assert Decimal(1) <= memory / gib / cpu <= Decimal("6.5"), name
        assert Decimal(10 * 1024**2) <= storage <= 10 * gib, name


def test_autopilot_scratch_space_stays_below_what_evicts_the_pod() -> None:
    for name, pod in pods(objects(preset="gke-autopilot")):
        scratch = sum(amount(v["emptyDir"]["sizeLimit"]) for v in pod["volumes"] if "emptyDir" in v)
        assert scratch < sum(amount(c["resources"]["limits"]["ephemeral-storage"]) for c in pod["containers"]), name


def test_autopilot_gets_no_capability_no_node_and_dual_mode() -> None:
    found = objects(preset="gke-autopilot")
    assert capabilities(found) == {}
    assert names(found, "DaemonSet") == []
    for name, pod in pods(found):
        assert not {"hostNetwork", "hostPID", "hostIPC"} & {k for k, v in pod.items() if v is True}, name
        assert not [v for v in pod["volumes"] if "hostPath" in v], name
    assert not [c for _, c in containers(found) if c["securityContext"].get("privileged")]
    (server,) = [m for m in found if m["kind"] == "Deployment" and m["metadata"]["name"] == "java-server"]
    assert server["metadata"]["annotations"]["sidecar.speedscale.com/proxy-type"] == "dual"
    with pytest.raises(ValuesError):
        from_mapping({"preset": "gke-autopilot", "ebpf": {"enabled": True}})


# OpenShift


def test_openshift_fixes_no_id_but_where_constraints_allow_it() -> None:
    found = objects(preset="openshift", ebpf={"enabled": True})
    fixed = {n for n, c in containers(found) if {"runAsUser", "runAsGroup"} & set(c.get("securityContext", {}))}
    assert fixed == {
        "speedscale-goproxy",
        "speedscale-initproxy-iptables",
        "speedscale-initproxy-responder",
        "speedscale-nettap-capture",
        "speedscale-nettap-ingest",
    }
    for name, pod in pods(found):
        assert not {"runAsUser", "fsGroup", "supplementalGroups"} & set(pod.get("securityContext", {})), name


def test_openshift_keeps_what_its_default_asks_for() -> None:
    for name, container in containers(objects(preset="openshift")):
        context = container["securityContext"]
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, name
        if not name.startswith("speedscale-initproxy"):
            assert context["runAsNonRoot"] is True, name


def test_openshift_constraints_for_nettap_and_sidecars_allow_what_these_use() -> None:
    found = objects(preset="openshift", ebpf={"enabled": True})
    constraints = {m["metadata"]["name"]: m for m in found if m["kind"] == "SecurityContextConstraints"}
    added = capabilities(found)
    assert constraints["speedscale-sidecar"]["allowedCapabilities"] == added["speedscale-initproxy-iptables"]
    assert constraints["speedscale-nettap"]["allowedCapabilities"] == added["speedscale-nettap-capture"]
    assert [c["priority"] for c in constraints.values()] == [0, 0]
    labels = {n: c["securityContext"].get("seLinuxOptions") for n, c in containers(found)}
    assert labels.pop("speedscale-nettap-capture") == {"type": "spc_t"}
    assert set(labels.values()) == {None}


def test_openshift_lets_the_demo_have_a_sidecar() -> None:
    found = objects(preset="openshift")
    (binding,) = [m for m in found if m["kind"] == "RoleBinding" and m["metadata"]["name"] == "java-server-sidecar"]
    assert binding["roleRef"]["name"] in names(found, "ClusterRole")
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "java-server", "namespace": "speedscale"}]


@pytest.mark.parametrize("preset", [p for p in presets() if p != "openshift"])
def test_elsewhere_there_are_no_constraints(preset: str) -> None:
    assert names(objects(preset=preset), "SecurityContextConstraints") == []


# Bottlerocket


def test_bottlerocket_labels_capture_alone() -> None:
    found = objects(preset="bottlerocket", ebpf={"enabled": True})
    labels = {
        n: c["securityContext"]["seLinuxOptions"]
        for n, c in containers(found)
        if "seLinuxOptions" in c["securityContext"]
    }
    assert labels == {
        "speedscale-nettap-capture": {"user": "system_u", "role": "system_r", "type": "super_t", "level": "s0"}
    }
    assert not [n for n, p in pods(found) if "seLinuxOptions" in p.get("securityContext", {})]


def test_bottlerocket_keeps_nettap_when_memory_is_short() -> None:
    found = dict(pods(objects(preset="bottlerocket", ebpf={"enabled": True})))
    assert found["nettap"]["priorityClassName"] == "system-node-critical"


# EKS


@pytest.mark.parametrize(("preset", "on_host"), [("eks", False), ("eks-calico", True), ("eks-fargate", False)])
def test_eks_webhooks_where_the_control_plane_reaches_them(preset: str, on_host: bool) -> None:
    operator = dict(pods(objects(preset=preset)))["speedscale-operator"]
    assert operator.get("hostNetwork", False) is on_host
    if on_host:
        assert operator["dnsPolicy"] == "ClusterFirstWithHostNet"


@pytest.mark.parametrize("preset", ["eks", "eks-calico", "bottlerocket"])
def test_eks_keeps_nettap_off_fargate(preset: str) -> None:
    pod = dict(pods(objects(preset=preset, ebpf={"enabled": True})))["nettap"]
    (term,) = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    fargate = {"key": "eks.amazonaws.com/compute-type", "operator": "NotIn", "values": ["fargate"]}
    assert fargate in term["matchExpressions"]


def test_fargate_has_no_daemon_set_no_capability_and_no_volume_made_on_demand() -> None:
    found = objects(preset="eks-fargate")
    assert names(found, "DaemonSet") == []
    assert capabilities(found) == {}
    assert names(found, "PersistentVolumeClaim") == []
    assert names(found, "StatefulSet") == []
    for name, pod in pods(found):
        assert not pod.get("hostNetwork"), name
        assert not [c for c in pod["containers"] if c["securityContext"].get("privileged")], name
        limits = [v["emptyDir"].get("sizeLimit") for v in pod["volumes"] if "emptyDir" in v]
        assert all(limits), name
    with pytest.raises(ValuesError):
        from_mapping({"preset": "eks-fargate", "ebpf": {"enabled": True}})


def test_virtual_nodes_of_azure_get_no_nettap() -> None:
    pod = dict(pods(objects(cloudProvider="azure", ebpf={"enabled": True})))["nettap"]
    (term,) = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert {"key": "type", "operator": "NotIn", "values": ["virtual-kubelet"]} in term["matchExpressions"]


# Private registries


def test_a_private_registry_reaches_every_image_and_every_pod_can_pull() -> None:
    image = {"registry": "registry.example.com/mirror", "pullSecrets": ["registry-credentials"]}
    digest = "sha256:" + "0" * 64
    found = objects(image=image, ebpf={"enabled": True}, imageDigests={"goproxy": digest})
    for name, container in containers(found):
        assert container["image"].startswith("registry.example.com/mirror/"), name
        if "/goproxy" in container["image"]:
            assert container["image"].endswith(f"goproxy@{digest}")
    pulls = [{"name": "registry-credentials"}]
    accounts = {m["metadata"]["name"]: m for m in found if m["kind"] == "ServiceAccount"}
    assert all(a["imagePullSecrets"] == pulls for a in accounts.values())
    for name, pod in pods(found):
        by_account = pod.get("serviceAccountName") in accounts
        assert by_account or pod["imagePullSecrets"] == pulls, name


# Limited to namespaces


def test_limited_to_namespaces_no_right_over_workloads_or_secrets_elsewhere() -> None:
    found = objects(namespaceSelector=["shop", "pay"], ebpf={"enabled": True})
    allowed = {"nodes", "namespaces", "customresourcedefinitions", "securitycontextconstraints", "ciliumnodes"}
    allowed |= {"mutatingwebhookconfigurations", "validatingwebhookconfigurations"}
    for manifest in found:
        if manifest["kind"] == "ClusterRole":
            used = {resource for rule in manifest["rules"] for resource in rule["resources"]}
            assert used <= allowed, manifest["metadata"]["name"]
    spaces = {m["metadata"]["namespace"] for m in found if m["kind"] in ("Role", "RoleBinding")}
    assert spaces == {"shop", "pay", "speedscale"}
