"""project.yaml: what Argo CD refuses to do for this installation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml
from harness.argocd import ArgoCD, good, phase
from harness.page import Page
from harness.repository import Repository

from speedscale_kube import Object, Ref

SECRET: Object = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "stolen", "namespace": "speedscale"},
    "stringData": {"key": "value"},
}
MAP: Object = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "elsewhere", "namespace": "default"},
    "data": {"key": "value"},
}
ROLE: Object = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": "elsewhere"},
    "provisioner": "kubernetes.io/no-provisioner",
}


@pytest.fixture(scope="module")
def project(argo: ArgoCD, repository: Repository, page: Page, shell: Callable[[str], str]) -> Repository:
    """The project, and a namespace for what it allows."""
    shell(page.command("Install", "project.yaml"))
    argo.kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "speedscale"}}, "tests")
    return repository


def application(repository: Repository, name: str, **spec: Any) -> Object:
    """application.yaml, of another folder, without retries."""
    (made,) = yaml.safe_load_all((repository.work / "examples/argocd/application.yaml").read_text("utf-8"))
    made["metadata"] = {"name": name, "namespace": "argocd"}
    made["spec"]["source"]["path"] = name
    made["spec"]["syncPolicy"]["retry"] = {"limit": 0}
    made["spec"] |= spec
    return dict(made)


@pytest.mark.parametrize(
    ("name", "manifest", "told"),
    [
        ("secret", SECRET, "resource :Secret is not permitted in project speedscale"),
        ("namespace", MAP, "namespace default is not permitted in project 'speedscale'"),
        ("kind", ROLE, "resource storage.k8s.io:StorageClass is not permitted in project speedscale"),
    ],
)
def test_an_object_that_is_not_of_an_installation_is_refused(
    argo: ArgoCD, project: Repository, name: str, manifest: Object, told: str
) -> None:
    project.write(f"{name}/object.yaml", yaml.safe_dump(manifest))
    project.commit(f"Something that does not belong here: {name}")
    argo.kube.apply(application(project, name), "tests")
    app = argo.until_app(name, lambda app: phase(app) in ("Failed", "Error", "Succeeded"), "it was tried")
    assert phase(app) == "Failed"
    assert told in app["status"]["operationState"]["message"]
    metadata = manifest["metadata"]
    which = Ref(manifest["apiVersion"], manifest["kind"], metadata.get("namespace", ""), metadata["name"])
    assert argo.kube.find(which) is None


@pytest.mark.parametrize(
    ("name", "spec", "told"),
    [
        (
            "destination",
            {"destination": {"server": "https://kubernetes.default.svc", "namespace": "kube-system"}},
            "do not match any of the allowed destinations in project 'speedscale'",
        ),
        (
            "source",
            {"source": {"repoURL": "https://git.example.com/other.git", "path": ".", "targetRevision": "main"}},
            "is not permitted in project 'speedscale'",
        ),
    ],
)
def test_an_application_elsewhere_is_refused_before_it_is_read(
    argo: ArgoCD, project: Repository, name: str, spec: dict[str, Any], told: str
) -> None:
    argo.kube.apply(application(project, name, **spec), "tests")
    app = argo.until_app(name, lambda app: bool((app.get("status") or {}).get("conditions")), "it was looked at")
    (condition,) = app["status"]["conditions"]
    assert condition["type"] == "InvalidSpecError"
    assert told in condition["message"]


def test_what_belongs_here_is_synced(argo: ArgoCD, project: Repository) -> None:
    """The refusals above are the project's, not a mistake of the tests."""
    allowed = {**MAP, "metadata": {"name": "here", "namespace": "speedscale"}}
    project.write("allowed/object.yaml", yaml.safe_dump(allowed))
    project.commit("Something that belongs here")
    argo.kube.apply(application(project, "allowed"), "tests")
    argo.until_app("allowed", good, "it is synced")
