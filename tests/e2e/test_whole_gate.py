"""The gate of the examples on a real cluster: a replay after each sync lets it pass, or fails it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import yaml
from harness.argocd import NAMESPACE as ARGOCD
from harness.argocd import message, phase, sync_status
from harness.repository import BRANCH, EXAMPLES
from story import Tell
from whole import NAMESPACE, SHOP, Whole, synced

from speedscale_kube import Object, Ref

APP = "checkout"
GATE = Ref("speedscale.com/v1", "TrafficReplay", SHOP, "checkout-gate")
PAID_BY = "http://payments.shop.svc:8080"
_REPLAY_S = 400.0


def checkout(image: str, paid_by: str) -> list[Object]:
    """The recorded server under another name, in a user's namespace, without a sidecar."""
    labels = {"app": APP}
    metadata = {"name": APP, "namespace": SHOP}
    environment = {"PORT": "8080", **({"DEPENDENCY_URL": paid_by} if paid_by else {})}
    container = {
        "name": APP,
        "image": image,
        "env": [{"name": name, "value": value} for name, value in environment.items()],
        "ports": [{"containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "20m"}},
    }
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    ports = [{"name": "http", "port": 8080, "targetPort": 8080}]
    return [
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec},
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"selector": labels, "ports": ports}},
    ]


def application(installed: Whole) -> list[Object]:
    """An application of the same repository, with a project of its own."""
    here = {"server": "https://kubernetes.default.svc", "namespace": SHOP}
    project = {"sourceRepos": [installed.repository.url], "destinations": [here]}
    metadata = {"name": APP, "namespace": ARGOCD}
    spec = {
        "project": APP,
        "source": {"repoURL": installed.repository.url, "targetRevision": BRANCH, "path": "checkout"},
        "destination": here,
        "syncPolicy": {"automated": {}, "retry": {"limit": 0}},
    }
    version = "argoproj.io/v1alpha1"
    return [
        {"apiVersion": version, "kind": "AppProject", "metadata": metadata, "spec": project},
        {
            "apiVersion": version,
            "kind": "Application",
            "metadata": {**metadata, "finalizers": ["resources-finalizer.argocd.argoproj.io"]},
            "spec": spec,
        },
    ]


@pytest.fixture(scope="module")
def release(installed: Whole, snapshot: str) -> Iterator[Callable[[str], Object]]:
    """Commit a version of the application, wait for the end of its sync, return the Application."""
    template = installed.kube.get(Ref("apps/v1", "Deployment", NAMESPACE, "java-server"))["spec"]["template"]
    (image,) = {one["image"] for one in template["spec"]["containers"] if one["name"] == "java-server"}
    gate = (EXAMPLES / "gate" / "trafficreplay.yaml").read_text(encoding="utf-8")
    installed.repository.write("checkout/gate.yaml", gate)

    def commit(paid_by: str) -> Object:
        installed.repository.write("checkout/all.yaml", yaml.safe_dump_all(checkout(image, paid_by)))
        revision = installed.repository.commit(f"The checkout, paid by {paid_by or 'nobody'}")
        if installed.kube.find(installed.argo.ref(APP)) is None:
            for one in application(installed):
                installed.kube.apply(one, "tests")
        else:
            installed.argo.refresh(APP, "normal")
        return installed.argo.until_app(
            APP,
            lambda app: synced(app) == revision and phase(app) in ("Succeeded", "Failed", "Error"),
            "the sync is over",
            _REPLAY_S,
        )

    yield commit
    installed.kube.delete(installed.argo.ref(APP))
    installed.until(lambda: installed.kube.find(installed.argo.ref(APP)) is None, "the application is gone", 120.0)
    installed.kube.delete(installed.argo.ref(APP, "AppProject"))


def test_a_version_that_answers_as_recorded_passes(
    installed: Whole, release: Callable[[str], Object], tell: Tell
) -> None:
    app = release(PAID_BY)
    assert (phase(app), sync_status(app)) == ("Succeeded", "Synced"), message(app)
    installed.until(lambda: installed.kube.find(GATE) is None, "the replay goes with its verdict")
    tell("gate, a good version", f"{phase(app)}: {hook(app)['message']}")


def test_one_that_answers_differently_fails_the_sync(
    installed: Whole, release: Callable[[str], Object], tell: Tell
) -> None:
    """Without its dependency, orders are taken on account: another answer."""
    app = release("")
    assert (phase(app), hook(app)["hookPhase"]) == ("Failed", "Failed"), message(app)
    assert hook(app)["message"].startswith("Failed: Missed Goals")
    assert sync_status(app) == "Synced", "the new version stays: whoever wants the old one back reverts the commit"
    tell("gate, a bad version", f"{phase(app)}: {hook(app)['message']}")


def hook(app: Object) -> Object:
    (one,) = [r for r in app["status"]["operationState"]["syncResult"]["resources"] if r["kind"] == "TrafficReplay"]
    return dict(one)
