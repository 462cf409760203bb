"""`speedctl uninstall` on a real API server: with an operator, without one, without its namespace, twice."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness.cluster import Cluster
from harness.definitions import define, established
from harness.nodes import Nodes
from harness.operator import ADMISSION, NAME, WEBHOOKS, Installation
from harness.workloads import INJECT, SIDECAR, containers, create, deployment, replay

from speedscale_controller.cli.installed import alive
from speedscale_kube import Client, Object, Ref
from speedscale_manifests.components import crd
from speedscale_runtime.cli.root import main

pytestmark = pytest.mark.integration
Uninstall = Callable[..., tuple[int, dict[str, Any], str]]
CRD = Ref("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "trafficreplays.speedscale.com")
OURS = "app.kubernetes.io/part-of=speedscale"
LABELLED = {"app": NAME, "app.kubernetes.io/part-of": "speedscale", "controlplane.speedscale.com/component": "operator"}


@pytest.fixture
def uninstall(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> Uninstall:
    def run(*arguments: str, kubeconfig: Path | None = None) -> tuple[int, dict[str, Any], str]:
        capsys.readouterr()
        code = main(["uninstall", *arguments, "--kubeconfig", str(kubeconfig or cluster.kubeconfig), "-o", "json"])
        printed = capsys.readouterr()
        return code, json.loads(printed.out) if printed.out else {}, printed.err

    return run


@pytest.fixture
def installed(install: Any, running_pods: Nodes, kube: Client) -> Iterator[Installation]:
    """An operator that works, in a namespace that the manifests brought, with a Deployment that stands for its pods."""
    installation: Installation = install()
    kube.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": installation.namespace, "labels": LABELLED}},
        "tests",
    )
    made = deployment(NAME, installation.namespace, **{"operator.speedscale.com/ignore": "true"})
    made["metadata"]["labels"] = LABELLED
    made["spec"]["selector"]["matchLabels"] = {"app": NAME}
    made["spec"]["template"]["metadata"]["labels"] = {"app": NAME}
    kube.apply(made, "tests")
    Cluster.until(lambda: alive(kube.find(kube.ref(made))), "its pods are ready")
    installation.start()
    yield installation
    kube.forget_kinds()
    (definition,) = crd.definition(installation.values)
    define(kube, definition)  # what the harness takes away afterwards


def captured(cluster: Cluster, kube: Client, name: str, namespace: str) -> tuple[Ref, Object]:
    """Make a workload with a sidecar; return its name and what it was before."""
    plain = deployment(name, namespace, **INJECT)
    which = kube.ref(plain)
    before = kube.create({**plain, "metadata": {**plain["metadata"], "annotations": {}}}, "user", dry_run=True)
    told = create(cluster, plain)
    assert SIDECAR in containers(told.body)
    return which, before


def assert_given_back(kube: Client, which: Ref, before: Object) -> None:
    """The pods are as they were, and the user's annotation is there."""
    live = kube.get(which)
    assert live["spec"] == before["spec"]
    own = {k: v for k, v in live["metadata"].get("annotations", {}).items() if not k.startswith("deployment.kub")}
    assert own == INJECT
    assert not live["metadata"].get("labels")


def assert_nothing_left(kube: Client, namespace: str) -> None:
    for kind, name in WEBHOOKS:
        assert kube.find(Ref(ADMISSION, kind, "", name)) is None
    assert kube.find(CRD) is None
    for kind in ("ClusterRole", "ClusterRoleBinding"):
        assert kube.list("rbac.authorization.k8s.io/v1", kind, labels=OURS) == []
    assert kube.list("v1", "Secret", labels="app.kubernetes.io/managed-by=speedscale-operator") == []
    assert kube.find(Ref("v1", "Namespace", "", namespace)) is None


class Kubelet(threading.Thread):
    """Ends the operator's process when its Deployment is scaled to 0, and its pods with it."""

    def __init__(self, client: Client, installation: Installation) -> None:
        super().__init__(daemon=True)
        self._client, self._installation = client, installation
        self.end = threading.Event()

    def run(self) -> None:
        which = Ref("apps/v1", "Deployment", self._installation.namespace, NAME)
        while not self.end.wait(0.1):
            live = self._client.find(which)
            if live is None or live["spec"]["replicas"] == 0:
                for replica in self._installation.replicas:
                    replica.stop(10.0)
                return


def test_with_an_operator_that_works(
    installed: Installation, cluster: Cluster, kube: Client, namespace: str, uninstall: Uninstall
) -> None:
    which, before = captured(cluster, kube, "cart", namespace)
    kube.create(replay("quiet-oak", namespace), "tests")
    copied = Ref("v1", "Secret", namespace, "speedscale-certs")
    installed.until(lambda: kube.find(copied) is not None, "the namespace has its certificates")
    code, said, _ = uninstall("--dry-run")
    assert code == 0
    assert said["operatorWorks"]
    assert kube.find(copied) is not None
    phases = list(dict.fromkeys(step["phase"] for step in said["steps"]))
    assert phases[:4] == ["cancel replays", "remove webhooks", "stop the operator", "take sidecars out"]
    code, _, err = uninstall()
    assert code == 2
    assert "give --yes" in err

    kubelet = Kubelet(cluster.client(), installed)
    kubelet.start()
    try:
        code, said, err = uninstall("--yes", "--timeout", "60s")
    finally:
        kubelet.end.set()
        kubelet.join()
    assert (code, said["left"]) == (0, []), err
    kube.forget_kinds()
    print(err)
    assert_given_back(kube, which, before)
    assert_nothing_left(kube, installed.namespace)
    code, said, _ = uninstall("--yes")
    assert (code, said["steps"]) == (0, [])


@pytest.mark.fault("uninstall after the operator went", end="nothing is left stuck")
def test_after_the_operator_and_its_namespace_went(
    installed: Installation, cluster: Cluster, kube: Client, namespace: str, uninstall: Uninstall
) -> None:
    """What somebody leaves behind who deletes the namespace first, and how it is cleared."""
    which, before = captured(cluster, kube, "cart", namespace)
    kube.create(replay("quiet-oak", namespace), "tests")
    held = Ref("speedscale.com/v1", "TrafficReplay", namespace, "quiet-oak")
    installed.until(lambda: bool(kube.get(held)["metadata"].get("finalizers")), "the replay is held")
    for replica in installed.replicas:
        replica.stop(10.0)
    home = Ref("v1", "Namespace", "", installed.namespace)
    kube.delete(home)
    Cluster.until(lambda: kube.find(home) is None, "the namespace is gone", 60.0)

    # what is left: webhooks that lead nowhere, a sidecar, a replay that cannot go, copies of Secrets, rights
    assert kube.find(Ref(ADMISSION, *WEBHOOKS[0][:1], "", WEBHOOKS[0][1])) is not None
    kube.delete(held)
    assert kube.get(held)["metadata"]["deletionTimestamp"]
    assert SIDECAR in containers(kube.get(which))

    code, said, err = uninstall("--yes", "--timeout", "60s")
    assert (code, said["left"]) == (0, []), err
    kube.forget_kinds()
    assert_given_back(kube, which, before)
    assert_nothing_left(kube, installed.namespace)


REMOVAL = Path(__file__).parents[3] / "examples" / "argocd" / "removal"


@pytest.fixture
def account(installed: Installation, cluster: Cluster, kube: Client, tmp_path: Path) -> Iterator[Path]:
    """A kubeconfig of the account that the example's PreDelete hook has."""
    made = [obj for obj in yaml.safe_load_all((REMOVAL / "rights.yaml").read_text()) if obj]
    for obj in made:
        for holder in (obj["metadata"], *obj.get("subjects", ())):
            if "namespace" in holder:
                holder["namespace"] = installed.namespace
        kube.apply(obj, "tests")
    name = made[0]["metadata"]["name"]
    token = cluster.kubectl("create", "token", name, "-n", installed.namespace, "--duration=2h").strip()
    document = yaml.safe_load(cluster.kubeconfig.read_text("utf-8"))
    document["users"][0]["user"] = {"token": token}
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(document))
    path.chmod(0o600)
    yield path
    for obj in made[1:]:
        kube.delete(kube.ref(obj))


def test_revert_only_leaves_the_installation_to_the_tool_that_made_it(
    installed: Installation, cluster: Cluster, kube: Client, namespace: str, uninstall: Uninstall, account: Path
) -> None:
    """By the account of the example's hook, which may do this and no more."""
    which, before = captured(cluster, kube, "cart", namespace)
    operator = Ref("apps/v1", "Deployment", installed.namespace, NAME)
    tracked = {"argocd.argoproj.io/tracking-id": f"speedscale:apps/Deployment:{installed.namespace}/{NAME}"}
    kube.patch(operator, {"metadata": {"annotations": tracked}}, "argocd-controller")
    code, _, err = uninstall("--yes")
    assert code == 2
    assert "Argo CD (Application speedscale)" in err
    assert "--revert-only" in err
    kubelet = Kubelet(cluster.client(), installed)
    kubelet.start()
    try:
        (container,) = yaml.safe_load((REMOVAL / "job.yaml").read_text())["spec"]["template"]["spec"]["containers"]
        verb, *rest = [installed.namespace if one == "speedscale" else one for one in container["args"]]
        assert verb == "uninstall"
        code, said, err = uninstall(*rest, "--timeout", "60s", kubeconfig=account)
    finally:
        kubelet.end.set()
        kubelet.join()
    assert (code, said["left"]) == (0, []), err
    assert "forbidden" not in err
    assert_given_back(kube, which, before)
    assert kube.get(operator)["spec"]["replicas"] == 0
    assert established(kube.get(CRD))
    assert kube.find(Ref("v1", "ConfigMap", installed.namespace, NAME)) is not None
