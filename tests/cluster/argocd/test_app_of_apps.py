"""app-of-apps.yaml: one Application a chart, each waiting for the health of those before it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
import yaml
from harness.argocd import NAMESPACE as ARGOCD
from harness.argocd import ArgoCD, good, message
from harness.gitops import WAVE, Live, of, synth
from harness.page import Page
from harness.repository import Repository

ROOT = "speedscale-root"


@dataclass
class Installation:
    """What was installed, and which Applications there were while one of them was not healthy yet."""

    live: Live
    waves: dict[str, int]
    meanwhile: dict[str, set[str]] = field(default_factory=dict)


def applications(argo: ArgoCD) -> set[str]:
    found = argo.kube.list("argoproj.io/v1alpha1", "Application", ARGOCD)
    return {one["metadata"]["name"] for one in found} - {ROOT}


@pytest.fixture(scope="module")
def installed(argo: ArgoCD, repository: Repository, page: Page, shell: Callable[[str], str]) -> Installation:
    """By the README's commands, with an operator and a forwarder that are slow to become ready."""
    dist = synth(repository.work / "dist", "--values", str(repository.work / "cdk8s" / "values.yaml"))
    repository.commit("The installation")
    files = sorted((repository.work / "examples" / "argocd" / "apps").glob("*.yaml"))
    apps = [yaml.safe_load(file.read_text("utf-8"))["metadata"] for file in files]
    made = Installation(Live(argo.kube, dist), {one["name"]: int(one["annotations"][WAVE]) for one in apps})
    slow = ("operator", "forwarder")
    for component in slow:
        argo.nodes.hold(component)
    try:
        for command in page.commands("Install") + page.commands("As one Application a chart"):
            shell(command)
        for component in slow:
            waits = f"argoproj.io/Application/speedscale-{component}"
            argo.until_app(ROOT, lambda app, waits=waits: waits in message(app), f"the sync waits for {waits}")  # type: ignore[misc]
            made.meanwhile[component] = applications(argo)
            argo.nodes.release(component)
    finally:
        for component in slow:
            argo.nodes.release(component)
    argo.until_app(ROOT, good, "it is installed")
    return made


def test_every_application_is_synced_and_healthy(argo: ArgoCD, installed: Installation) -> None:
    assert applications(argo) == set(installed.waves)
    for name in (ROOT, *installed.waves):
        argo.until_app(name, good, f"{name} is synced and healthy")
        assert not argo.app(name)["status"].get("conditions"), name
    assert len(installed.live.there()) == len(installed.live.manifests)


@pytest.mark.parametrize("component", ["operator", "forwarder"])
def test_an_application_waits_for_the_health_of_those_before_it(installed: Installation, component: str) -> None:
    at = installed.waves[f"speedscale-{component}"]
    expected = {name for name, wave in installed.waves.items() if wave <= at}
    assert installed.meanwhile[component] == expected
    assert expected < set(installed.waves)


def test_nothing_was_written_twice(installed: Installation) -> None:
    """No object is in two Applications: they would take it from each other for ever."""
    written = installed.live.written()
    rolled = {which.name: one.generation for which, one in written.items() if which.kind == "Deployment"}
    assert rolled == dict.fromkeys(of("Deployment", written), 1)
