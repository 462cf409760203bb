"""nettap: exactly the rights it needs, and nowhere where it cannot run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from speedscale_manifests.components.nettap import _RING, COMPONENT

ROOT = Path(__file__).resolve().parents[4]
Build = Callable[..., Any]
ON = {"enabled": True}


@pytest.fixture
def nettap(build: Build) -> Build:
    return lambda **tree: build(COMPONENT, **{"ebpf": ON, **tree})


def expressions(pod: dict[str, Any]) -> list[tuple[str, str, list[str]]]:
    (term,) = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    return [(e["key"], e["operator"], e["values"]) for e in term["matchExpressions"]]


def test_it_is_off_unless_asked_for(build: Build) -> None:
    with pytest.raises(AssertionError):
        build(COMPONENT)


def test_names_that_users_see(nettap: Build) -> None:
    objects = nettap()
    assert objects.one("DaemonSet")["metadata"]["name"] == "nettap"
    assert [c["name"] for c in objects.pod("DaemonSet")["containers"]] == [
        "speedscale-nettap-capture",
        "speedscale-nettap-ingest",
    ]
    for kind in ("ServiceAccount", "ConfigMap", "Service"):
        assert objects.one(kind)["metadata"]["name"] == "speedscale-nettap"


def test_capture_has_four_capabilities_and_is_not_privileged(nettap: Build, container_of: Build) -> None:
    context = container_of(nettap().pod("DaemonSet"), "speedscale-nettap-capture")["securityContext"]
    assert context["capabilities"] == {"add": ["BPF", "PERFMON", "NET_ADMIN", "SYS_PTRACE"], "drop": ["ALL"]}
    assert context["privileged"] is False
    assert context["allowPrivilegeEscalation"] is False
    assert context["readOnlyRootFilesystem"] is True


def test_sys_admin_by_values_only(nettap: Build, container_of: Build) -> None:
    add = ["BPF", "PERFMON", "NET_ADMIN", "SYS_PTRACE", "SYS_ADMIN"]
    given = {"capture": {"podSecurityContext": {"capabilities": {"add": add, "drop": ["ALL"]}}}}
    pod = nettap(ebpf={**ON, "nettap": given}).pod("DaemonSet")
    assert container_of(pod, "speedscale-nettap-capture")["securityContext"]["capabilities"]["add"] == add


def test_what_capture_is_told_beyond_its_defaults(nettap: Build, container_of: Build) -> None:
    def settings(**ebpf: Any) -> dict[str, str]:
        container = container_of(nettap(ebpf={**ON, **ebpf}).pod("DaemonSet"), "speedscale-nettap-capture")
        return {
            e["name"]: e["value"] for e in container["env"] if e["name"] in ("NETTAP_RING_BYTES", "NETTAP_BPF_STATS")
        }

    assert settings() == {}
    measured = {"diagnostics": {"bpfStats": {"enabled": True}}}
    given = settings(nettap={"capture": {"ringSize": "64Mi"}}, configuration=measured)
    assert given == {"NETTAP_RING_BYTES": str(64 << 20), "NETTAP_BPF_STATS": "1"}


def test_the_ring_that_is_left_out_is_the_programs_own() -> None:
    source = (ROOT / "runtime" / "nettap" / "capture" / "settings.c").read_text()
    assert f'"NETTAP_RING_BYTES", {_RING.removesuffix("Mi")} << 20' in source


def test_ingest_is_restricted_and_alone_has_the_token(nettap: Build, container_of: Build) -> None:
    pod = nettap().pod("DaemonSet")
    capture = container_of(pod, "speedscale-nettap-capture")
    ingest = container_of(pod, "speedscale-nettap-ingest")
    assert pod["automountServiceAccountToken"] is False
    assert ingest["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert ingest["securityContext"]["runAsNonRoot"] is True
    token = "/var/run/secrets/kubernetes.io/serviceaccount"
    assert token in [m["mountPath"] for m in ingest["volumeMounts"]]
    assert token not in [m["mountPath"] for m in capture["volumeMounts"]]
    assert "speedscale-certs" not in [m["name"] for m in capture["volumeMounts"]]


def test_the_node_is_read_only(nettap: Build) -> None:
    pod = nettap().pod("DaemonSet")
    host = {v["name"] for v in pod["volumes"] if "hostPath" in v}
    assert host == {"host-procfs", "host-cgroup", "host-sys"}
    for container in pod["containers"]:
        assert all(m["readOnly"] for m in container["volumeMounts"] if m["name"] in host)


def test_it_mounts_no_key_of_the_ca(nettap: Build) -> None:
    (volume,) = [v for v in nettap().pod("DaemonSet")["volumes"] if v["name"] == "speedscale-certs"]
    assert volume["secret"]["secretName"] == "speedscale-own-certs"
    assert [i["key"] for i in volume["secret"]["items"]] == ["ca.crt", "token"]
    assert "optional" not in volume["secret"]


def test_environment(nettap: Build, container_of: Build, environment: Build) -> None:
    pod = nettap().pod("DaemonSet")
    capture = environment(container_of(pod, "speedscale-nettap-capture"))
    assert capture["NETTAP_SYSTEM_PROCFSPATH"] == "/host/proc"
    assert capture["NETTAP_SYSTEM_CGROUPV2PATH"] == "/host/sys/fs/cgroup"
    assert capture["NETTAP_SYSTEM_VMLINUXPATH"] == "/host/sys/kernel/btf/vmlinux"
    assert "spec.nodeName" in capture["NETTAP_SYSTEM_NODENAME"]
    assert not [name for name in capture if name.startswith("NETTAP_CONFIG")], "it has no token to read them with"
    ingest = environment(container_of(pod, "speedscale-nettap-ingest"))
    for container in (capture, ingest):
        assert container["NETTAP_SOCKET_PATH"] == "/tmp/nettap.sock"
    assert ingest["NETTAP_CONFIG_MAP"] == "speedscale-nettap"
    assert ingest["NETTAP_CONFIG_MAP_TARGETS"] == "speedscale-nettap-targets"
    assert ingest["FORWARDER_ADDR"] == "https://speedscale-forwarder.speedscale.svc:80"


def test_ports_and_probes(nettap: Build, container_of: Build) -> None:
    objects = nettap()
    pod = objects.pod("DaemonSet")
    capture, ingest = (container_of(pod, f"speedscale-nettap-{name}") for name in ("capture", "ingest"))
    assert "ports" not in capture, "it listens nowhere"
    assert capture["livenessProbe"]["exec"] == {"command": ["speedscale-nettap-capture", "--healthy"]}
    assert {p["name"]: p["containerPort"] for p in ingest["ports"]} == {"api": 8080, "metrics": 42424}
    assert ingest["livenessProbe"]["httpGet"]["port"] == ingest["readinessProbe"]["httpGet"]["port"] == 8080
    spec = objects.one("Service")["spec"]
    assert spec["internalTrafficPolicy"] == "Local"
    assert [(p["port"], p["targetPort"]) for p in spec["ports"]] == [(80, 8080)]


@pytest.mark.parametrize(
    ("provider", "first"),
    [
        ("", ("kubernetes.io/arch", "In", ["amd64", "arm64"])),
        ("gcp", ("kubernetes.io/arch", "In", ["amd64", "arm64"])),
        ("aws", ("eks.amazonaws.com/compute-type", "NotIn", ["fargate"])),
        ("azure", ("type", "NotIn", ["virtual-kubelet"])),
    ],
)
def test_it_runs_on_real_nodes_only(nettap: Build, provider: str, first: tuple[str, str, list[str]]) -> None:
    pod = nettap(cloudProvider=provider, nodeSelector={"disk": "ssd"}).pod("DaemonSet")
    assert pod["tolerations"] == [{"operator": "Exists"}]
    assert "nodeSelector" not in pod
    found = expressions(pod)
    assert found[0] == first
    assert ("kubernetes.io/os", "NotIn", ["windows"]) in found


def test_configuration_is_live(nettap: Build) -> None:
    target = {"name": "shop", "podSelector": {"matchLabels": {"app": "checkout"}}, "filters": [{"port": 8080}]}
    one = nettap()
    two = nettap(ebpf={**ON, "configuration": {"capture": {"targets": [target]}}})
    read = yaml.safe_load(two.one("ConfigMap")["data"]["config.yaml"])
    assert read["capture"]["targets"][0]["podSelector"] == target["podSelector"]
    assert read["system"]["procfsPath"] == "/host/proc"
    assert one.one("DaemonSet") == two.one("DaemonSet")


def test_rights_over_the_cluster(nettap: Build, rights: Build) -> None:
    objects = nettap()
    wanted = {("", r, v) for r in ("pods", "namespaces") for v in ("get", "list", "watch")}
    assert rights([objects.one("ClusterRole")]) == wanted
    (rule,) = objects.one("Role")["rules"]
    assert rule["resourceNames"] == ["speedscale-nettap", "speedscale-nettap-targets"]


def test_rights_in_selected_namespaces(nettap: Build, rights: Build) -> None:
    objects = nettap(namespaceSelector=["shop"])
    assert not [r for r in rights([objects.one("ClusterRole")]) if r[1] in ("pods", "configmaps")]
    assert ("", "pods", "watch") in rights([objects.one("Role", "speedscale-nettap", "shop")])


def test_open_shift_constraints(nettap: Build, container_of: Build) -> None:
    objects = nettap(preset="openshift")
    constraints = objects.one("SecurityContextConstraints")
    added = container_of(objects.pod("DaemonSet"), "speedscale-nettap-capture")["securityContext"]["capabilities"][
        "add"
    ]
    assert constraints["allowedCapabilities"] == added
    assert constraints["allowPrivilegedContainer"] is False
    assert constraints["allowHostIPC"] is False
    assert constraints["volumes"] == ["configMap", "emptyDir", "hostPath", "projected", "secret"]
    uses = [r for r in objects.one("ClusterRole")["rules"] if r["apiGroups"] == ["security.openshift.io"]]
    assert [(r["verbs"], r["resourceNames"]) for r in uses] == [(["use"], ["speedscale-nettap"])]
    assert nettap().none("SecurityContextConstraints")


def test_kubernetes_accepts_all_of_it(nettap: Build, problems: Build) -> None:
    assert problems(nettap(preset="openshift").all) == []


def test_gke_lets_critical_pods_in_by_a_quota_only(nettap: Build, problems: Build) -> None:
    (quota,) = [m for m in nettap(cloudProvider="gcp").identity if m["kind"] == "ResourceQuota"]
    (scope,) = quota["spec"]["scopeSelector"]["matchExpressions"]
    assert scope == {"scopeName": "PriorityClass", "operator": "In", "values": ["system-node-critical"]}
    assert problems([quota]) == []
    own = nettap(cloudProvider="gcp", ebpf={**ON, "nettap": {"priorityClassName": "ours"}})
    assert own.none("ResourceQuota")
    assert nettap(cloudProvider="aws").none("ResourceQuota")
