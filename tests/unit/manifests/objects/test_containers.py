"""Containers: images, security contexts, probes."""

from __future__ import annotations

import pytest

from speedscale_manifests.objects import container, http_probe, image, scratch
from speedscale_manifests.values import from_mapping

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        ({}, "localhost/speedscale/forwarder:v0.2.0"),
        ({"image": {"registry": "r.example.com/m", "tag": "v9"}}, "r.example.com/m/forwarder:v9"),
        ({"imageTags": {"forwarder": "v3"}}, "localhost/speedscale/forwarder:v3"),
        ({"imageTags": {"nettap": "v3"}}, "localhost/speedscale/forwarder:v0.2.0"),
        (
            {"imageTags": {"forwarder": "v3"}, "imageDigests": {"forwarder": DIGEST}},
            f"localhost/speedscale/forwarder@{DIGEST}",
        ),
    ],
)
def test_where_an_image_comes_from(tree: dict[str, object], expected: str) -> None:
    assert image(from_mapping(tree), "forwarder") == expected


def test_restricted_pod_security_is_the_default() -> None:
    context = container(from_mapping({}), "a", "forwarder", {})["securityContext"]
    assert context == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "privileged": False,
        "readOnlyRootFilesystem": True,
        "runAsGroup": 2100,
        "runAsNonRoot": True,
        "runAsUser": 2100,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def test_null_in_values_takes_a_user_id_away() -> None:
    values = from_mapping({"globalPodSecurityContext": {"runAsUser": None}})
    context = container(values, "a", "forwarder", {})["securityContext"]
    assert "runAsUser" not in context
    assert context["runAsGroup"] == 2100


def test_a_context_of_its_own_replaces_the_default() -> None:
    own = {"runAsUser": 0}
    assert container(from_mapping({}), "a", "nettap", {}, securityContext=own)["securityContext"] == own


def test_what_is_empty_is_not_written() -> None:
    found = container(from_mapping({}), "a", "forwarder", {"limits": {}, "requests": {"cpu": "1"}}, env=[], args=[])
    assert found["resources"] == {"requests": {"cpu": "1"}}
    assert set(found) == {"name", "image", "imagePullPolicy", "securityContext", "resources"}


def test_probes_write_what_the_api_server_would_add() -> None:
    probe = http_probe("/readyz", "health", delay_s=5)
    assert set(probe) == {
        "httpGet",
        "initialDelaySeconds",
        "periodSeconds",
        "timeoutSeconds",
        "successThreshold",
        "failureThreshold",
    }
    assert "initialDelaySeconds" not in http_probe("/readyz", 8081)


def test_scratch_space_is_bounded() -> None:
    volume, mount = scratch("tmp", "/tmp", "64Mi")
    assert volume == {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}}
    assert mount == {"name": "tmp", "mountPath": "/tmp"}
