"""applicationset.yaml: one Application a file in clusters/, development first."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
import yaml
from harness.argocd import NAMESPACE as ARGOCD
from harness.argocd import ArgoCD, message, phase
from harness.cluster import Cluster
from harness.page import Page
from harness.repository import Repository

from speedscale_kube import Object, Ref

CRD = Ref("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "trafficreplays.speedscale.com")
OPERATOR = Ref("apps/v1", "Deployment", "speedscale", "speedscale-operator")


def clusters(repository: Repository) -> dict[str, Object]:
    files = sorted((repository.work / "examples" / "argocd" / "clusters").glob("*.yaml"))
    return {file.stem: yaml.safe_load(file.read_text("utf-8"))["cluster"] for file in files}


def secret(argo: ArgoCD, name: str, server: str) -> Object:
    """A cluster as `argocd cluster add` registers it: this one, by another name of its API server."""
    kubeconfig = json.loads(argo.cluster.kubeconfig.read_text("utf-8"))
    user = kubeconfig["users"][0]["user"]
    tls = {
        "caData": kubeconfig["clusters"][0]["cluster"]["certificate-authority-data"],
        "certData": user["client-certificate-data"],
        "keyData": user["client-key-data"],
    }
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": f"cluster-{name}",
            "namespace": ARGOCD,
            "labels": {"argocd.argoproj.io/secret-type": "cluster"},
        },
        "stringData": {"name": name, "server": server, "config": json.dumps({"tlsClientConfig": tls})},
    }


@pytest.fixture(scope="module")
def rolled(
    argo: ArgoCD, repository: Repository, page: Page, shell: Callable[[str], str]
) -> Iterator[dict[str, Object]]:
    """Both clusters registered (as two names of one server), everything committed, the operator slow to be ready."""
    names = clusters(repository)
    port = argo.cluster.layout.ports["apiserver"]
    servers = {"dev": f"https://127.0.0.1:{port}", "production-eu": f"https://localhost:{port}"}
    for file in sorted((repository.work / "examples" / "argocd").rglob("*.yaml")):
        text = file.read_text("utf-8")
        for name, server in servers.items():
            text = text.replace(names[name]["server"], server)
        file.write_text(text, encoding="utf-8")
    command = page.command("Several environments", "speedctl synth")
    for environment in ("dev", "prod"):
        shell(command.replace("overlays/prod", f"overlays/{environment}"))
    repository.commit("Two clusters", tag=names["production-eu"]["revision"])
    for name, server in servers.items():
        argo.kube.apply(secret(argo, name, server), "tests")
    argo.nodes.hold("operator")
    shell(page.command("Install", "project.yaml"))
    for line in page.commands("As one Application a cluster"):
        shell(line)
    yield clusters(repository)
    argo.nodes.release("operator")
    for name in servers:
        argo.kube.delete(Ref("v1", "Secret", ARGOCD, f"cluster-{name}"))


def test_each_cluster_has_its_application(argo: ArgoCD, rolled: dict[str, Object]) -> None:
    for name, cluster in rolled.items():
        app = argo.until_app(f"speedscale-{name}", bool, "it is generated")
        spec = app["spec"]
        assert spec["source"] | {"path": cluster["path"], "targetRevision": cluster["revision"]} == spec["source"]
        assert spec["destination"] == {"server": cluster["server"], "namespace": "speedscale"}
        assert app["metadata"]["labels"]["stage"] == cluster["stage"]
        assert app["metadata"]["annotations"]["argocd.argoproj.io/compare-options"] == "ServerSideDiff=true"
        assert "RespectIgnoreDifferences=true" in spec["syncPolicy"]["syncOptions"]
    apps = argo.kube.list("argoproj.io/v1alpha1", "Application", ARGOCD)
    made = {app["metadata"]["name"] for app in apps if app["metadata"].get("ownerReferences")}
    assert made == {f"speedscale-{name}" for name in rolled}


def test_production_waits_until_development_is_healthy(argo: ArgoCD, rolled: dict[str, Object]) -> None:
    argo.until_app(
        "speedscale-dev",
        lambda app: "Deployment/speedscale-operator" in message(app),
        "development waits for its operator",
    )
    assert not phase(argo.app("speedscale-production-eu")), "nothing was synced there"
    assert stages(argo)["speedscale-dev"] in ("Pending", "Progressing")
    argo.nodes.release("operator")
    argo.until_app("speedscale-production-eu", lambda app: phase(app) != "", "production follows")
    # not more of development: here both are one cluster, and take their objects from each other from now on
    assert stages(argo)["speedscale-dev"] == "Healthy"


def stages(argo: ArgoCD) -> dict[str, str]:
    found = argo.kube.get(argo.ref("speedscale", "ApplicationSet"))["status"].get("applicationStatus") or ()
    return {one["application"]: one["status"] for one in found}


def test_removing_a_cluster_file_leaves_what_runs_there(
    argo: ArgoCD, repository: Repository, rolled: dict[str, Object]
) -> None:
    (repository.work / "examples" / "argocd" / "clusters" / "dev.yaml").unlink()
    repository.commit("Development is looked after elsewhere")
    which = argo.ref("speedscale", "ApplicationSet")
    refresh = {"metadata": {"annotations": {"argocd.argoproj.io/application-set-refresh": "true"}}}
    argo.kube.patch(which, refresh, "tests")
    Cluster.until(lambda: argo.kube.find(argo.ref("speedscale-dev")) is None, "its Application is gone")
    assert "deletionTimestamp" not in argo.kube.get(OPERATOR)["metadata"]


def test_what_runs_in_a_cluster_is_removed_by_hand(argo: ArgoCD, page: Page, shell: Callable[[str], str]) -> None:
    argo.forget(argo.ref("speedscale", "ApplicationSet"))
    argo.forget(argo.ref("speedscale-production-eu"))
    for command in page.commands("Of one Application a cluster"):
        shell(command)
    assert argo.kube.find(CRD) is None
    for kind in ("clusterroles", "clusterrolebindings", "mutatingwebhookconfigurations", "namespaces"):
        assert argo.cluster.kubectl("get", kind, "-l", "app.kubernetes.io/part-of=speedscale", "-o", "name") == ""
