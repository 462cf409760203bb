"""One Argo CD for the session, on a control plane of its own; a repository for each module; nothing left of either."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import go_tools
import pytest
from harness.argocd import NAMESPACE as ARGOCD
from harness.argocd import ArgoCD
from harness.cluster import Cluster
from harness.definitions import let_go, until_gone
from harness.page import Page, run
from harness.repository import EXAMPLES, Repository

from speedscale_kube import Ref
from speedscale_kube.errors import NotFoundError

PART_OF = "app.kubernetes.io/part-of=speedscale"
CRD = Ref("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "trafficreplays.speedscale.com")
OURS = Ref("v1", "Namespace", "", "speedscale")
_RBAC = "rbac.authorization.k8s.io/v1"
_ADMISSION = "admissionregistration.k8s.io/v1"
_CLUSTER_SCOPED = (
    (_ADMISSION, "MutatingWebhookConfiguration"),
    (_ADMISSION, "ValidatingWebhookConfiguration"),
    (_RBAC, "ClusterRole"),
    (_RBAC, "ClusterRoleBinding"),
)


@pytest.fixture(scope="session")
def argo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArgoCD]:
    """Argo CD, with nodes that run what it applies."""
    if not sys.platform.startswith("linux"):
        pytest.skip("a control plane as processes needs Linux")
    for program, package in (("redis-server", "redis-server"), ("git", "git")):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed; apt-get install {package}")
    if go_tools.find("argocd") is None and os.environ.get("CI", "").lower() != "true":
        pytest.skip("Argo CD is not built; python scripts/go_tools.py argocd does it once, in about six minutes")
    try:
        go_tools.ensure(*go_tools.CONTROL_PLANE, "argocd", "kustomize")
        go_tools.sources("argocd")
    except go_tools.ToolMissing as error:
        pytest.skip(str(error).partition("\n")[0])
    with (
        Cluster(tmp_path_factory.mktemp("argocd") / "cluster") as cluster,
        ArgoCD(cluster, cluster.folder / "argocd") as running,
    ):
        yield running


@pytest.fixture(scope="module")
def repository(argo: ArgoCD, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """A user's repository without `dist/`; in the end nothing that came of it is left in the cluster."""
    made = Repository(tmp_path_factory.mktemp("repository"))
    made.add_examples()
    yield made
    clean(argo)


@pytest.fixture(scope="session")
def page() -> Page:
    """The README of the examples."""
    return Page(EXAMPLES / "README.md")


@pytest.fixture(scope="module")
def shell(argo: ArgoCD, repository: Repository) -> Callable[[str], str]:
    """Run a command of the README where its reader is: in the repository, with kubectl and speedctl."""
    tools = [Path(sys.executable).parent, *{tool.parent for tool in go_tools.ensure("kubectl", "kustomize")}]
    environment = {
        "PATH": os.pathsep.join([*map(str, tools), os.environ["PATH"]]),
        "KUBECONFIG": str(argo.cluster.kubeconfig),
        "HOME": str(argo.folder / "home"),
    }
    return lambda command: run(command, repository.work, environment)


def clean(argo: ArgoCD) -> None:
    """Remove everything of an installation, with no regard to order; wait until it is gone."""
    kube = argo.kube
    argo.cluster.until(functools.partial(_forgotten, argo), "no Application is left")
    configuration = Ref("v1", "ConfigMap", ARGOCD, "argocd-cm")
    checks = [key for key in kube.get(configuration).get("data") or () if "customizations.health" in key]
    kube.patch(configuration, {"data": dict.fromkeys(checks)}, "tests")
    for one in kube.list("argoproj.io/v1alpha1", "AppProject", ARGOCD):
        kube.delete(kube.ref(one))
    gone = [kube.ref(one) for pair in _CLUSTER_SCOPED for one in kube.list(*pair, labels=PART_OF)]  # webhooks first
    with contextlib.suppress(NotFoundError):  # the definition is gone already
        gone += [kube.ref(one) for one in kube.list("speedscale.com/v1", "TrafficReplay")]
    for which in (*gone, CRD, OURS):
        kube.delete(which)
        if which.kind == "TrafficReplay":
            let_go(kube, which)
    for which in (*gone, CRD, OURS):
        until_gone(kube, which)
    kube.forget_kinds()


def _forgotten(argo: ArgoCD) -> bool:
    """Delete Applications until a look finds none: an app of apps makes its own anew until it is gone itself."""
    found = [
        argo.kube.ref(one)
        for kind in ("ApplicationSet", "Application")
        for one in argo.kube.list("argoproj.io/v1alpha1", kind, ARGOCD)
    ]
    for which in found:
        argo.forget(which)
    return not found
