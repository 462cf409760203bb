"""`speedctl diff` against a real API server: silent on what was applied, and on each edit a person makes, that edit."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness.cluster import Cluster
from harness.definitions import until_gone
from harness.small import PART_OF, PULLED, Manifest, objects

from speedscale_kube import Client, Ref, ref
from speedscale_runtime.cli.root import main

MANAGER = "argocd-controller"
Speedctl = Callable[..., tuple[int, dict[str, Any]]]


@dataclass(frozen=True)
class Installed:
    """The small installation in a namespace of the test's own, applied once, and its files."""

    namespace: str
    folder: Path
    manifests: dict[str, Manifest]
    kube: Client

    def apply(self) -> list[str]:
        """Apply all files; return the resourceVersions."""
        applied = [self.kube.apply(m, MANAGER, force=True) for m in self.manifests.values()]
        return [obj["metadata"]["resourceVersion"] for obj in applied]

    def name(self, kind: str) -> str:
        return str(self.manifests[kind]["metadata"]["name"])

    def ref(self, kind: str) -> Ref:
        return ref(self.manifests[kind])


@pytest.fixture
def installed(namespace: str, kube: Client, tmp_path: Path) -> Iterator[Installed]:
    made = Installed(namespace, tmp_path / "dist", objects(namespace), kube)
    write(made.folder, made.manifests)
    made.apply()
    yield made
    remove(made.manifests, kube)
    kube.forget_kinds()


@pytest.fixture
def speedctl(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> Speedctl:
    def run(*arguments: str) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        code = main(["diff", *arguments, "--kubeconfig", str(cluster.kubeconfig), "--format", "json"])
        printed = capsys.readouterr()
        assert printed.out, printed.err
        return code, json.loads(printed.out)

    return run


def remove(manifests: dict[str, Manifest], kube: Client) -> None:
    """Delete what the namespace does not take along, and wait: a definition goes late, the next test would see it."""
    going = [ref(manifest) for manifest in manifests.values() if "namespace" not in manifest["metadata"]]
    for which in going:
        kube.delete(which)
    for which in going:
        until_gone(kube, which)


def write(dist: Path, manifests: dict[str, Manifest]) -> None:
    """Write them as `dist/operator`, each kind a file, with kustomizations."""
    folder = dist / "operator"
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"{kind.lower()}.yaml" for kind in manifests]
    for name, manifest in zip(names, manifests.values(), strict=True):
        (folder / name).write_text(yaml.safe_dump(manifest), encoding="utf-8")
    gather(folder, *names)
    gather(dist, "operator")


def gather(folder: Path, *names: str) -> None:
    (folder / "kustomization.yaml").write_text(yaml.safe_dump({"resources": list(names)}), encoding="utf-8")


def found(report: dict[str, Any]) -> set[tuple[str, str, str]]:
    """Return what a report says: kind, path and what happened; the state in the place of both for whole objects."""
    whole = {(one["kind"], "", one["state"]) for one in report["drift"] if one["state"] != "changed"}
    return whole | {(o["kind"], c["path"], c["what"]) for o in report["drift"] for c in o["changes"]}


def test_what_was_applied_is_no_drift(installed: Installed, speedctl: Speedctl) -> None:
    first = installed.apply()
    code, report = speedctl(str(installed.folder))
    assert (code, report["drift"], report["notCompared"], report["notes"]) == (0, [], [], [])
    assert report["compared"] == len(installed.manifests)
    assert installed.apply() == first, "asking changed something"


@pytest.mark.parametrize("how", ["apply", "apply --server-side", "create", "replace"])
def test_nor_is_it_when_kubectl_applied_it(
    how: str, namespace: str, cluster: Cluster, speedctl: Speedctl, kube: Client, tmp_path: Path
) -> None:
    """kubectl create and client-side apply are recorded as having set every default."""
    manifests = objects(namespace)
    write(tmp_path / "dist", manifests)
    stream = yaml.safe_dump_all(manifests.values())
    try:
        if how == "replace":
            cluster.kubectl("create", "-f", "-", stdin=stream)
        cluster.kubectl(*how.split(), "-f", "-", stdin=stream)
        code, report = speedctl(str(tmp_path / "dist"))
        assert (code, report["drift"]) == (0, [])
    finally:
        remove(manifests, kube)


def patch(kind: str, change: Any, how: str = "strategic") -> Callable[[Installed], list[str]]:
    return lambda it: ["patch", kind, it.name(kind), "--type", how, "-p", json.dumps(change)]


def container(**change: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": [{"name": "operator", **change}]}}}}


POD = "spec.template.spec"
OPERATOR = f"{POD}.containers[operator]"
WEBHOOKS, DEFINITION = "MutatingWebhookConfiguration", "CustomResourceDefinition"
VERSION = "/spec/versions/0"
EDITS: dict[str, tuple[Callable[[Installed], list[str]], set[tuple[str, str, str]]]] = {
    "image": (
        lambda it: ["set", "image", "deployment/it", "operator=registry.example.com/operator:hotfix"],
        {("Deployment", f"{OPERATOR}.image", "changed")},
    ),
    "replicas": (
        lambda it: ["scale", "deployment/it", "--replicas=5"],
        {("Deployment", "spec.replicas", "changed")},
    ),
    "environment variable added": (
        lambda it: ["set", "env", "deployment/it", "DEBUG=1"],
        {("Deployment", f"{OPERATOR}.env[DEBUG]", "added")},
    ),
    "environment variable changed": (
        lambda it: ["set", "env", "deployment/it", "REGION=us"],
        {("Deployment", f"{OPERATOR}.env[REGION].value", "changed")},
    ),
    "environment variable removed": (
        lambda it: ["set", "env", "deployment/it", "REGION-"],
        {("Deployment", f"{OPERATOR}.env[REGION]", "removed")},
    ),
    "environment of a container that has none": (
        lambda it: ["set", "env", "daemonset/it", "DEBUG=1"],
        {("DaemonSet", f"{POD}.containers[capture].env[DEBUG]", "added")},
    ),
    "argument added": (
        patch("Deployment", [{"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": "-v"}], "json"),
        {("Deployment", f"{OPERATOR}.args[-v]", "added")},
    ),
    "container added": (
        patch("Deployment", {"spec": {"template": {"spec": {"containers": [{"name": "shell", "image": PULLED}]}}}}),
        {("Deployment", f"{POD}.containers[shell]", "added")},
    ),
    "host network": (
        patch("Deployment", {"spec": {"template": {"spec": {"hostNetwork": True}}}}),
        # the host ports that the server then fills in are nobody's
        {("Deployment", f"{POD}.hostNetwork", "added")},
    ),
    "a default replaced": (
        patch("Deployment", {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 5}}}}),
        {("Deployment", f"{POD}.terminationGracePeriodSeconds", "added")},
    ),
    "label removed": (
        lambda it: ["label", "service/it", "app-"],
        {("Service", "metadata.labels.app", "removed")},
    ),
    "label added, with an empty value": (
        lambda it: ["label", "service/it", "extra="],
        {("Service", "metadata.labels.extra", "added")},
    ),
    "annotation changed": (
        lambda it: ["annotate", "--overwrite", "service/it", "example.com/owner=somebody"],
        {("Service", 'metadata.annotations["example.com/owner"]', "changed")},
    ),
    "rule added": (
        patch(
            "ClusterRole",
            [{"op": "add", "path": "/rules/-", "value": {"apiGroups": [""], "resources": ["secrets"], "verbs": ["*"]}}],
            "json",
        ),
        {("ClusterRole", "rules[2]", "added")},
    ),
    "verb added": (
        patch("ClusterRole", [{"op": "add", "path": "/rules/0/verbs/-", "value": "delete"}], "json"),
        {("ClusterRole", "rules[0].verbs[delete]", "added")},
    ),
    "names of a rule taken away": (
        patch("Role", [{"op": "remove", "path": "/rules/1/resourceNames"}], "json"),
        {("Role", "rules[1].resourceNames", "removed")},
    ),
    "names put into a rule": (
        patch("Role", [{"op": "add", "path": "/rules/0/resourceNames", "value": ["x"]}], "json"),
        {("Role", "rules[0].resourceNames", "added")},
    ),
    "failure policy": (
        patch(WEBHOOKS, [{"op": "replace", "path": "/webhooks/0/failurePolicy", "value": "Fail"}], "json"),
        {(WEBHOOKS, "webhooks[sidecar.example.com].failurePolicy", "changed")},
    ),
    "webhook timeout": (
        patch(WEBHOOKS, [{"op": "replace", "path": "/webhooks/0/timeoutSeconds", "value": 30}], "json"),
        {(WEBHOOKS, "webhooks[sidecar.example.com].timeoutSeconds", "changed")},
    ),
    "a default inside a rule of a webhook": (
        patch(WEBHOOKS, [{"op": "replace", "path": "/webhooks/0/rules/0/scope", "value": "Namespaced"}], "json"),
        {(WEBHOOKS, "webhooks[sidecar.example.com].rules[0].scope", "changed")},
    ),
    "key added": (
        patch("ConfigMap", {"data": {"NEW": "1"}}),
        {("ConfigMap", "data.NEW", "added")},
    ),
    "value changed": (
        patch("ConfigMap", {"data": {"LOG_LEVEL": "debug"}}),
        {("ConfigMap", "data.LOG_LEVEL", "changed")},
    ),
    "key removed": (
        patch("ConfigMap", {"data": {"LOG_LEVEL": None}}),
        {("ConfigMap", "data.LOG_LEVEL", "removed")},
    ),
    "port added": (
        patch("Service", {"spec": {"ports": [{"name": "debug", "port": 6060}]}}),
        {("Service", "spec.ports[6060/TCP]", "added")},
    ),
    "limit": (
        lambda it: ["set", "resources", "deployment/it", "--limits=cpu=2"],
        {("Deployment", f"{OPERATOR}.resources.limits.cpu", "changed")},
    ),
    "security context removed": (
        patch("Deployment", container(securityContext=None)),
        {("Deployment", f"{OPERATOR}.securityContext", "removed")},
    ),
    "object deleted": (
        lambda it: ["delete", "configmap/it"],
        {("ConfigMap", "", "missing")},
    ),
    "disruption budget": (
        patch("PodDisruptionBudget", {"spec": {"minAvailable": 0}}, "merge"),
        {("PodDisruptionBudget", "spec.minAvailable", "changed")},
    ),
    "egress opened": (
        patch("NetworkPolicy", [{"op": "add", "path": "/spec/egress/-", "value": {}}], "json"),
        {("NetworkPolicy", "spec.egress[1]", "added")},
    ),
    "schema": (
        patch(
            DEFINITION,
            [
                {
                    "op": "replace",
                    "path": f"{VERSION}/schema/openAPIV3Schema/properties/spec/properties/size/maximum",
                    "value": 50,
                }
            ],
            "json",
        ),
        {
            (
                DEFINITION,
                "spec.versions[v1].schema.openAPIV3Schema.properties.spec.properties.size.maximum",
                "changed",
            )
        },
    ),
    "printer column": (
        patch(
            DEFINITION,
            [{"op": "replace", "path": f"{VERSION}/additionalPrinterColumns/0/name", "value": "Bytes"}],
            "json",
        ),
        {
            (DEFINITION, "spec.versions[v1].additionalPrinterColumns[Size]", "removed"),
            (DEFINITION, "spec.versions[v1].additionalPrinterColumns[Bytes]", "added"),
        },
    ),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_is_found_and_nothing_else(
    edit: str, installed: Installed, cluster: Cluster, speedctl: Speedctl
) -> None:
    command, expected = EDITS[edit]
    cluster.kubectl("-n", installed.namespace, *command(installed))
    code, report = speedctl(str(installed.folder))
    assert (code, found(report)) == (1, expected)


def test_who_did_it_is_said(installed: Installed, cluster: Cluster, speedctl: Speedctl) -> None:
    cluster.kubectl("-n", installed.namespace, "set", "image", "deployment/it", "operator=x:1")
    _, report = speedctl(str(installed.folder))
    (change,) = report["drift"][0]["changes"]
    assert (change["git"], change["live"], change["managers"]) == (PULLED, "x:1", ["kubectl-set"])
    code, report = speedctl(str(installed.folder), "--ignore-manager", "kubectl-set")
    assert (code, report["drift"]) == (0, [])


def test_a_field_that_git_dropped_and_nobody_pruned_is_found(installed: Installed, speedctl: Speedctl) -> None:
    del installed.manifests["ConfigMap"]["data"]["CLUSTER_NAME"]
    write(installed.folder, installed.manifests)
    code, report = speedctl(str(installed.folder))
    assert (code, found(report)) == (1, {("ConfigMap", "data.CLUSTER_NAME", "added")})
    assert report["drift"][0]["changes"][0]["managers"] == [MANAGER]
    installed.apply()
    assert speedctl(str(installed.folder))[0] == 0


def test_standard_input(
    installed: Installed, cluster: Cluster, speedctl: Speedctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(cluster.kubectl("kustomize", str(installed.folder / "operator"))))
    code, report = speedctl("-")
    assert (code, report["compared"], report["drift"]) == (0, len(installed.manifests), [])


def test_an_object_that_git_no_longer_has_is_found(installed: Installed, speedctl: Speedctl) -> None:
    (installed.folder / "operator" / "configmap.yaml").unlink()
    code, report = speedctl(str(installed.folder))
    assert (code, found(report)) == (1, {("ConfigMap", "", "extra")})
    assert report["drift"][0]["note"] == f"set by {MANAGER}"


def test_which_objects_count_as_no_longer_in_git(installed: Installed, speedctl: Speedctl) -> None:
    """Of the whole any; of a chart below it those of its components that no other chart has; of a part alone none."""
    names = {"elsewhere": "operator", "foreign": "forwarder", "stale": "operator"}
    made: dict[str, Manifest] = {}
    for name, component in names.items():
        labels = PART_OF | {"controlplane.speedscale.com/component": component}
        metadata = {"name": name, "namespace": installed.namespace, "labels": labels}
        made[name] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
        installed.kube.apply(made[name], MANAGER)
    other = installed.folder / "other"
    other.mkdir()
    (other / "elsewhere.yaml").write_text(yaml.safe_dump(made["elsewhere"]), encoding="utf-8")
    gather(other, "elsewhere.yaml")
    gather(installed.folder, "operator", "other")

    def extra(*arguments: str) -> list[str]:
        _, report = speedctl(*arguments)
        return [one["name"] for one in report["drift"]]

    operator = str(installed.folder / "operator")
    assert extra(str(installed.folder)) == ["foreign", "stale"]
    assert extra(operator) == ["stale"]
    assert extra(operator, "--part") == []
    gather(installed.folder, "other")
    code, report = speedctl(operator)
    assert (code, len(report["notes"])) == (0, 1)


def test_what_controllers_write_by_right_is_no_drift(installed: Installed, speedctl: Speedctl) -> None:
    """A CA bundle, an autoscaler's replicas, objects that the operator makes, marks of Argo CD."""
    kube = installed.kube
    bundle = [{"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": "LS0t"}]
    kube.patch(installed.ref(WEBHOOKS), bundle, "speedscale-operator", kind="json")
    kube.patch(installed.ref("Deployment"), {"spec": {"replicas": 7}}, "kube-controller-manager", subresource="scale")
    tracking = {"argocd.argoproj.io/tracking-id": "speedscale:apps/Deployment:x/it"}
    kube.patch(installed.ref("Deployment"), {"metadata": {"annotations": tracking}}, MANAGER)
    metadata = {"name": "made", "namespace": installed.namespace, "labels": PART_OF}
    kube.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}, "speedscale-operator")
    code, report = speedctl(str(installed.folder))
    assert (code, report["drift"]) == (0, [])


def test_an_immutable_field_that_git_changed_is_said_to_be_one(installed: Installed, speedctl: Speedctl) -> None:
    changed = objects(installed.namespace)
    changed["DaemonSet"]["spec"]["selector"]["matchLabels"] = {"app": "other"}
    changed["DaemonSet"]["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
    write(installed.folder, changed)
    code, report = speedctl(str(installed.folder))
    (drift,) = report["drift"]
    assert code == 1
    assert "applying would be refused" in drift["note"]
    assert "immutable" in drift["note"]
    assert ("DaemonSet", "spec.selector.matchLabels.app", "changed") in found(report)


def test_a_kind_that_the_cluster_does_not_know_is_missing(installed: Installed, speedctl: Speedctl) -> None:
    thing = {"apiVersion": "none.example.com/v1", "kind": "Thing", "metadata": {"name": "it"}}
    (installed.folder / "thing.yaml").write_text(yaml.safe_dump(thing), encoding="utf-8")
    code, report = speedctl(str(installed.folder))
    assert (code, found(report)) == (1, {("Thing", "", "missing")})


def test_without_the_right_to_patch_it_still_compares_and_says_so(
    installed: Installed, cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    user, kubeconfig = cluster.restricted(0)
    role = "aggregate-to-nothing"
    rules = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list"]}]
    group = "rbac.authorization.k8s.io"
    made = [
        {"apiVersion": f"{group}/v1", "kind": "ClusterRole", "metadata": {"name": role}, "rules": rules},
        {
            "apiVersion": f"{group}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": role},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
            "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
        },
    ]
    for manifest in made:
        installed.kube.apply(manifest, "tests")
    try:
        arguments = ["diff", str(installed.folder), "--kubeconfig", str(kubeconfig), "--format", "json"]
        assert main(arguments) == 0
        report = json.loads(capsys.readouterr().out)
        assert report["drift"] == []
        assert any("without the server's dry run" in note for note in report["notes"])
        cluster.kubectl("-n", installed.namespace, "set", "env", "deployment/it", "REGION=us", "DEBUG=1")
        assert main(arguments) == 1
        expected = {
            ("Deployment", f"{OPERATOR}.env[REGION].value", "changed"),
            ("Deployment", f"{OPERATOR}.env[DEBUG]", "added"),
        }
        assert found(json.loads(capsys.readouterr().out)) == expected
    finally:
        for manifest in made:
            installed.kube.delete(ref(manifest))


def test_who_may_not_read_gets_two_and_the_servers_words(
    installed: Installed, cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    _, kubeconfig = cluster.restricted(1)
    assert main(["diff", str(installed.folder), "--kubeconfig", str(kubeconfig)]) == 2
    assert 'User "restricted-1" cannot get resource "configmaps"' in capsys.readouterr().out
