"""Profile `operator`, and an environment's overlay: other ways to the same Application."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import yaml
from harness.argocd import ArgoCD, good
from harness.gitops import Live, manifests, of, synth
from harness.page import Page
from harness.repository import Repository

from speedscale_kube import Ref

ENVIRONMENTS = ("dev", "staging", "prod")


@pytest.fixture(scope="module")
def project(repository: Repository, page: Page, shell: Callable[[str], str]) -> Repository:
    """Each environment synthesised by the README's command, and the project."""
    shell(page.command("Install", "project.yaml"))
    command = page.command("Several environments", "speedctl synth")
    assert command.count("overlays/prod") == 2
    for environment in ENVIRONMENTS:
        shell(command.replace("overlays/prod", f"overlays/{environment}"))
    return repository


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_overlay_says_how_its_folder_is_made_and_builds(
    project: Repository, page: Page, shell: Callable[[str], str], environment: str
) -> None:
    command = page.command("Several environments", "speedctl synth").replace("overlays/prod", f"overlays/{environment}")
    overlay = project.work / "examples" / "argocd" / "overlays" / environment
    assert f"`{command}`" in (overlay / "kustomization.yaml").read_text("utf-8")
    built = [one for one in yaml.safe_load_all(shell(f"kustomize build {overlay}")) if one]
    made = {(one["kind"], one["metadata"]["name"]) for one in manifests(overlay / "dist")}
    names = {(one["kind"], one["metadata"]["name"]) for one in built}
    extra = {("ConfigMap", "speedscale-operator-override")} if environment == "dev" else set()
    assert names == made | extra


def application(argo: ArgoCD, repository: Repository, path: str) -> None:
    """Commit, have Argo CD sync a folder as application.yaml does `dist`,."""
    repository.commit(f"For {path}")
    (made,) = yaml.safe_load_all((repository.work / "examples/argocd/application.yaml").read_text("utf-8"))
    made["spec"]["source"]["path"] = path
    argo.kube.apply(made, "tests", force=True)
    revision = argo.refresh("speedscale")["status"]["sync"]["revision"]
    argo.until_app(
        "speedscale",
        lambda app: (
            good(app)
            and app["status"]["sync"]["revision"] == revision
            and app["status"]["sync"]["comparedTo"]["source"]["path"] == path
        ),
        f"{path} is synced",
    )


def test_profile_operator_is_synced_and_leaves_the_components_to_the_controller(
    argo: ArgoCD, project: Repository
) -> None:
    values = str(project.work / "cdk8s" / "values.yaml")
    synth(project.work / "managed", "--values", values, "--profile", "operator")
    application(argo, project, "managed")
    live = Live(argo.kube, project.work / "managed")
    there = live.there()
    assert len(there) == len(live.manifests)
    assert of("Deployment", there) == {"speedscale-operator"}
    bundles = {name for name in of("ConfigMap", there) if name.startswith("speedscale-bundle-")}
    assert {"speedscale-bundle-forwarder", "speedscale-bundle-inspector"} <= bundles

    made = Ref("apps/v1", "Deployment", "speedscale", "speedscale-forwarder")
    bundle = argo.kube.get(Ref("v1", "ConfigMap", "speedscale", "speedscale-bundle-forwarder"))
    argo.kube.apply(yaml.safe_load(bundle["data"]["deployment-speedscale-forwarder.yaml"]), "speedscale-operator")
    for _ in range(2):
        assert good(argo.refresh("speedscale")), "what the controller makes of the bundle is not Argo CD's to prune"
    assert argo.kube.find(made) is not None


def test_an_environment_takes_over_from_it(argo: ArgoCD, project: Repository) -> None:
    """Both operators of production, its patch, no demo, no inspector; the profile changes back under a live cluster."""
    path = "examples/argocd/overlays/prod"
    application(argo, project, path)
    there = Live(argo.kube, project.work / path / "dist").there()
    assert of("Deployment", there) == {"speedscale-operator", "speedscale-forwarder"}
    operator = argo.kube.get(Ref("apps/v1", "Deployment", "speedscale", "speedscale-operator"))
    assert operator["status"]["readyReplicas"] == 2
    annotations = operator["spec"]["template"]["metadata"]["annotations"]
    assert annotations["cluster-autoscaler.kubernetes.io/safe-to-evict"] == "false"
