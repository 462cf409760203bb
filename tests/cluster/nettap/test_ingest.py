"""nettap's ingest watching a real API server with the rights that its manifest gives: targets live, refusals told."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness.cluster import Cluster

from speedscale_kube import Client, Ref
from speedscale_schemas import nettap

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "integration" / "nettap"))
from playing_capture import Capture, Program, until

NODE = "nettap-node"
CONFIG = {"capture": {"targets": [{"name": "labelled", "podSelector": {"matchLabels": {"capture": "me"}}}]}}


def pod(namespace: str, name: str, **more: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace, **more.pop("metadata", {})}
    containers = more.pop("containers", [{"name": "app", "image": "app"}])
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"nodeName": NODE, "containers": containers, "automountServiceAccountToken": False, **more},
    }


def config_map(namespace: str, name: str, key: str, text: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace},
        "data": {key: text},
    }


def targets(namespace: str, *names: str, ports: tuple[int, ...] = ()) -> dict[str, Any]:
    found = [nettap.Workload(nettap.Place(namespace, "Pod", name), f"{name}-app", ports) for name in names]
    text = nettap.render(nettap.Targets(tuple(found)))
    return config_map(namespace, nettap.CONFIG_MAP, nettap.KEY, text)


@pytest.fixture
def rights(cluster: Cluster, kube: Client, namespace: str) -> Iterator[tuple[str, Path]]:
    """Return a user with the ingest's rights and nothing else, and its kubeconfig."""
    user, path = cluster.restricted(4)
    look = ["get", "list", "watch"]
    named = [nettap.CONFIG_MAP, "speedscale-nettap"]
    for kind, place, rules in (
        ("ClusterRole", "", [{"apiGroups": [""], "resources": ["pods"], "verbs": look}]),
        (
            "Role",
            namespace,
            [{"apiGroups": [""], "resources": ["configmaps"], "verbs": look, "resourceNames": named}],
        ),
    ):
        metadata = {"name": f"nettap-{namespace}", **({"namespace": place} if place else {})}
        api = "rbac.authorization.k8s.io/v1"
        kube.apply({"apiVersion": api, "kind": kind, "metadata": metadata, "rules": rules}, "tests")
        kube.apply(
            {
                "apiVersion": api,
                "kind": f"{kind}Binding",
                "metadata": metadata,
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": metadata["name"]},
                "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
            },
            "tests",
        )
    yield user, path
    for kind in ("ClusterRoleBinding", "ClusterRole"):
        kube.delete(Ref("rbac.authorization.k8s.io/v1", kind, "", f"nettap-{namespace}"))


@pytest.fixture
def ingest(tmp_path: Path, rights: tuple[str, Path], namespace: str) -> Iterator[Program]:
    environ = {
        "NETTAP_SOCKET_PATH": str(tmp_path / "nettap.sock"),
        "KUBECONFIG": str(rights[1]),
        "SPEC_NODENAME": NODE,
        "POD_NAMESPACE": namespace,
        "FORWARDER_ADDR": "127.0.0.1:1",
        "API_HOST": "127.0.0.1",
        "API_PORT": "0",
        "METRICS_HTTP_PORT": "0",
        "FLUSH_TIMEOUT_S": "0.1",
    }
    program = Program("speedscale_runtime.nettap", tmp_path / "ingest", environ)
    yield program
    assert program.end() == 0


def told(capture: Capture, wanted: set[str]) -> dict[str, tuple[int, tuple[int, ...]]]:
    """Read sets of targets until one has these pods; number and ignored ports by uid."""
    while True:
        found = {uid: (number, ports) for number, (uid, _, ports) in capture.targets().items()}
        if found.keys() == wanted:
            return found


def test_targets_follow_the_cluster(kube: Client, namespace: str, ingest: Program, tmp_path: Path) -> None:
    uids = {}
    for name in ("cart", "pay"):
        uids[name] = kube.create(pod(namespace, name), "tests")["metadata"]["uid"]
    sidecar = [{"name": "app", "image": "app"}, {"name": "speedscale-goproxy", "image": "goproxy"}]
    kube.create(pod(namespace, "both", containers=sidecar), "tests")
    labelled = {"labels": {"capture": "me", "app": "till"}}
    capture = Capture(tmp_path / "nettap.sock").hello()
    assert capture.targets() == {}  # nothing is captured before it is asked for

    kube.apply(targets(namespace, "cart", "both", ports=(9090,)), "tests")
    first = told(capture, {uids["cart"]})
    assert first[uids["cart"]][1] == (9090,)
    capture.cgroup(77, first[uids["cart"]][0], "/kubepods/x")
    until(lambda: json.loads(ingest.get("/config")[1])["refusedPods"], log=ingest.read)
    config = json.loads(ingest.get("/config")[1])
    assert config["refusedPods"] == [{"namespace": namespace, "pod": "both", "reason": "sidecar"}]
    assert config["targets"][0]["service"] == "cart-app"
    assert config["problems"] == []
    assert ingest.get("/readyz")[0] == 200

    kube.apply(targets(namespace, "cart", "pay"), "tests")
    second = told(capture, {uids["cart"], uids["pay"]})
    assert second[uids["cart"]][0] == first[uids["cart"]][0]  # it goes on under its number

    kube.apply(config_map(namespace, nettap.CONFIG_MAP, nettap.KEY, '{"version": 9}'), "tests")
    until(lambda: json.loads(ingest.get("/config")[1])["problems"], log=ingest.read)
    assert len(json.loads(ingest.get("/config")[1])["targets"]) == 2  # the last good word stays

    kube.apply(config_map(namespace, "speedscale-nettap", "config.yaml", json.dumps(CONFIG)), "tests")
    till = kube.create(pod(namespace, "till", metadata=labelled), "tests")["metadata"]["uid"]
    told(capture, {uids["cart"], uids["pay"], till})

    kube.delete(Ref("v1", "ConfigMap", namespace, nettap.CONFIG_MAP))
    told(capture, {till})
    kube.delete(Ref("v1", "ConfigMap", namespace, "speedscale-nettap"))
    told(capture, set())
    capture.close()


def test_watching_it_is_small(kube: Client, namespace: str, ingest: Program, tmp_path: Path) -> None:
    kube.create(pod(namespace, "cart"), "tests")
    kube.apply(targets(namespace, "cart"), "tests")
    capture = Capture(tmp_path / "nettap.sock").hello()
    until(lambda: json.loads(ingest.get("/config")[1])["targets"], log=ingest.read)
    status = Path(f"/proc/{ingest.process.pid}/status").read_text().splitlines()
    (rss,) = (int(line.split()[1]) for line in status if line.startswith("VmRSS"))
    assert rss < 52 * 1024
    print(f"ingest with a cluster to watch: {rss} KiB")
    capture.close()


def test_without_rights_it_says_so_and_captures_nothing(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    _, path = cluster.restricted(5)
    environ = {
        "NETTAP_SOCKET_PATH": str(tmp_path / "nettap.sock"),
        "KUBECONFIG": str(path),
        "SPEC_NODENAME": NODE,
        "POD_NAMESPACE": namespace,
        "FORWARDER_ADDR": "127.0.0.1:1",
        "API_HOST": "127.0.0.1",
        "API_PORT": "0",
        "METRICS_HTTP_PORT": "0",
        "FLUSH_TIMEOUT_S": "0.1",
    }
    program = Program("speedscale_runtime.nettap", tmp_path / "ingest", environ)
    until(lambda: len(json.loads(program.get("/config")[1])["problems"]) == 3, log=program.read)
    assert all("forbidden" in problem.lower() for problem in json.loads(program.get("/config")[1])["problems"])
    capture = Capture(tmp_path / "nettap.sock").hello()
    assert capture.targets() == {}
    assert program.end() == 0
    capture.close()
