"""What goes, what stays and what hangs when an Application is deleted, by the README's commands and without them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from harness.argocd import ArgoCD, good, health, sync_status
from harness.cluster import Cluster
from harness.definitions import define
from harness.gitops import Live, of, synth
from harness.page import Page
from harness.repository import Repository

from speedscale_kube import Object, Ref

APP = "speedscale"
NAMESPACE = Ref("v1", "Namespace", "", "speedscale")
CRD = Ref("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "trafficreplays.speedscale.com")
SECRET = Ref("v1", "Secret", "speedscale", "speedscale-apikey")
FINALIZER = "operator.speedscale.com/cleanup"
REPLAYS = [Ref("speedscale.com/v1", "TrafficReplay", place, "earlier") for place in ("speedscale", "shop")]


@pytest.fixture(scope="module")
def live(argo: ArgoCD, repository: Repository, page: Page, shell: Callable[[str], str]) -> Live:
    """Manifests, committed, and the project."""
    dist = synth(repository.work / "dist", "--values", str(repository.work / "cdk8s" / "values.yaml"))
    repository.commit("The installation")
    for command in page.commands("Install"):
        shell(command)
    return Live(argo.kube, dist)


@pytest.fixture
def install(argo: ArgoCD, live: Live, page: Page, shell: Callable[[str], str]) -> Callable[..., None]:
    """Install in a cluster that holds the replays of an operator that ran before, and a key of the user's."""

    def run(heading: str, app: str, finalizers: tuple[str, ...] = ()) -> None:
        for manifest in live.manifests:
            if manifest["kind"] == "CustomResourceDefinition":
                define(argo.kube, manifest)
        for place in ("speedscale", "shop"):
            argo.kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": place}}, "tests")
        for which in REPLAYS:
            metadata: Object = {"name": which.name, "namespace": which.namespace, "finalizers": list(finalizers)}
            spec: Object = {"snapshotID": "latest", "testConfigID": "standard", "mode": "full-replay"}
            spec |= {"workloads": [{"ref": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "it"}}]}
            argo.kube.apply(
                {"apiVersion": which.api_version, "kind": which.kind, "metadata": metadata, "spec": spec}, "tests"
            )
        key = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": SECRET.name, "namespace": SECRET.namespace}}
        argo.kube.apply({**key, "stringData": {"SPEEDSCALE_API_KEY": "x"}}, "tests")
        for command in page.commands(heading):
            shell(command)
        argo.until_app(app, good, "it is installed")

    return run


def waits_for_approval(argo: ArgoCD, app: str) -> bool:
    log = argo.log("application-controller").read_text(encoding="utf-8")
    told = [line for line in log.splitlines() if "requires manual confirmation to delete" in line]
    return any(f'"application":"{app}"' in line for line in told)


def test_an_application_that_is_deleted_by_mistake_has_lost_nothing_and_is_taken_back(
    argo: ArgoCD, live: Live, install: Callable[..., None], page: Page, shell: Callable[[str], str]
) -> None:
    install("As one Application", APP)
    before = live.written()
    shell(page.command("Of one Application", "kubectl delete application"))
    Cluster.until(lambda: waits_for_approval(argo, APP), "Argo CD asks for approval")
    assert live.written() == before
    assert all(argo.kube.find(which) for which in (*REPLAYS, SECRET))

    uid = argo.app(APP)["metadata"]["uid"]
    for command in page.commands("A deletion that was a mistake"):
        shell(command)
    argo.until_app(
        APP,
        lambda app: (sync_status(app), health(app)) == ("Synced", "Healthy") and app["metadata"]["uid"] != uid,
        "it is taken back, and nothing had to be synced",
    )
    assert live.written() == before


def test_removal_of_one_application_leaves_nothing(
    argo: ArgoCD, live: Live, page: Page, shell: Callable[[str], str]
) -> None:
    """In the order of the page; continues where the test above ended."""
    commands = page.commands("Of one Application")
    order = ("delete trafficreplays", "delete application", "annotate application", "wait", "delete crd")
    for what, command in zip(order, commands, strict=True):
        assert what in command
    for command in commands[:-1]:
        shell(command)
    assert set(live.there()) == {CRD}
    assert argo.kube.find(NAMESPACE) is None
    shell(commands[-1])
    assert live.there() == {}


def test_replays_that_nobody_cleans_up_hold_the_namespace_until_they_are_let_go(
    argo: ArgoCD, live: Live, install: Callable[..., None], page: Page, shell: Callable[[str], str]
) -> None:
    install("As one Application", APP, (FINALIZER,))
    for words in ("kubectl delete application", "annotate"):
        shell(page.command("Of one Application", words))
    Cluster.until(lambda: set(live.there()) == {CRD, NAMESPACE}, "all but the Namespace is gone")

    def remaining() -> str:
        conditions = argo.kube.get(NAMESPACE)["status"].get("conditions") or ()
        return " ".join(one["message"] for one in conditions if one["type"] == "NamespaceFinalizersRemaining")

    Cluster.until(lambda: FINALIZER in remaining(), "the Namespace says what it waits for")
    assert argo.kube.find(argo.ref(APP)) is not None

    for command in page.commands("When the operator was gone first"):
        shell(command)
    shell(page.command("Of one Application", "kubectl wait"))
    shell(page.command("Of one Application", "crd"))
    assert live.there() == {}
    assert argo.kube.find(Ref("v1", "Namespace", "", "shop")) is not None, "other namespaces are the users'"


def test_with_the_webhooks_still_there_a_replay_cannot_be_changed(
    argo: ArgoCD, live: Live, install: Callable[..., None], page: Page, shell: Callable[[str], str]
) -> None:
    """Why the first of these commands takes them away. The app of apps goes by its own."""
    install("As one Application a chart", "speedscale-root", (FINALIZER,))
    without_webhooks, let_go = page.commands("When the operator was gone first")
    with pytest.raises(AssertionError, match="failed calling webhook"):
        shell(let_go)

    commands = page.commands("Of one Application a chart")
    assert len(commands) == 7
    waits = next(number for number, line in enumerate(commands) if "annotate" in line)
    for command in commands[1:waits]:  # the first has been skipped, or there was no operator to clean up
        shell(command)
    Cluster.until(lambda: waits_for_approval(argo, "speedscale-forwarder"), "Argo CD asks for approval")
    there = live.there()
    assert {"speedscale-forwarder", "speedscale-operator"} <= of("Deployment", there), "the forwarder works on"
    assert not {"java-server", "java-client"} & of("Deployment", there), "the demo was first"
    for command in commands[waits : waits + 2]:
        shell(command)
    assert set(live.there()) == {CRD, NAMESPACE}
    assert argo.kube.find(SECRET) is not None, "it is removed with the Namespace, by hand"
    for command in (without_webhooks, let_go, *commands[waits + 2 :]):
        shell(command)
    assert live.there() == {}
