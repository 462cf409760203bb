"""gate/ and health/: a replay after each sync of an application decides whether the sync succeeded."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import yaml
from harness.argocd import NAMESPACE as ARGOCD
from harness.argocd import ArgoCD, good, message, phase, sync_status
from harness.cluster import Cluster
from harness.definitions import define
from harness.gitops import synth
from harness.page import Page
from harness.repository import EXAMPLES, Repository

from speedscale_kube import Object, Ref

APP = "shop"
GATE = Ref("speedscale.com/v1", "TrafficReplay", "shop", "checkout-gate")
CHECKOUT = Ref("apps/v1", "Deployment", "shop", "checkout")
OPERATOR = "speedscale-operator"


def checkout(version: str) -> Object:
    labels = {"app": "checkout"}
    container = {"name": "checkout", "image": f"registry.example.com/checkout:{version}"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "checkout", "namespace": "shop"},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
    }


def application(repository: Repository) -> Object:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": APP, "namespace": ARGOCD, "finalizers": ["resources-finalizer.argocd.argoproj.io"]},
        "spec": {
            "project": "shop",
            "source": {"repoURL": repository.url, "targetRevision": "main", "path": "shop"},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": "shop"},
            "syncPolicy": {"automated": {}, "retry": {"limit": 0}, "syncOptions": ["CreateNamespace=true"]},
        },
    }


@pytest.fixture(scope="module")
def shop(argo: ArgoCD, repository: Repository) -> Iterator[Repository]:
    """An application's own repository with the gate in it, in a cluster that knows TrafficReplays; no operator."""
    dist = synth(repository.work.parent / "dist", "--values", str(repository.work / "cdk8s" / "values.yaml"))
    define(argo.kube, yaml.safe_load(next((dist / "base").glob("custom*.yaml")).read_text("utf-8")))
    argo.kube.apply(
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "AppProject",
            "metadata": {"name": "shop", "namespace": ARGOCD},
            "spec": {
                "sourceRepos": [repository.url],
                "destinations": [{"server": "https://kubernetes.default.svc", "namespace": "shop"}],
                "clusterResourceWhitelist": [{"group": "", "kind": "Namespace"}],
            },
        },
        "tests",
    )
    repository.write("shop/trafficreplay.yaml", (EXAMPLES / "gate" / "trafficreplay.yaml").read_text("utf-8"))
    yield repository
    argo.kube.delete(Ref("v1", "Namespace", "", "shop"))


@pytest.fixture
def release(argo: ArgoCD, shop: Repository) -> Callable[[str], None]:
    """Commit a new version of the application and wait until Argo CD waits for, or is done with, its sync."""

    def commit(version: str) -> None:
        shop.write("shop/deployment.yaml", yaml.safe_dump(checkout(version)))
        revision = shop.commit(f"Version {version} of the shop")
        if argo.kube.find(argo.ref(APP)) is None:
            argo.kube.apply(application(shop), "tests")
        else:
            argo.refresh(APP, "normal")
        argo.until_app(APP, lambda app: revision_of(app) == revision, f"version {version} is being synced")

    return commit


def revision_of(app: Object) -> str:
    operation = (app.get("status") or {}).get("operationState") or {}
    return str((operation.get("syncResult") or {}).get("revision", ""))


def waits(app: Object) -> bool:
    waiting = "waiting for completion of hook speedscale.com/TrafficReplay/checkout-gate"
    return phase(app) == "Running" and waiting in message(app)


def says(argo: ArgoCD, **conditions: tuple[str, str, str]) -> None:
    """Write the status of the replay, as the operator does."""
    seen = argo.kube.get(GATE)["metadata"]["generation"]
    told = [
        {
            "type": kind,
            "status": status,
            "reason": reason,
            "message": text,
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }
        for kind, (status, reason, text) in conditions.items()
    ]
    change = {"status": {"observedGeneration": seen, "active": True, "conditions": told}}
    argo.kube.patch(GATE, change, OPERATOR, subresource="status")


def test_without_the_health_check_the_gate_is_open(argo: ArgoCD, release: Callable[[str], None]) -> None:
    release("1")
    argo.until_app(APP, lambda app: phase(app) == "Succeeded", "the sync is through, and nobody has run the replay")


def test_with_it_the_sync_is_over_when_the_replay_is(
    argo: ArgoCD, release: Callable[[str], None], page: Page, shell: Callable[[str], str]
) -> None:
    shell(page.command("Install", "examples/argocd/health"))
    release("2")
    argo.until_app(APP, waits, "the sync waits for the replay")
    ready = argo.kube.get(CHECKOUT)["status"]
    assert (ready["readyReplicas"], ready["updatedReplicas"]) == (1, 1), "it runs against the new version"

    says(argo, Running=("True", "GeneratorStarted", "Running: 40 of 100 requests"))
    assert waits(argo.refresh(APP, "normal"))

    says(argo, Ready=("True", "TestSucceeded", "Passed"))
    app = argo.until_app(APP, lambda app: phase(app) != "Running", "the verdict is heard")
    assert phase(app) == "Succeeded"
    argo.until_app(APP, good, "all is well")


def test_a_replay_that_misses_its_goals_fails_the_sync(argo: ArgoCD, release: Callable[[str], None]) -> None:
    release("3")
    argo.until_app(APP, waits, "the sync waits for the replay")
    says(argo, Ready=("True", "TestFailed", "Failed: Missed Goals"))
    app = argo.until_app(APP, lambda app: phase(app) != "Running", "the verdict is heard")
    assert phase(app) == "Failed"
    (hook,) = [r for r in app["status"]["operationState"]["syncResult"]["resources"] if r["kind"] == "TrafficReplay"]
    assert (hook["hookPhase"], hook["message"]) == ("Failed", "Failed: Missed Goals")
    assert message(app)
    assert sync_status(app) == "Synced", "the new version stays: whoever wants the old one back reverts the commit"


@pytest.mark.parametrize("version", ["4", "5", "6"])
def test_no_version_passes_or_fails_by_the_verdict_of_the_one_before(
    argo: ArgoCD, release: Callable[[str], None], version: str
) -> None:
    """Argo CD may still know a hook of the same name that is gone by now: so it goes as soon as it has a verdict."""
    Cluster.until(lambda: argo.kube.find(GATE) is None, "the replay before went with its verdict")
    release(version)
    argo.until_app(APP, waits, "the sync waits for the replay")
    assert not argo.kube.get(GATE)["status"].get("conditions")
    says(argo, Ready=("True", "TestSucceeded", "Passed"))
    argo.until_app(APP, good, "all is well")
