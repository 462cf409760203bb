"""The backend: off by default, TLS always, data kept by a person's word."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from speedscale_manifests.components import backend, forwarder, inspector, operator
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


def test_one_elsewhere_is_trusted_by_the_users_roots_in_all_that_call_it(build: Build, problems: Build) -> None:
    away = {"appUrl": "cloud.example.com", "appRoots": "company-roots"}
    values = from_mapping(away)
    (volume,) = backend.trust_volume(values)
    assert volume["configMap"] == {
        "name": "company-roots",
        "items": [{"key": "ca.crt", "path": "ca.crt"}],
        "defaultMode": 0o444,
        "optional": True,
    }, "it may come late, and nobody waits for it to start"
    assert backend.egress(values) == [], "it is not in this cluster"
    (mount,) = backend.trust_mount(values)
    for component in (forwarder.COMPONENT, inspector.COMPONENT, operator.COMPONENT):
        objects = build(component, **away)
        pod = objects.pod("Deployment")
        (container,) = pod["containers"]
        assert volume in pod["volumes"], component.name
        assert mount in container["volumeMounts"], component.name
        told = {one["name"]: one.get("value") for one in container["env"]}
        assert told["BACKEND_CA_FILE"] == f"{mount['mountPath']}/ca.crt", component.name
        assert problems(objects.all) == []
    assert backend.trust_volume(from_mapping({"appUrl": "cloud.example.com"})) == [], "the public roots hold"
    ours = build(operator.COMPONENT, backend={"enabled": True}).pod("Deployment")
    assert "backend-ca" not in str(ours), "of our own the operator asks the API"


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
