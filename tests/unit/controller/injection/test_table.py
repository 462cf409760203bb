"""Every annotation for every kind and operation, against a reviewed table of what each changes.

`golden/annotations.json` has, by annotation and value, the patch from a plain injection of a Deployment to one with the
annotation. Other kinds must differ in nothing but where the pod stands. Written anew by SPEEDSCALE_GOLDEN=write.
"""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import Any

import pytest

from speedscale_controller.injection import Inject, Leave, Reason, Skip, decide, patch
from speedscale_controller.injection.workload import PATHS
from speedscale_manifests.validate import kubernetes
from speedscale_schemas.annotations import SIDECAR, rows

GOLDEN = Path(__file__).parent / "golden" / "annotations.json"
KINDS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Rollout", "Job", "CronJob", "Pod")
REVERT = "operator.speedscale.com~1revert"
POD = {
    "containers": [
        {
            "name": "app",
            "image": "shop/checkout:v1",
            "env": [{"name": "JAVA_TOOL_OPTIONS", "value": "-Xmx1g"}, {"name": "NO_PROXY", "value": "db"}],
            "ports": [{"containerPort": 8080}],
        }
    ],
    "initContainers": [{"name": "migrate", "image": "shop/checkout:v1"}],
}
# annotation → (value, what else has to be there for it to have an effect)
CASES: dict[str, tuple[str, dict[str, str]]] = {
    "inject": ("true", {}),
    "insert-init-first": ("true", {}),
    "capture-mode": ("proxy", {}),
    "capture-node-traffic": ("true", {}),
    "host-resolution": ("standard", {}),
    "prometheus-port": ("9100", {}),
    "prometheus-enable-scrape-annotations": ("true", {}),
    "proxy-type": ("dual", {"proxy-protocol": "tcp:http"}),
    "proxy-protocol": ("socks", {"proxy-type": "forward"}),
    "proxy-host": ("127.0.0.1", {"proxy-type": "reverse"}),
    "proxy-port": ("8080", {"proxy-type": "reverse"}),
    "proxy-in-port": ("5143", {}),
    "proxy-out-port": ("5140", {}),
    "tls-out": ("true", {}),
    "tls-java-tool-options": ("true", {"tls-out": "true"}),
    "tls-java-tool-options-value": ("-Xmx2g", {}),
    "tls-in-secret": ("checkout-tls", {}),
    "tls-in-private": ("server.key", {"tls-in-secret": "checkout-tls"}),
    "tls-in-public": ("server.crt", {"tls-in-secret": "checkout-tls"}),
    "tls-mutual-secret": ("checkout-client", {}),
    "tls-mutual-private": ("/run/client.key", {"tls-mutual-public": "/run/client.crt"}),
    "tls-mutual-public": ("client.crt", {"tls-mutual-secret": "checkout-client"}),
    "ignore-src-ips": ("10.0.0.0/8", {}),
    "ignore-dst-ips": ("*", {}),
    "ignore-src-hosts": ("a.example.com", {}),
    "ignore-dst-hosts": ("a.example.com,b.example.com", {}),
    "ignore-inbound-ports": ("9090", {}),
    "ignore-outbound-ports": ("5432,6379", {}),
    "ignore-loopback": ("true", {}),
    "track-loopback": ("true", {}),
    "cpu-request": ("20m", {}),
    "cpu-limit": ("1", {}),
    "memory-request": ("64Mi", {}),
    "memory-limit": ("256Mi", {}),
    "ephemeral-storage-request": ("64Mi", {}),
    "ephemeral-storage-limit": ("1Gi", {}),
    "kube-api-support": ("true", {"tls-out": "true"}),
    "istio-cni": ("true", {}),
    "extra-container-env-vars": ("A=1\nNO_PROXY=x", {}),
    "mount-known-ca": ("true", {}),
    "diagnostics": ("true", {}),
}


def workload(shop: Any, kind: str, annotations: dict[str, str]) -> Any:
    obj = shop.workload(kind, spec=copy.deepcopy(POD))
    obj["metadata"]["annotations"] = {f"{SIDECAR}/{name}": value for name, value in annotations.items()}
    return obj


def changes(before: Any, after: Any, kind: str) -> list[dict[str, Any]]:
    """Return the patch as a Deployment's, without the annotations themselves and the record."""
    prefix = "".join(f"/{key}" for key in PATHS[kind])
    found = []
    for operation in patch(before, after):
        path = operation["path"].removeprefix(prefix)
        if not path.endswith(REVERT) and not path.startswith(f"/metadata/annotations/{SIDECAR}~1"):
            found.append({**operation, "path": path})
    return found


def injected(obj: Any, facts: Any, **how: Any) -> Any:
    verdict = decide(obj, facts, **how)
    assert isinstance(verdict, Inject), verdict
    return verdict.object


def test_the_table_has_every_annotation() -> None:
    assert list(CASES) == [row.name for row in rows(SIDECAR, settable=True)]
    assert set(json.loads(GOLDEN.read_text())) == {f"{name}={value}" for name, (value, _) in CASES.items()}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", CASES)
def test_an_annotation_changes_this_and_nothing_else(name: str, kind: str, shop: Any, facts: Any) -> None:
    value, beside = CASES[name]
    base = workload(shop, kind, {"inject": "true"})
    wished = workload(shop, kind, {"inject": "true", **beside, name: value})
    plain, changed = injected(base, facts), injected(wished, facts)
    found = changes(plain, changed, kind)
    key = f"{name}={value}"
    if kind == "Deployment" and os.environ.get("SPEEDSCALE_GOLDEN") == "write":
        known = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}
        known[key] = found
        GOLDEN.parent.mkdir(exist_ok=True)
        lines = (f"{json.dumps(k)}: {json.dumps(known[k], sort_keys=True)}" for k in sorted(known))
        GOLDEN.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    assert found == json.loads(GOLDEN.read_text())[key]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", CASES)
def test_operations(name: str, kind: str, shop: Any, facts: Any) -> None:
    value, beside = CASES[name]
    base = workload(shop, kind, {"inject": "true"})
    wished = workload(shop, kind, {"inject": "true", **beside, name: value})
    live = injected(base, facts)
    live["metadata"]["annotations"].update(wished["metadata"]["annotations"])
    late = decide(wished, facts, operation="UPDATE")
    changed = decide(live, facts, operation="UPDATE")
    if kind in ("Job", "Pod"):
        immutable = {"Job": Reason.JOB_IMMUTABLE, "Pod": Reason.POD_IMMUTABLE}[kind]
        assert isinstance(late, Skip)
        assert late.reason is immutable
        assert isinstance(changed, Leave) or (isinstance(changed, Skip) and changed.reason is immutable)
        return
    created = injected(wished, facts)
    assert isinstance(late, Inject)
    assert late.object == created
    reached = changed.object if isinstance(changed, Inject) else live
    assert reached == created
    assert decide(created, facts, operation="UPDATE") == Leave(decide(created, facts).warnings, True)


@pytest.mark.parametrize("version", [kubernetes.versions()[0], kubernetes.versions()[-1]])
def test_what_is_made_fits_the_schemas_of_kubernetes(version: str, shop: Any, facts: Any, facts_of: Any) -> None:
    old = version == kubernetes.versions()[0]
    known = facts_of(version=(1, 25)) if old else facts
    everything = {name: value for name, (value, _) in CASES.items() if not name.startswith("proxy-")}
    everything |= {"proxy-type": "dual", "proxy-protocol": "tcp:socks", "tls-mutual-private": "client.key"}
    for kind in KINDS:
        if kind == "Rollout" or (old and kind in ("Job", "CronJob")):
            continue  # of another group; without restartable init containers
        for wish in (everything, {"inject": "true", "insert-init-first": "true"}):
            made = injected(workload(shop, kind, wish), known)
            assert kubernetes.check(made, version) == [], kind
    for name, (value, beside) in CASES.items():
        made = injected(workload(shop, "Deployment", {"inject": "true", **beside, name: value}), known)
        assert kubernetes.check(made, version) == [], name
