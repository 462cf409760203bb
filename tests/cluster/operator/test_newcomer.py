"""The first quarter of an hour with the operator, by kubectl alone: what a newcomer types, and what they read then."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness.cluster import Cluster
from harness.operator import Installation
from harness.replaying import MISSED, NAME, PASSED, SNAPSHOT, Shop

from speedscale_kube import Client

pytestmark = pytest.mark.integration
MANIFEST = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: {namespace}
  annotations: {annotations}
spec:
  replicas: 1
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      containers:
      - name: app
        image: registry.example.com/web:1
        ports: [{{containerPort: 8080}}]
"""
REPLAY = """
apiVersion: speedscale.com/v1
kind: TrafficReplay
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  snapshotID: {snapshot}
  testConfigID: standard
  workloads:
  - ref: {{kind: Deployment, name: {workload}}}
    tests: ["*"]
    mocks: ["*"]
"""


@pytest.fixture
def kubectl(cluster: Cluster, namespace: str, tmp_path: Path) -> Callable[..., str]:
    """`kubectl("get", "deploy")` in the test's namespace; `apply=` is written to a file and applied."""

    def run(*words: str, apply: str = "") -> str:
        if apply:
            path = tmp_path / "manifest.yaml"
            path.write_text(apply, "utf-8")
            words = ("apply", "-f", str(path))
        return cluster.kubectl(*words, "-n", namespace)

    return run


def cared_for(obj: dict[str, Any]) -> Any:
    """Return what of an object is its owner's: without what the API server and its controllers keep."""
    kept = {key: obj["metadata"].get(key) for key in ("labels", "name", "namespace")}
    notes = ("deployment.kubernetes.io/", "kubectl.kubernetes.io/")
    marks = {k: v for k, v in (obj["metadata"].get("annotations") or {}).items() if not k.startswith(notes)}
    return {**kept, "annotations": marks, "spec": obj["spec"]}


def test_a_sidecar_comes_and_goes(operator: Installation, kubectl: Callable[..., str], namespace: str) -> None:
    assert "created" in kubectl(apply=MANIFEST.format(namespace=namespace, annotations="{}"))
    before = cared_for(json.loads(kubectl("get", "deploy", "web", "-o", "json")))
    kubectl("annotate", "deploy", "web", "sidecar.speedscale.com/inject=true")
    names = "jsonpath={.spec.template.spec.containers[*].name}"
    assert kubectl("get", "deploy", "web", "-o", names) == "speedscale-goproxy app"
    kubectl("annotate", "deploy", "web", "sidecar.speedscale.com/inject-")
    assert cared_for(json.loads(kubectl("get", "deploy", "web", "-o", "json"))) == before


def test_who_is_skipped_reads_why(operator: Installation, kubectl: Callable[..., str], namespace: str) -> None:
    text = MANIFEST.format(namespace=namespace, annotations='{sidecar.speedscale.com/inject: "true"}')
    kubectl(apply=text.replace("    spec:\n", "    spec:\n      hostNetwork: true\n"))
    told = lambda: "SidecarSkipped" in kubectl("describe", "deploy", "web")  # noqa: E731
    operator.until(told, "describe tells that it was skipped")
    assert "host_network" in kubectl("describe", "deploy", "web")


@pytest.mark.parametrize(("results", "word"), [(PASSED, "TestSucceeded"), (MISSED, "TestFailed")])
def test_a_replay_is_followed(
    operator: Installation, kubectl: Callable[..., str], kube: Client, namespace: str, results: Any, word: str
) -> None:
    shop = Shop(kube, namespace, operator.namespace).furnish(secrets=False)
    made = REPLAY.format(name=NAME, namespace=namespace, snapshot=SNAPSHOT, workload="checkout")
    assert "created" in kubectl(apply=made)
    head, row = (line.split() for line in kubectl("get", "replay").splitlines())
    assert head == ["NAME", "ACTIVE", "MODE", "STATUS", "AGE"]
    assert NAME in row

    def over() -> bool:
        shop.play(results)
        return shop.condition("Running").get("reason") == "CleanedUp"

    operator.until(over, "it is over", 90.0)
    assert "condition met" in kubectl("wait", "--for=condition=Ready", f"replay/{NAME}", "--timeout=10s")
    assert word in kubectl("get", "replay", NAME, "-o", "jsonpath={.status.conditions[-1:].reason}")

    def events() -> str:
        return kubectl("describe", "replay", NAME).partition("Events:")[2]

    operator.until(lambda: word in events(), f"describe shows the Event {word}")
    assert all(state in events() for state in ("Started", "ResponderReady", "GeneratorRunning")), events()
    assert "speedscale-operator" in events(), "and from whom"
    assert word in kubectl("events", "--for", f"trafficreplay/{NAME}")
    assert "deleted" in kubectl("delete", "replay", NAME, "--timeout=60s")


def test_a_mistake_is_told_when_it_is_made(operator: Installation, kubectl: Callable[..., str], namespace: str) -> None:
    made = REPLAY.format(name="bad", namespace=namespace, snapshot=SNAPSHOT, workload="checkout")
    with pytest.raises(Exception, match=r"spec\.replicas: only spec\.template"):
        kubectl(apply=made + "    sidecar: {patch: c3BlYzoge3JlcGxpY2FzOiA1fQ==}\n")
