"""Injection: what one admission review costs the operator, from the decoded object to the JSON Patch.

`run() -> list[dict]`. CPU time of one core, the median of rounds; no peer, because other injectors are not Python. The
Deployment has 8 KB in four containers and asks for TLS interception with Java, the dearest wish there is.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from typing import Any

from speedscale_controller.injection import Facts, Inject, Installation, Namespace, decide, patch
from speedscale_manifests.components.sidecar import COMPONENT
from speedscale_manifests.values import from_mapping

_ROUNDS, _EACH = 9, 40
_SIDECAR = "sidecar.speedscale.com"


def run() -> list[dict[str, Any]]:
    """Return the rows: putting in, finding that all is well, taking out, and the pods that are not looked at."""
    (template,) = COMPONENT.templates(from_mapping({}))
    facts = Facts(
        template=template,
        installation=Installation(namespace="speedscale", instance_id="bench"),
        namespace=Namespace(name="shop"),
    )
    plain = _deployment()
    injected = decide(plain, facts)
    assert isinstance(injected, Inject)
    unwished = json.loads(json.dumps(injected.object))
    del unwished["metadata"]["annotations"][f"{_SIDECAR}/inject"]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": _owned(), **injected.object["spec"]["template"]}
    pod["metadata"] = {**injected.object["spec"]["template"]["metadata"], **_owned()}
    size = f"{len(json.dumps(plain)) / 1024:.0f} KB"
    return [
        _row(f"Deployment of {size}: decide and patch", lambda: _both(plain, facts), "< 3 ms"),
        _row("  the same again, injected: nothing to do", lambda: decide(injected.object, facts), ""),
        _row("  taken out: decide and patch", lambda: _both(unwished, facts), ""),
        _row("  a pod of it, which has an owner", lambda: decide(pod, facts), "< 0.05 ms"),
    ]


def _both(obj: dict[str, Any], facts: Facts) -> None:
    verdict: Any = decide(obj, facts)
    patch(obj, verdict.object)


def _owned() -> dict[str, Any]:
    return {"ownerReferences": [{"kind": "ReplicaSet", "name": "checkout", "controller": True}]}


def _deployment() -> dict[str, Any]:
    probe = {
        "httpGet": {"path": "/healthz", "port": 8080, "scheme": "HTTP"},
        "periodSeconds": 10,
        "failureThreshold": 3,
    }
    containers = [
        {
            "name": f"part-{number}",
            "image": "registry.example.com/shop/checkout:v1.4.2",
            "env": [{"name": f"SETTING_{index}", "value": "x" * 30} for index in range(20)],
            "ports": [{"name": "http", "containerPort": 8080 + number, "protocol": "TCP"}],
            "livenessProbe": probe,
            "readinessProbe": probe,
            "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "512Mi"}},
        }
        for number in range(4)
    ]
    annotations = {"inject": "true", "tls-out": "true", "tls-java-tool-options": "true"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "checkout", "annotations": {f"{_SIDECAR}/{k}": v for k, v in annotations.items()}},
        "spec": {
            "selector": {"matchLabels": {"app": "checkout"}},
            "template": {"metadata": {"labels": {"app": "checkout"}}, "spec": {"containers": containers}},
        },
    }


def _row(what: str, work: Callable[[], object], goal: str) -> dict[str, Any]:
    rounds = []
    for _ in range(_ROUNDS):
        start = time.process_time()
        for _ in range(_EACH):
            work()
        rounds.append((time.process_time() - start) / _EACH * 1000)
    return {"what": what, "ours": statistics.median(rounds), "unit": "ms CPU", "peer": None, "goal": goal}
