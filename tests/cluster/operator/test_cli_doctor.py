"""`speedctl doctor` against an operator that runs, and against what breaks it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from harness.cluster import Cluster
from harness.nodes import Nodes
from harness.operator import ADMISSION, NAME, WEBHOOKS, Installation
from harness.workloads import INJECT, create, deployment

from speedscale_controller.cli.installed import alive
from speedscale_kube import Client, Ref
from speedscale_runtime.cli.root import main

pytestmark = pytest.mark.integration
Doctor = Callable[..., tuple[int, dict[str, dict[str, Any]]]]


@pytest.fixture
def doctor(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> Doctor:
    def run(*arguments: str) -> tuple[int, dict[str, dict[str, Any]]]:
        capsys.readouterr()
        code = main(["doctor", *arguments, "--kubeconfig", str(cluster.kubeconfig), "-o", "json"])
        printed = capsys.readouterr()
        assert printed.out, printed.err
        return code, {one["check"]: one for one in json.loads(printed.out)["results"]}

    return run


def verdicts(results: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {name: one["verdict"] for name, one in results.items()}


@pytest.fixture
def deployed(operator: Installation, running_pods: Nodes, kube: Client) -> Iterator[Installation]:
    """The operator's Deployment is there, too; its pods are played, as no node runs them."""
    labels = {
        "app": NAME,
        "controlplane.speedscale.com/component": "operator",
        "app.kubernetes.io/part-of": "speedscale",
    }
    made = deployment(NAME, operator.namespace, **{"operator.speedscale.com/ignore": "true"})
    made["metadata"]["labels"] = labels
    kube.apply(made, "tests", force=True)
    which = kube.ref(made)
    Cluster.until(lambda: alive(kube.get(which)), "the operator's pod is ready")
    yield operator
    kube.delete(which)


def test_a_working_installation_passes(deployed: Installation, namespace: str, doctor: Doctor) -> None:
    code, found = doctor("-n", namespace)
    wrong = {name: one for name, one in found.items() if one["verdict"] in ("fail", "warn")}
    assert set(wrong) <= {"metrics"}, json.dumps(wrong, indent=1)
    assert found["webhook-canary"]["verdict"] == "ok"
    assert found["webhook-replay"]["verdict"] == "ok"
    assert found["webhook-trust"]["verdict"] == "ok"
    assert found["operator-rights"]["verdict"] == "ok", found["operator-rights"]["about"]
    assert found["definition"]["verdict"] == "ok"
    assert found["clock"]["verdict"] == "ok"
    assert code == 0
    code, found = doctor("-n", namespace, "--check", "webhook-canary", "--check", "bundle")
    assert (code, list(found)) == (0, ["webhook-canary", "bundle"])


def test_workloads_that_get_no_sidecar_are_named_with_the_reason(
    operator: Installation, cluster: Cluster, namespace: str, doctor: Doctor
) -> None:
    host = deployment("on-the-host", namespace, **INJECT)
    host["spec"]["template"]["spec"]["hostNetwork"] = True
    create(cluster, host)
    misplaced = deployment("misplaced", namespace)
    misplaced["spec"]["template"]["metadata"]["annotations"] = INJECT
    create(cluster, misplaced)
    _, found = doctor("-n", namespace)
    assert any("on-the-host: host_network" in line for line in found["workloads"]["about"])
    assert [line.split(":")[0] for line in found["annotations"]["about"]] == [f"Deployment {namespace}/misplaced"]


def test_a_closed_port_an_overwritten_bundle_and_a_lost_right_are_found(
    operator: Installation, kube: Client, namespace: str, doctor: Doctor
) -> None:
    kind, name = WEBHOOKS[0]
    which = Ref(ADMISSION, kind, "", name)
    before = kube.get(which)["webhooks"][0]["clientConfig"]
    role = Ref("rbac.authorization.k8s.io/v1", "ClusterRole", "", NAME)
    rules = kube.get(role)["rules"]
    nowhere = [{"op": "replace", "path": "/webhooks/0/clientConfig", "value": {"url": "https://127.0.0.1:9/mutate"}}]
    bundle = Ref("v1", "ConfigMap", operator.namespace, "speedscale-bundle-sidecar")
    data = kube.get(bundle)["data"]
    try:
        kube.patch(which, nowhere, "tests", kind="json")
        kube.patch(role, {"rules": [r for r in rules if "namespaces" not in r["resources"]]}, "tests")
        kube.patch(bundle, {"data": {key: f"{text}# edited\n" for key, text in data.items()}}, "tests")
        code, found = doctor("-n", namespace)
    finally:
        kube.patch(bundle, {"data": data}, "tests")
        kube.patch(role, {"rules": rules}, "tests")
        back = [{"op": "replace", "path": "/webhooks/0/clientConfig", "value": before}]
        kube.patch(which, back, "tests", kind="json")
    assert code == 1
    assert found["webhook-configuration"]["verdict"] == "warn"
    assert found["bundle"]["verdict"] == "fail"
    assert "edited by hand" in found["bundle"]["about"][0]
    assert [line.split(":")[0] for line in found["operator-rights"]["about"]] == [
        "get namespaces",
        "list namespaces",
        "watch namespaces",
    ]


def test_before_an_installation(kube: Client, namespace: str, doctor: Doctor) -> None:
    code, found = doctor("--pre", "--operator-namespace", namespace)
    assert found["version"]["verdict"] == "ok"
    assert found["admission"]["verdict"] == "ok"
    assert found["install-rights"]["verdict"] == "ok"
    assert found["storage-class"]["verdict"] in ("ok", "warn")
    assert found["clock"]["verdict"] == "ok"
    assert found["backend"]["verdict"] == "skipped"
    assert code == 0, json.dumps(found, indent=1)


@pytest.mark.fault("webhooks outlived their namespace", end="doctor finds them")
def test_webhooks_that_outlived_their_namespace(kube: Client, doctor: Doctor) -> None:
    hook = {
        "name": "replay.speedscale.com",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": "Ignore",
        "clientConfig": {"service": {"name": NAME, "namespace": "gone-with-the-wind", "path": "/"}},
        "rules": [
            {"apiGroups": ["example.com"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["nothing"]}
        ],
    }
    made = {
        "apiVersion": ADMISSION,
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "left-over"},
        "webhooks": [hook],
    }
    kube.apply(made, "tests")
    try:
        code, found = doctor("--check", "webhook-dangling", "--operator-namespace", "default")
    finally:
        kube.delete(kube.ref(made))
    assert code == 1
    assert found["webhook-dangling"]["about"] == [
        "ValidatingWebhookConfiguration left-over: namespace gone-with-the-wind is gone"
    ]
