"""The ingest's settings: what they become, that they survive being handed on, and what is refused."""

from __future__ import annotations

import json

import pytest

from speedscale_runtime.nettap.config import Settings, parse
from speedscale_runtime.nettap.roster import Fixed
from speedscale_schemas.errors import ConfigError


def test_defaults() -> None:
    settings = parse({})
    assert (settings.api_port, settings.metrics_port, settings.socket_path) == (8080, 42424, "/tmp/nettap.sock")
    assert settings.config_map == "speedscale-nettap"
    assert settings.targets_map == "speedscale-nettap-targets"
    assert not settings.kubernetes
    assert not settings.loopback


def test_settings_are_handed_on_whole() -> None:
    fixed = [{"path": "/a", "service": "cart", "ignorePorts": [9]}]
    settings = parse({"NETTAP_CGROUP_TARGETS": json.dumps(fixed), "NAMESPACE_SELECTOR": "shop,pay", "IDLE_S": "7"})
    assert settings.fixed == (Fixed("/a", "cart", "", (9,)),)
    assert settings.namespaces == ("shop", "pay")
    assert Settings.from_json(settings.to_json()) == settings


def test_in_a_cluster_the_node_must_be_known() -> None:
    assert parse({"KUBERNETES_SERVICE_HOST": "10.96.0.1", "SPEC_NODENAME": "n1"}).kubernetes
    with pytest.raises(ConfigError, match="SPEC_NODENAME: missing"):
        parse({"KUBERNETES_SERVICE_HOST": "10.96.0.1"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("API_HOST", "here"),
        ("FORWARDER_ADDR", "ftp://x"),
        ("SOCKETS_MAX", "1"),
        ("API_PORT", "70000"),
        ("NETTAP_CGROUP_TARGETS", '[{"path": "relative", "service": "x"}]'),
        ("NETTAP_CGROUP_TARGETS", '[{"path": "/a"}]'),
    ],
)
def test_a_bad_value_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=name):
        parse({name: value})
