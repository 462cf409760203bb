"""Environment of containers."""

from __future__ import annotations

import pytest

from speedscale_manifests.objects import config_env, env, pod_env, proxy_env, secret_env, secret_keys_env
from speedscale_manifests.values import from_mapping


@pytest.mark.parametrize(
    ("value", "text"), [(True, "true"), (False, "false"), (8081, "8081"), ("yes", "yes"), ("", "")]
)
def test_values_are_text(value: str | int | bool, text: str) -> None:
    assert env("A", value) == {"name": "A", "value": text}


def test_proxies_are_there_as_far_as_they_are_set() -> None:
    assert proxy_env(from_mapping({})) == []
    some = proxy_env(from_mapping({"https_proxy": "http://proxy:3129", "no_proxy": ".svc"}))
    assert [item["name"] for item in some] == ["HTTPS_PROXY", "NO_PROXY"]


def test_secrets_are_referred_to_and_may_be_late() -> None:
    assert secret_env("A", "s", "k")["valueFrom"]["secretKeyRef"] == {"name": "s", "key": "k", "optional": True}
    assert secret_keys_env("s") == {"secretRef": {"name": "s", "optional": True}}
    assert secret_keys_env("s", optional=False)["secretRef"]["optional"] is False


def test_config_maps_are_there_unless_said_otherwise() -> None:
    assert config_env("c") == {"configMapRef": {"name": "c"}}
    assert config_env("c", optional=True) == {"configMapRef": {"name": "c", "optional": True}}


def test_a_pod_knows_itself() -> None:
    assert [item["valueFrom"]["fieldRef"]["fieldPath"] for item in pod_env()] == ["metadata.name", "metadata.namespace"]
