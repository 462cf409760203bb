"""The synthesised installation on a real API server: applying it twice changes nothing, and edits of it are found."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import go_tools
import pytest
from harness.cluster import Cluster
from harness.definitions import established, until_gone

from speedscale_kube import Client, Object, Ref
from speedscale_manifests.drift import read
from speedscale_runtime.cli.root import main

MANAGER = "argocd-controller"
NAMESPACE = "speedscale"
SETS = ("--set", "operator.replicas=2", "--set", "ebpf.enabled=true")


@dataclass(frozen=True)
class Installation:
    """What `speedctl synth` wrote, and how to apply it."""

    dist: Path
    kube: Client

    def manifests(self) -> list[Object]:
        """Return the objects in the order of their sync waves."""
        return sorted((one.manifest for one in read(self.dist).objects), key=_wave)

    def apply(self) -> dict[Ref, str]:
        """Apply all as Argo CD would, definitions waited for; return the resourceVersions."""
        versions = {}
        for manifest in self.manifests():
            applied = self.kube.apply(manifest, MANAGER, force=True, strict=True)
            which = self.kube.ref(manifest)
            if which.kind == "CustomResourceDefinition":
                Cluster.until(lambda which=which: established(self.kube.get(which)), f"{which} is established")
            versions[which] = str(applied["metadata"]["resourceVersion"])
        return versions

    def remove(self) -> None:
        """Delete all, the last wave first, and wait until the namespace is gone."""
        for manifest in reversed(self.manifests()):
            self.kube.delete(self.kube.ref(manifest))
        for manifest in self.manifests():
            which = self.kube.ref(manifest)
            until_gone(self.kube, which)
        self.kube.forget_kinds()

    def settle(self) -> None:
        """Wait until the controllers have seen every workload: they write annotations and status after the apply."""
        for manifest in self.manifests():
            if manifest["kind"] in ("Deployment", "DaemonSet"):
                which = self.kube.ref(manifest)
                Cluster.until(lambda which=which: _observed(self.kube.get(which)), f"{which} is observed")


def _wave(manifest: Object) -> tuple[int, str]:
    annotations = manifest["metadata"].get("annotations") or {}
    order = "0" if manifest["kind"] == "Namespace" else manifest["kind"]
    return int(annotations.get("argocd.argoproj.io/sync-wave", "0")), order


def _observed(workload: Object) -> bool:
    return (workload.get("status") or {}).get("observedGeneration") == workload["metadata"]["generation"]


@pytest.fixture(params=["gitops", "operator"])
def installation(request: pytest.FixtureRequest, kube: Client, tmp_path: Path) -> Iterator[Installation]:
    """Each profile, installed."""
    dist = tmp_path / "dist"
    values = tmp_path / "values.yaml"
    values.write_text("{}\n", encoding="utf-8")
    assert main(["synth", "--values", str(values), "--profile", request.param, "--out", str(dist), *SETS]) == 0
    made = Installation(dist, kube)
    made.remove()  # other tests' installations are deleted, but perhaps not gone yet
    try:
        yield made
    finally:
        made.remove()


@pytest.fixture
def diff(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> Callable[[Path], tuple[int, dict[str, Any]]]:
    def run(dist: Path) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        code = main(["diff", str(dist), "--kubeconfig", str(cluster.kubeconfig), "--format", "json"])
        printed = capsys.readouterr()
        assert printed.out, printed.err
        return code, json.loads(printed.out)

    return run


Diff = Callable[[Path], tuple[int, dict[str, Any]]]


def test_before_it_is_installed_everything_is_missing(installation: Installation, diff: Diff) -> None:
    code, report = diff(installation.dist)
    assert code == 1
    assert {one["state"] for one in report["drift"]} == {"missing"}
    assert len(report["drift"]) == len(installation.manifests())


def test_a_second_apply_changes_nothing_and_edits_are_found(
    installation: Installation, cluster: Cluster, diff: Diff
) -> None:
    installation.apply()
    installation.settle()
    versions = {which: _version(installation.kube, which) for which in installation.apply()}
    assert installation.apply() == versions
    code, report = diff(installation.dist)
    assert (code, report["drift"], report["notCompared"], report["notes"]) == (0, [], [], [])
    assert {which: _version(installation.kube, which) for which in versions} == versions, "asking changed something"

    expected: set[tuple[str, str, str, str]] = set()
    for command, kind, name, paths, what in EDITS:
        cluster.kubectl("-n", NAMESPACE, *command)
        expected |= {(kind, name, path, what) for path in paths.split(" ")}
        code, report = diff(installation.dist)
        assert (code, _found(report)) == (1, expected), f"after kubectl {' '.join(command)}"


@pytest.mark.parametrize("installation", ["gitops"], indirect=True)
def test_what_helm_installed_is_no_drift(
    installation: Installation, cluster: Cluster, diff: Diff, tmp_path: Path
) -> None:
    """The same objects as a chart; Helm is recorded as having set every default."""
    (helm,) = go_tools.ensure("helm")
    chart = tmp_path / "chart"
    assert (
        main(["synth", "--values", str(tmp_path / "values.yaml"), "--format", "helm", "--out", str(chart), *SETS]) == 0
    )
    namespace = next(m for m in installation.manifests() if m["kind"] == "Namespace")
    installation.kube.apply(namespace, MANAGER)
    command = [str(helm), "install", "it", str(chart), "-n", NAMESPACE, "--kubeconfig", str(cluster.kubeconfig)]
    home = {**os.environ, "HOME": str(tmp_path)}
    done = subprocess.run(command, env=home, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    installation.settle()
    code, report = diff(installation.dist)
    assert (code, report["drift"], report["notCompared"], report["notes"]) == (0, [], [], [])


def _version(kube: Client, which: Ref) -> str:
    return str(kube.get(which)["metadata"]["resourceVersion"])


def _found(report: dict[str, Any]) -> set[tuple[str, str, str, str]]:
    assert report["notCompared"] == []
    whole = {(o["kind"], o["name"], "", o["state"]) for o in report["drift"] if o["state"] != "changed"}
    return whole | {(o["kind"], o["name"], c["path"], c["what"]) for o in report["drift"] for c in o["changes"]}


def _json(kind: str, name: str, op: str, path: str, value: Any = None) -> list[str]:
    change = {"op": op, "path": path, **({} if op == "remove" else {"value": value})}
    return ["patch", kind, name, "--type", "json", "-p", json.dumps([change])]


OPERATOR = "speedscale-operator"
CRD = "trafficreplays.speedscale.com"
POD = "/spec/template/spec"
CONTAINER = "spec.template.spec.containers[operator]"
_DEPLOYMENT = f"deployment/{OPERATOR}"
_MUTATING = "mutatingwebhookconfiguration"
_WEBHOOK = "webhooks[sidecar.speedscale.com]"
_NAMED, _DEBUG = {"port": 443, "name": "https"}, {"port": 6060, "name": "debug"}
_SECRETS = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}

# what a person does, and what is then to be found (paths, parted by blanks); one after the other, none undone
EDITS: tuple[tuple[list[str], str, str, str, str], ...] = (
    (["set", "image", _DEPLOYMENT, "operator=x:hotfix"], "Deployment", OPERATOR, f"{CONTAINER}.image", "changed"),
    (["scale", _DEPLOYMENT, "--replicas=1"], "Deployment", OPERATOR, "spec.replicas", "changed"),
    (["set", "env", _DEPLOYMENT, "DEBUG=1"], "Deployment", OPERATOR, f"{CONTAINER}.env[DEBUG]", "added"),
    (
        _json(
            "deployment", OPERATOR, "replace", f"{POD}/containers/0/env/0/valueFrom/fieldRef/fieldPath", "spec.nodeName"
        ),
        "Deployment",
        OPERATOR,
        f"{CONTAINER}.env[POD_NAME].valueFrom.fieldRef.fieldPath",
        "changed",
    ),
    (
        ["set", "env", _DEPLOYMENT, "POD_NAMESPACE-"],
        "Deployment",
        OPERATOR,
        f"{CONTAINER}.env[POD_NAMESPACE]",
        "removed",
    ),
    (["label", f"service/{OPERATOR}", "app-"], "Service", OPERATOR, "metadata.labels.app", "removed"),
    (
        ["annotate", "--overwrite", f"service/{OPERATOR}", "argocd.argoproj.io/sync-wave=9"],
        "Service",
        OPERATOR,
        'metadata.annotations["argocd.argoproj.io/sync-wave"]',
        "changed",
    ),
    (
        _json("clusterrole", OPERATOR, "add", "/rules/0/verbs/-", "delete"),
        "ClusterRole",
        OPERATOR,
        "rules[0].verbs[delete]",
        "added",
    ),
    (_json("role", OPERATOR, "add", "/rules/0", _SECRETS), "Role", OPERATOR, "rules[0]", "added"),
    (
        _json(_MUTATING, f"{OPERATOR}-replay", "replace", "/webhooks/0/failurePolicy", "Ignore"),
        "MutatingWebhookConfiguration",
        f"{OPERATOR}-replay",
        "webhooks[replay.speedscale.com].failurePolicy",
        "changed",
    ),
    (
        _json(_MUTATING, OPERATOR, "replace", "/webhooks/0/timeoutSeconds", 30),
        "MutatingWebhookConfiguration",
        OPERATOR,
        f"{_WEBHOOK}.timeoutSeconds",
        "changed",
    ),
    (_json("configmap", OPERATOR, "add", "/data/NEW", "1"), "ConfigMap", OPERATOR, "data.NEW", "added"),
    (
        _json("configmap", OPERATOR, "replace", "/data/LOG_LEVEL", "trace"),
        "ConfigMap",
        OPERATOR,
        "data.LOG_LEVEL",
        "changed",
    ),
    (
        # a second port needs a name for both
        ["patch", "service", OPERATOR, "-p", json.dumps({"spec": {"ports": [_NAMED, _DEBUG]}})],
        "Service",
        OPERATOR,
        "spec.ports[443/TCP].name spec.ports[6060/TCP]",
        "added",
    ),
    (
        ["set", "resources", _DEPLOYMENT, "--limits=memory=9Gi"],
        "Deployment",
        OPERATOR,
        f"{CONTAINER}.resources.limits.memory",
        "changed",
    ),
    (
        _json("deployment", OPERATOR, "remove", f"{POD}/containers/0/securityContext/readOnlyRootFilesystem"),
        "Deployment",
        OPERATOR,
        f"{CONTAINER}.securityContext.readOnlyRootFilesystem",
        "removed",
    ),
    (["delete", "configmap/speedscale-bundle-redis"], "ConfigMap", "speedscale-bundle-redis", "", "missing"),
    (
        _json("pdb", OPERATOR, "replace", "/spec/minAvailable", 0),
        "PodDisruptionBudget",
        OPERATOR,
        "spec.minAvailable",
        "changed",
    ),
    (
        _json("networkpolicy", OPERATOR, "add", "/spec/egress/0", {}),
        "NetworkPolicy",
        OPERATOR,
        "spec.egress[0]",
        "added",
    ),
    (
        _json("crd", CRD, "remove", "/spec/versions/0/additionalPrinterColumns/0"),
        "CustomResourceDefinition",
        CRD,
        "spec.versions[v1].additionalPrinterColumns[Active]",
        "removed",
    ),
    (
        _json("crd", CRD, "remove", "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/buildTag"),
        "CustomResourceDefinition",
        CRD,
        "spec.versions[v1].schema.openAPIV3Schema.properties.spec.properties.buildTag",
        "removed",
    ),
)
