"""The processes of a cluster that runs pods, beside its control plane: what each is told, and when it is ready.

containerd runs pods for kubelet, kube-proxy makes Services of them, CoreDNS names these, a scheduler gives pods to the
one node. All know the `Layout` only; they listen in the node's own network.
"""

from __future__ import annotations

import dataclasses
import http.client
import json
import socket
import subprocess
from pathlib import Path
from typing import Any

from harness.components import CONTROL_PLANE, HOST, Component, Layout, Plan, User, ask, fetch

from speedscale_kube import Client, Object, load

from . import archive, places

MANAGER = "harness-node"
USERS = (
    User("scheduler", "system:kube-scheduler"),
    User("kube-proxy", "system:kube-proxy"),
    User("coredns", "system:coredns"),
    User("kubelet", f"system:node:{places.NAME}", ("system:nodes",), (places.NAME, places.NODE_IP)),
)


def plan(port: int) -> Plan:
    """Return the plan of a cluster whose API server listens on `port`."""
    return Plan(places.NODE_IP, {"apiserver": port, "kubelet": 10250}, USERS)


def components(cgroup: str, pause: Path) -> tuple[Component, ...]:
    """Return the whole cluster in the order of its start; `cgroup` is kubelet's, `pause` the program in each pod."""
    etcd, apiserver, manager = CONTROL_PLANE
    return (
        Component(
            "containerd",
            (),
            lambda layout: ["--config", str(layout.folder / "containerd.toml")],
            _containerd_answers,
            prepare=_containerd,
            installed=True,
            awaited="in the end",
        ),
        etcd,
        apiserver,
        dataclasses.replace(manager, awaited="in the end"),
        Component(
            "kubelet",
            ("kubelet", "kubelet-healthz"),
            lambda layout: [
                f"--config={layout.folder / 'kubelet.json'}",
                f"--kubeconfig={layout.folder / 'kubelet.kubeconfig'}",
                f"--hostname-override={places.NAME}",
                f"--node-ip={places.NODE_IP}",
            ],
            _node_is_ready,
            prepare=lambda layout: _kubelet(layout, cgroup, pause),
            awaited="in the end",
        ),
        Component(
            "kube-scheduler",
            ("scheduler",),
            _scheduler,
            lambda layout: ask(layout, "scheduler", "/healthz", None, "admin") == 200,
            awaited="in the end",
        ),
        Component(
            "kube-proxy",
            ("kube-proxy", "kube-proxy-metrics"),
            lambda layout: [f"--config={layout.folder / 'kube-proxy.json'}"],
            lambda layout: _plain(layout, "kube-proxy", "/healthz"),
            prepare=_proxy,
            awaited="in the end",
        ),
        Component(
            "coredns",
            ("coredns", "coredns-ready"),
            lambda layout: ["-conf", str(layout.folder / "Corefile")],
            lambda layout: _plain(layout, "coredns-ready", "/ready"),
            prepare=_dns,
            awaited="in the end",
        ),
    )


def containerd_socket(folder: Path) -> Path:
    """Return where containerd of the node in `folder` listens."""
    return folder / "containerd.sock"


def ctr(folder: Path, *arguments: str) -> list[str]:
    """Return a command line for the images and containers of the node in `folder`."""
    return ["ctr", "--address", str(containerd_socket(folder)), "--namespace", "k8s.io", *arguments]


def _containerd(layout: Layout) -> None:
    network = {
        "cniVersion": "0.4.0",
        "name": "speedscale",
        "plugins": [
            {
                "type": "bridge",
                "bridge": "cni0",
                "isGateway": True,
                "ipMasq": True,
                "hairpinMode": True,
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{"subnet": places.POD_RANGE}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                    "dataDir": layout.data("addresses"),
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }
    cni = layout.folder / "cni"
    cni.mkdir(exist_ok=True)
    _write(cni / "10-speedscale.conflist", network)
    text = f"""version = 2
root = {_toml(layout.data("containerd"))}
state = "/run/containerd"
oom_score = 0
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs", "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing",
]
[grpc]
  address = {_toml(containerd_socket(layout.folder))}
[plugins."io.containerd.internal.v1.opt"]
  path = {_toml(layout.data("containerd-opt"))}
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = {_toml(places.PAUSE)}
  disable_apparmor = true
  restrict_oom_score_adj = true
  stream_server_address = {_toml(HOST)}
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = {_toml(places.CNI_PROGRAMS)}
    conf_dir = {_toml(cni)}
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
"""
    (layout.folder / "containerd.toml").write_text(text, encoding="utf-8")


def _containerd_answers(layout: Layout) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(containerd_socket(layout.folder))) == 0


def _kubelet(layout: Layout, cgroup: str, pause: Path) -> None:
    """Write kubelet's configuration, and give containerd the image that every pod needs."""
    serving = layout.issued["kubelet"]
    _write(
        layout.folder / "kubelet.json",
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": "0.0.0.0",
            "port": layout.ports["kubelet"],
            "healthzBindAddress": HOST,
            "healthzPort": layout.ports["kubelet-healthz"],
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": str(layout.ca.certificate)},
            },
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": str(serving.certificate),
            "tlsPrivateKeyFile": str(serving.key),
            "containerRuntimeEndpoint": f"unix://{containerd_socket(layout.folder)}",
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{cgroup}",
            "failCgroupV1": False,
            "failSwapOn": False,
            "protectKernelDefaults": False,
            "oomScoreAdj": 0,
            "clusterDNS": [places.DNS_IP],
            "clusterDomain": places.DNS_DOMAIN,
            "resolvConf": str(layout.folder / "resolv.conf"),
            "podLogsDir": "/var/log/pods",
            "volumePluginDir": layout.data("volume-plugins"),
            "evictionHard": {
                "memory.available": "50Mi",
                "nodefs.available": "1%",
                "nodefs.inodesFree": "1%",
                "imagefs.available": "1%",
                "imagefs.inodesFree": "1%",
            },
            "imageGCHighThresholdPercent": 100,
            "serializeImagePulls": False,
            "syncFrequency": "2s",  # how late a changed Secret reaches the files of a pod
            "nodeStatusUpdateFrequency": "2s",
            "kubeAPIQPS": 500,
            "kubeAPIBurst": 500,
            "eventRecordQPS": 0,
            "registryPullQPS": 0,
        },
    )
    image = layout.folder / "pause"
    image.mkdir(exist_ok=True)
    (image / "pause").write_bytes(pause.read_bytes())
    (image / "pause").chmod(0o755)
    packed = archive.write(image, places.PAUSE, layout.folder / "pause.tar", entrypoint=("/pause",))
    subprocess.run(ctr(layout.folder, "images", "import", str(packed)), check=True, capture_output=True)


def _node_is_ready(layout: Layout) -> bool:
    status, body = fetch(layout, "apiserver", f"/api/v1/nodes/{places.NAME}", layout.ca, "admin")
    if status != 200:
        return False
    conditions = json.loads(body)["status"].get("conditions") or ()
    return any((one["type"], one["status"]) == ("Ready", "True") for one in conditions)


def _scheduler(layout: Layout) -> list[str]:
    kubeconfig = layout.folder / "scheduler.kubeconfig"
    return [
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        f"--bind-address={HOST}",
        f"--secure-port={layout.ports['scheduler']}",
        f"--cert-dir={layout.data('scheduler')}",
        "--leader-elect=false",
        "--kube-api-qps=500",
        "--kube-api-burst=500",
    ]


def _proxy(layout: Layout) -> None:
    none = {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"}
    _write(
        layout.folder / "kube-proxy.json",
        {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "bindAddress": "0.0.0.0",
            "healthzBindAddress": f"{HOST}:{layout.ports['kube-proxy']}",
            "metricsBindAddress": f"{HOST}:{layout.ports['kube-proxy-metrics']}",
            "clientConnection": {"kubeconfig": str(layout.folder / "kube-proxy.kubeconfig"), "qps": 500, "burst": 500},
            "hostnameOverride": places.NAME,
            "mode": "iptables",
            "clusterCIDR": places.POD_RANGE,
            "iptables": {"minSyncPeriod": "0s"},
            "conntrack": none,  # these are the whole machine's
        },
    )


def _dns(layout: Layout) -> None:
    """Write the Corefile and the Service, and let CoreDNS read what it answers from."""
    hosts = layout.folder / "hosts"
    hosts.write_text(f"{places.OUTSIDE_IP} {places.OUTSIDE_NAME}\n", encoding="ascii")
    nobody = layout.folder / "nobody.zone"  # whoever is not among the hosts does not exist
    nobody.write_text(". 5 IN SOA nobody. nobody. 1 5 5 5 5\n. 5 IN NS nobody.\n", encoding="ascii")
    port = layout.ports["coredns"]
    text = f"""
{places.DNS_DOMAIN}:{port} in-addr.arpa:{port} ip6.arpa:{port} {{
    errors
    ready {HOST}:{layout.ports["coredns-ready"]}
    kubernetes {places.DNS_DOMAIN} in-addr.arpa ip6.arpa {{
        kubeconfig {layout.folder / "coredns.kubeconfig"}
        pods insecure
        ttl 5
    }}
}}
.:{port} {{
    errors
    hosts {hosts} {{
        reload 500ms
        ttl 5
        fallthrough
    }}
    file {nobody} .
}}
"""
    (layout.folder / "Corefile").write_text(text, encoding="utf-8")
    with Client(load(layout.folder / "kubeconfig"), agent="speedscale-tests", retries=10) as kube:
        for one in (*_rights(), *_names(port), _storage_class()):
            kube.apply(one, MANAGER)


def _rights() -> tuple[Object, ...]:
    group = "rbac.authorization.k8s.io"
    name = {"name": "system:coredns"}
    rules = [
        {"apiGroups": [""], "resources": ["services", "pods", "namespaces"], "verbs": ["list", "watch"]},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
    ]
    return (
        {"apiVersion": f"{group}/v1", "kind": "ClusterRole", "metadata": name, "rules": rules},
        {
            "apiVersion": f"{group}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": name,
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", **name},
            "subjects": [{"apiGroup": group, "kind": "User", **name}],
        },
    )


def _names(port: int) -> tuple[Object, ...]:
    """The Service at the address that every pod asks; CoreDNS is no pod, so its endpoint is written down."""
    labels = {"k8s-app": "kube-dns", "kubernetes.io/name": "CoreDNS"}
    where = {"name": "kube-dns", "namespace": "kube-system", "labels": labels}
    ports = (("dns", "UDP"), ("dns-tcp", "TCP"))
    return (
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": where,
            "spec": {
                "clusterIP": places.DNS_IP,
                "ports": [{"name": name, "protocol": proto, "port": 53, "targetPort": port} for name, proto in ports],
            },
        },
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {**where, "labels": {**labels, "kubernetes.io/service-name": "kube-dns"}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [places.NODE_IP], "conditions": {"ready": True}}],
            "ports": [{"name": name, "protocol": proto, "port": port} for name, proto in ports],
        },
    )


def _storage_class() -> Object:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": places.STORAGE_CLASS,
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": "harness.example.com/folders",
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "Immediate",
    }


def _plain(layout: Layout, port: str, path: str) -> bool:
    connection = http.client.HTTPConnection(HOST, layout.ports[port], timeout=5.0)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _write(file: Path, content: Any) -> None:
    file.write_text(json.dumps(content, indent=2), encoding="utf-8")  # JSON is YAML


def _toml(text: object) -> str:
    return json.dumps(str(text))
