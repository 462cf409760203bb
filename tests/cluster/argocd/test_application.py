"""application.yaml over `dist/`: from an empty cluster to a working installation, and through a week of its life."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from harness.argocd import ArgoCD, good, health, message, phase, sync_status
from harness.cluster import Cluster
from harness.gitops import ROLLED, Live, of, synth, wave
from harness.page import Page
from harness.repository import Repository

from speedscale_kube import Ref
from speedscale_runtime.cli.root import main

APP = "speedscale"
NAMESPACE = "speedscale"
OPERATOR = Ref("apps/v1", "Deployment", NAMESPACE, "speedscale-operator")
FORWARDER = Ref("apps/v1", "Deployment", NAMESPACE, "speedscale-forwarder")
INSPECTOR = Ref("apps/v1", "Deployment", NAMESPACE, "speedscale-inspector")
SERVICE = Ref("v1", "Service", NAMESPACE, "speedscale-forwarder")
CONFIGURATION = Ref("v1", "ConfigMap", NAMESPACE, "speedscale-operator")
SIDECARS = Ref("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", "", "speedscale-operator")
CONTROLLER = "speedscale-operator"  # the field manager of the controller


@dataclass
class Installation:
    """What was installed, and what lived while Argo CD waited for the pods of a component."""

    repository: Repository
    live: Live
    meanwhile: dict[str, set[Ref]] = field(default_factory=dict)


@pytest.fixture(scope="module")
def installed(argo: ArgoCD, repository: Repository, page: Page, shell: Callable[[str], str]) -> Installation:
    """The installation by the README's own commands; operator and forwarder are slow to become ready."""
    dist = synth(repository.work / "dist", "--values", str(repository.work / "cdk8s" / "values.yaml"))
    repository.commit("The installation")
    made = Installation(repository, Live(argo.kube, dist))
    slow = ("operator", "forwarder")
    for component in slow:
        argo.nodes.hold(component)
    try:
        for command in page.commands("Install") + page.commands("As one Application"):
            shell(command)
        for component in slow:
            waits = f"apps/Deployment/speedscale-{component}"
            argo.until_app(APP, lambda app, waits=waits: waits in message(app), f"the sync waits for {waits}")  # type: ignore[misc]
            made.meanwhile[component] = set(made.live.there())
            argo.nodes.release(component)
    finally:
        for component in slow:
            argo.nodes.release(component)
    argo.until_app(APP, good, "it is installed")
    return made


@pytest.fixture
def diff(
    argo: ArgoCD, repository: Repository, capsys: pytest.CaptureFixture[str]
) -> Callable[[], tuple[int, dict[str, Any]]]:
    """Run `speedctl diff` as its user does."""

    def run() -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        kubeconfig = str(argo.cluster.kubeconfig)
        code = main(["diff", str(repository.work / "dist"), "--kubeconfig", kubeconfig, "--format", "json"])
        printed = capsys.readouterr()
        assert printed.out, printed.err
        return code, json.loads(printed.out)

    return run


Diff = Callable[[], tuple[int, dict[str, Any]]]


def test_all_of_git_lives_and_is_healthy(argo: ArgoCD, installed: Installation) -> None:
    app = argo.app(APP)
    assert (phase(app), sync_status(app), health(app)) == ("Succeeded", "Synced", "Healthy")
    assert len(installed.live.there()) == len(installed.live.manifests) > 40
    assert len(app["status"]["resources"]) == len(installed.live.manifests)
    assert not app["status"].get("conditions")


@pytest.mark.parametrize(("component", "at"), [("operator", 0), ("forwarder", 1)])
def test_nothing_of_a_later_wave_is_there_before_a_component_is_ready(
    installed: Installation, component: str, at: int
) -> None:
    there, waves = installed.meanwhile[component], installed.live.waves()
    for number, refs in waves.items():
        assert refs & there == (refs if number <= at else set()), f"wave {number} while the {component} is not ready"
    assert max(waves) > at, "there is something to wait for it"


def test_objects_are_as_old_as_their_waves(installed: Installation) -> None:
    there = installed.live.there()
    made: dict[int, list[str]] = {}
    for manifest in installed.live.manifests:
        which = next(r for r in there if r.kind == manifest["kind"] and r.name == manifest["metadata"]["name"])
        made.setdefault(wave(manifest), []).append(there[which]["metadata"]["creationTimestamp"])
    order = sorted(made)
    assert (order[0], order[-1]) == (-3, 2)
    for earlier, later in itertools.pairwise(order):
        assert max(made[earlier]) <= min(made[later]), f"waves {earlier} and {later}"


def test_the_demo_rolled_out_once(argo: ArgoCD, installed: Installation) -> None:
    for kind, name in (("Deployment", "java-server"), ("Deployment", "java-client")):
        found = argo.kube.get(Ref("apps/v1", kind, NAMESPACE, name))
        assert found["metadata"]["generation"] == 1
        assert found["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "1"


def test_comparing_and_syncing_again_and_again_writes_nothing(
    argo: ArgoCD, installed: Installation, diff: Diff
) -> None:
    before = installed.live.written()
    assert {one.generation for which, one in before.items() if which.kind in ROLLED} == {1}
    for _ in range(2):
        app = argo.refresh(APP)
        assert (sync_status(app), health(app)) == ("Synced", "Healthy")
    finished = argo.app(APP)["status"]["operationState"]["finishedAt"]
    argo.sync(APP, prune=True, syncOptions=argo.app(APP)["spec"]["syncPolicy"]["syncOptions"])
    argo.until_app(
        APP,
        lambda app: good(app) and app["status"]["operationState"]["finishedAt"] != finished,
        "it was synced again; the next test does so once more",
    )
    assert argo.refresh(APP)["status"]["sync"]["status"] == "Synced"
    assert installed.live.written() == before
    code, report = diff()
    assert (code, report["drift"]) == (0, [])


def test_what_the_controller_writes_is_neither_drift_nor_reverted(
    argo: ArgoCD, installed: Installation, diff: Diff
) -> None:
    bundle = base64.b64encode(argo.cluster.layout.ca.certificate.read_bytes()).decode()
    hooks = [which for which in installed.live.there() if which.kind.endswith("WebhookConfiguration")]
    assert len(hooks) == 3
    for which in hooks:
        count = len(argo.kube.get(which)["webhooks"])
        paths = [f"/webhooks/{number}/clientConfig/caBundle" for number in range(count)]
        argo.kube.patch(which, [{"op": "add", "path": p, "value": bundle} for p in paths], CONTROLLER, kind="json")
    seen = {"controlplane.speedscale.com/seen": "1"}
    for which in (OPERATOR, CONFIGURATION):
        argo.kube.patch(which, {"metadata": {"annotations": seen}}, CONTROLLER)

    app = argo.refresh(APP)
    assert (sync_status(app), health(app)) == ("Synced", "Healthy")
    finished = app["status"]["operationState"]["finishedAt"]
    argo.sync(APP, prune=True, syncOptions=app["spec"]["syncPolicy"]["syncOptions"])
    argo.until_app(APP, lambda app: good(app) and app["status"]["operationState"]["finishedAt"] != finished, "synced")

    for which in hooks:
        assert {one["clientConfig"]["caBundle"] for one in argo.kube.get(which)["webhooks"]} == {bundle}
    for which in (OPERATOR, CONFIGURATION):
        assert seen.items() <= argo.kube.get(which)["metadata"]["annotations"].items()
    code, report = diff()
    assert (code, report["drift"]) == (0, [])


def test_what_people_change_by_hand_is_put_right(argo: ArgoCD, installed: Installation, diff: Diff) -> None:
    kube = argo.kube
    image = kube.get(INSPECTOR)["spec"]["template"]["spec"]["containers"][0]["image"]
    name = kube.get(INSPECTOR)["spec"]["template"]["spec"]["containers"][0]["name"]
    level = kube.get(CONFIGURATION)["data"]["LOG_LEVEL"]
    timeout = kube.get(SIDECARS)["webhooks"][0]["timeoutSeconds"]
    uid = kube.get(SERVICE)["metadata"]["uid"]

    def healed() -> dict[str, bool]:
        service = kube.find(SERVICE)
        return {
            "scaled": kube.get(FORWARDER)["spec"]["replicas"] == 1,
            "deleted": service is not None and service["metadata"]["uid"] != uid,
            "image": kube.get(INSPECTOR)["spec"]["template"]["spec"]["containers"][0]["image"] == image,
            "data": kube.get(CONFIGURATION)["data"]["LOG_LEVEL"] == level,
            "webhook": kube.get(SIDECARS)["webhooks"][0]["timeoutSeconds"] == timeout,
        }

    kubectl = argo.cluster.kubectl
    kubectl("-n", NAMESPACE, "scale", "deployment/speedscale-forwarder", "--replicas=0")
    kubectl("-n", NAMESPACE, "delete", "service/speedscale-forwarder")
    kubectl("-n", NAMESPACE, "set", "image", "deployment/speedscale-inspector", f"{name}=example.com/other:1")
    kubectl("-n", NAMESPACE, "patch", "configmap", "speedscale-operator", "-p", '{"data":{"LOG_LEVEL":"trace"}}')
    slow = json.dumps([{"op": "replace", "path": "/webhooks/0/timeoutSeconds", "value": 30}])
    kubectl("patch", "mutatingwebhookconfiguration", "speedscale-operator", "--type", "json", "-p", slow)

    Cluster.until(lambda: all(healed().values()), "all five edits are undone")
    argo.until_app(APP, good, "all is well again")
    code, report = diff()
    assert (code, report["drift"]) == (0, [])


def test_what_is_added_by_hand_argo_cd_does_not_see_and_speedctl_diff_does(
    argo: ArgoCD, installed: Installation, diff: Diff, page: Page, shell: Callable[[str], str]
) -> None:
    """Server-side apply owns the fields it names; a field that only somebody else named is none of its business."""
    argo.cluster.kubectl("-n", NAMESPACE, "set", "env", "deployment/speedscale-inspector", "DEBUG=1")
    app = argo.refresh(APP)
    assert sync_status(app) == "Synced"
    code, report = diff()
    assert code == 1
    assert [(o["kind"], o["name"], c["what"]) for o in report["drift"] for c in o["changes"]] == [
        ("Deployment", "speedscale-inspector", "added")
    ]
    argo.cluster.kubectl("-n", NAMESPACE, "set", "env", "deployment/speedscale-inspector", "DEBUG-")
    argo.until_app(APP, good, "it rolled back")
    shell(page.command("What Argo CD does not see as a change", "speedctl diff"))


def test_a_commit_of_other_values_rolls_through_and_what_is_gone_from_git_goes(
    argo: ArgoCD, installed: Installation, tmp_path: Path
) -> None:
    generation = argo.kube.get(FORWARDER)["metadata"]["generation"]
    before = installed.live.there()
    repository = installed.repository
    values = str(repository.work / "cdk8s" / "values.yaml")
    changes = ("image.tag=v0.2.1", "deployDemo=", "ebpf.enabled=true", "dashboardAccess=false")
    sets = [part for change in changes for part in ("--set", change)]
    dist = synth(repository.work / "dist", "--values", values, *sets)
    revision = repository.commit("A newer version, no demo, no inspector, capture on the nodes")
    argo.kube.patch(argo.ref(APP), {"metadata": {"annotations": {"argocd.argoproj.io/refresh": "normal"}}}, "tests")
    argo.until_app(APP, lambda app: good(app) and app["status"]["sync"]["revision"] == revision, "it is rolled out")

    now = Live(argo.kube, dist)
    there = now.there()
    assert len(there) == len(now.manifests)
    assert argo.kube.get(FORWARDER)["metadata"]["generation"] == generation + 1
    for which in there:
        if which.kind in ROLLED:
            containers = there[which]["spec"]["template"]["spec"]["containers"]
            assert {one["image"].rpartition(":")[2] for one in containers} == {"v0.2.1"}
    stale = set(before) - set(there)
    assert of("Deployment", stale) == {"java-server", "java-client", "speedscale-inspector"}
    for which in stale:
        Cluster.until(lambda which=which: argo.kube.find(which) is None, f"{which} is pruned")  # type: ignore[misc]
    assert of("DaemonSet", there) == {"nettap"}
