"""Manifests of small pods for tests of the cluster, and waiting for them."""

from __future__ import annotations

import time
from typing import Any

from harness.node.cluster import Node
from harness.reached import PATIENCE

from speedscale_kube import Client, Object, Ref

MANAGER = "tests"
POD_S = 60.0


def pod(namespace: str, name: str, image: str, script: str, **spec: Any) -> Object:
    """Return a pod that runs a shell script; `spec` is merged into its spec, `container` into its container."""
    container = {"name": "it", "image": image, "command": ["sh", "-c", script], **spec.pop("container", {})}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": namespace, "name": name, "labels": {"app": name}},
        "spec": {"terminationGracePeriodSeconds": 0, "containers": [container], **spec},
    }


def web(namespace: str, name: str, image: str, answer: str, **spec: Any) -> Object:
    """Return a pod that answers on port 8080, ready when it does."""
    probe = {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1}
    script = f"mkdir -p /tmp/www && echo {answer} > /tmp/www/index.html && exec httpd -f -p 8080 -h /tmp/www"
    return pod(namespace, name, image, script, container={"readinessProbe": probe}, **spec)


def service(namespace: str, name: str, port: int = 8080) -> Object:
    """Return a Service on port 80 of the pods `app=<name>`."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": port}]},
    }


def until_ready(kube: Client, namespace: str, name: str) -> Object:
    """Wait until a pod is ready and return it; AssertionError with its state."""
    return _until(kube, Ref("v1", "Pod", namespace, name), _ready)


def until_over(kube: Client, namespace: str, name: str) -> str:
    """Wait until a pod has ended and return its phase."""
    over = _until(kube, Ref("v1", "Pod", namespace, name), lambda one: _phase(one) in ("Succeeded", "Failed"))
    return _phase(over)


def until_reached(node: Node, namespace: str, name: str, url: str) -> str:
    """Ask a Service from a pod until its rules are there; return the answer."""
    answers: list[str] = []

    def asked() -> bool:
        answers.append(
            node.exec(namespace, name, "sh", "-c", f"curl -sS --max-time 2 {url} 2>/dev/null || true").strip()
        )
        return bool(answers[-1])

    node.until(asked, f"{name} reaches {url}", POD_S)
    return answers[-1]


def _phase(one: Object) -> str:
    return str(one.get("status", {}).get("phase", ""))


def _ready(one: Object) -> bool:
    conditions = one.get("status", {}).get("conditions") or ()
    return any((condition["type"], condition["status"]) == ("Ready", "True") for condition in conditions)


def _until(kube: Client, which: Ref, good: Any) -> Object:
    deadline = time.monotonic() + POD_S * PATIENCE
    while True:
        found = kube.find(which) or {}
        if found and good(found):
            return found
        assert time.monotonic() < deadline, f"{which}: {found.get('status')}"
        time.sleep(0.05)
