"""`speedctl validate` asks a real API server and leaves nothing; Helm installs, upgrades and removes the chart."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import go_tools
import pytest
from harness.cluster import Cluster

from speedscale_kube import Client, Ref
from speedscale_manifests import synth
from speedscale_manifests.output import Writer, render
from speedscale_manifests.output.helm import chart
from speedscale_manifests.values import Values, from_mapping
from speedscale_runtime.cli.root import main

Helm = Callable[..., str]
CRD = "trafficreplays.speedscale.com"


def state(cluster: Cluster) -> set[str]:
    """Return what there is of kinds that an installation brings."""
    kinds = "namespaces,crds,clusterroles,mutatingwebhookconfigurations,configmaps,deployments.apps"
    return set(cluster.kubectl("get", kinds, "-A", "-o", "name").split())


def validated(cluster: Cluster, folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    """Return the exit code and the result of the step that asks the server."""
    capsys.readouterr()
    arguments = ["--server", "always", "--kubeconfig", str(cluster.kubeconfig), "--format", "json"]
    code = main(["validate", str(folder), *arguments])
    steps = json.loads(capsys.readouterr().out)["steps"]
    return code, next(step for step in steps if step["name"] == "server")


@pytest.mark.parametrize("profile", ["gitops", "operator"])
def test_a_first_installation_is_judged_before_its_namespace_is_there(
    cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str], profile: str
) -> None:
    values = from_mapping({"profile": profile, "namespace": "not-there-yet", "ebpf": {"enabled": True}})
    Writer(tmp_path / "dist").write(render(synth.placed(values), values.namespace))
    before = state(cluster)
    code, step = validated(cluster, tmp_path / "dist", capsys)
    assert (code, step["problems"]) == (0, [])
    assert step["state"] == "passed"
    assert step["checked"] == len(synth.objects(values))
    assert "judged in namespace default" in " ".join(step["notes"])
    assert state(cluster) - before == set()  # namespaces of earlier tests may still be going


def test_the_servers_refusals_are_told_with_file(
    cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = from_mapping({"namespace": "not-there-yet"})
    Writer(tmp_path / "dist").write(render(synth.placed(values), values.namespace))
    file = tmp_path / "dist" / "operator" / "service-speedscale-operator.yaml"
    text = file.read_text()
    file.write_text(text.replace("port: 443", "port: 443000", 1))
    assert file.read_text() != text
    code, step = validated(cluster, tmp_path / "dist", capsys)
    assert code == 1
    (problem,) = step["problems"]
    assert problem["file"] == str(file)
    assert "65535" in problem["reason"]


@pytest.fixture
def helm(cluster: Cluster, tmp_path: Path) -> Helm:
    program = go_tools.find("helm")
    if program is None:
        pytest.skip("helm is not there; make cluster-tools builds it")
    folders = {f"HELM_{what}_HOME": str(tmp_path / what) for what in ("CACHE", "CONFIG", "DATA")}
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "KUBECONFIG": str(cluster.kubeconfig), **folders}

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [str(program), *arguments], capture_output=True, text=True, timeout=120, check=False, env=environment
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def away(cluster: Cluster, kube: Client) -> Iterator[None]:
    yield
    for kind in ("clusterrole", "clusterrolebinding", "mutatingwebhookconfiguration", "validatingwebhookconfiguration"):
        cluster.kubectl("delete", kind, "-l", "app.kubernetes.io/part-of=speedscale", "--ignore-not-found")
    cluster.kubectl("delete", "crd", CRD, "--ignore-not-found")
    kube.delete(Ref("v1", "Namespace", "", "helm-release"))
    kube.forget_kinds()


def written(values: Values, folder: Path) -> str:
    Writer(folder).write(chart(values, synth.placed(values)))
    return str(folder)


@pytest.mark.usefixtures("away")
def test_helm_installs_upgrades_and_removes_and_leaves_the_definition(
    cluster: Cluster, kube: Client, helm: Helm, tmp_path: Path
) -> None:
    values = from_mapping({"namespace": "helm-release"})
    place = ("--namespace", "helm-release")
    folder = written(values, tmp_path / "chart")
    told = helm("install", "it", folder, *place, "--create-namespace")
    assert "rollout status deployment/speedscale-operator" in told
    kube.forget_kinds()
    for manifest in synth.objects(values):
        if manifest["kind"] != "Namespace":
            kube.get(kube.ref(manifest))
    operator = Ref("apps/v1", "Deployment", "helm-release", "speedscale-operator")
    assert kube.get(operator)["spec"]["replicas"] == 1
    more = from_mapping({"namespace": "helm-release", "operator": {"replicas": 2}})
    helm("upgrade", "it", written(more, tmp_path / "chart"), *place)
    assert kube.get(operator)["spec"]["replicas"] == 2
    helm("uninstall", "it", *place)
    assert kube.find(operator) is None
    assert kube.get(Ref("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", CRD))["kind"]
