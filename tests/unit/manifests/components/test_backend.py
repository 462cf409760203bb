"""The backend: off by default, TLS always, data kept by a person's word."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from speedscale_manifests.components import backend
from speedscale_manifests.components.backend import COMPONENT
from speedscale_manifests.values import from_mapping

Build = Callable[..., Any]


def test_off_by_default_and_then_nobody_knows_of_it() -> None:
    values = from_mapping({})
    assert not COMPONENT.enabled(values)
    assert backend.client_env(values) == []
    assert backend.egress(values) == []
    assert backend.trust_volume(values) == []
    assert backend.trust_mount(values) == []


def test_claim_and_service(build: Build, problems: Build) -> None:
    objects = build(COMPONENT, backend={"enabled": True, "persistence": {"size": "50Gi"}})
    claim = objects.one("PersistentVolumeClaim")
    assert claim["spec"]["resources"]["requests"]["storage"] == "50Gi"
    assert claim["metadata"]["annotations"]["argocd.argoproj.io/sync-options"] == "Prune=confirm,Delete=confirm"
    assert objects.one("Deployment")["spec"]["strategy"] == {"type": "Recreate"}
    (port,) = objects.one("Service")["spec"]["ports"]
    assert (port["port"], port["targetPort"]) == (443, "https")
    assert problems(objects.all) == []


def test_scratch_without_persistence(build: Build) -> None:
    objects = build(COMPONENT, backend={"enabled": True, "persistence": {"enabled": False}})
    assert objects.none("PersistentVolumeClaim")
    assert {"name": "state", "emptyDir": {"sizeLimit": "10Gi"}} in objects.pod("Deployment")["volumes"]


def test_object_store_by_reference(build: Build, environment: Build) -> None:
    s3 = {"bucket": "traffic", "endpoint": "http://minio.storage.svc:9000", "credentialsSecret": "s3"}
    objects = build(COMPONENT, backend={"enabled": True, "s3": s3})
    container = objects.pod("Deployment")["containers"][0]
    found = environment(container)
    assert (found["S3_BUCKET"], found["S3_ENDPOINT"]) == ("traffic", "http://minio.storage.svc:9000")
    (secret,) = [e["valueFrom"]["secretKeyRef"] for e in container["env"] if e["name"] == "AWS_SECRET_ACCESS_KEY"]
    assert secret == {"name": "s3", "key": "AWS_SECRET_ACCESS_KEY", "optional": False}
    ports = [p["port"] for rule in objects.one("NetworkPolicy")["spec"]["egress"] for p in rule["ports"]]
    assert 9000 in ports


def test_no_object_store_no_credentials(build: Build, environment: Build) -> None:
    found = environment(build(COMPONENT, backend={"enabled": True}).pod("Deployment")["containers"][0])
    assert not [name for name in found if name.startswith(("AWS_", "S3_"))]
