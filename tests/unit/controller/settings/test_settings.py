"""The environment as settings: what the synthesised ConfigMap says is read whole, what is wrong is told at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from speedscale_controller.settings import RESTART, Settings, restart_needed
from speedscale_controller.settings.model import changed
from speedscale_manifests.components.operator_config import operator_config
from speedscale_manifests.values import from_mapping
from speedscale_schemas.errors import ConfigError
from speedscale_schemas.validation import schema


def config(**tree: Any) -> Mapping[str, str]:
    data: Mapping[str, str] = operator_config(from_mapping(tree))["data"]
    return data


def test_defaults() -> None:
    settings = Settings.parse({})
    assert (settings.namespace, settings.profile, settings.drift) == ("speedscale", "gitops", "report")
    assert (settings.webhook_port, settings.health_port) == (9443, 8081)
    assert settings.namespaces == ()
    assert settings.watches("anything")
    assert settings.test_prep_timeout_s == 600
    assert settings.api_key_secret == "speedscale-apikey"


def test_the_synthesised_config_map_is_understood_whole() -> None:
    data = config(
        clusterName="staging",
        profile="operator",
        namespaceSelector=["shop"],
        imageTags={"goproxy": "v9"},
        operator={"test_prep_timeout": "22m"},
        globalLabels={"example.com/cost": "42"},
        sidecar={"tls_out": True},
        dlp={"enabled": False},
        http_proxy="http://proxy.example.com:3128",
        secretAccessList=["db-login"],
    )
    assert set(data) <= set(schema("settings/operator")["properties"])
    settings = Settings.parse(data)
    assert settings.cluster_name == "staging"
    assert settings.drift == "enforce"
    assert settings.namespaces == ("shop", "speedscale")
    assert settings.watches("shop")
    assert not settings.watches("default")
    assert settings.component_image_tags == {"goproxy": "v9"}
    assert settings.test_prep_timeout_s == 22 * 60
    assert settings.global_labels == {"example.com/cost": "42"}
    assert settings.sidecar_config == {"tls_out": True}
    assert settings.dlp_config == ""
    assert "db-login" in settings.secret_access
    assert settings.http_proxy == "http://proxy.example.com:3128"


def test_the_installation_s_namespace_is_always_watched() -> None:
    settings = Settings.parse({"POD_NAMESPACE": "mesh", "NAMESPACE_SELECTOR": "shop"})
    assert settings.namespaces == ("shop", "mesh")


def test_all_that_is_wrong_is_told() -> None:
    with pytest.raises(ConfigError) as caught:
        Settings.parse({"LOG_LEVEL": "loud", "SIDECAR_CONFIG": "{", "WITH_DLP": "perhaps", "WEBHOOK_PORT": "-1"})
    told = "\n".join(caught.value.problems)
    assert all(name in told for name in ("LOG_LEVEL", "SIDECAR_CONFIG", "WITH_DLP", "WEBHOOK_PORT"))


@pytest.mark.parametrize("text", ["10", "0s", "soon", "-5m", "5 m"])
def test_times_need_a_unit(text: str) -> None:
    with pytest.raises(ConfigError, match="TEST_PREP_TIMEOUT"):
        Settings.parse({"TEST_PREP_TIMEOUT": text})


def test_keys_that_nobody_knows_are_left_alone() -> None:
    assert Settings.parse({"SPEEDSCALE_CLOUD_REGION": "x", "HOME": "/"}) == Settings.parse({})


def test_the_key_of_the_backend_is_not_shown() -> None:
    settings = Settings.parse({"SPEEDSCALE_API_KEY": "hidden-word"})
    assert settings.api_key == "hidden-word"
    assert "hidden-word" not in repr(settings)


def test_what_waits_for_a_restart() -> None:
    before = Settings.parse({})
    after = Settings.parse({"LOG_LEVEL": "debug", "NAMESPACE_SELECTOR": "shop", "LEADER_ELECTION": "false"})
    assert restart_needed(before, after) == ("LEADER_ELECTION", "NAMESPACE_SELECTOR")
    assert set(changed(before, after)) == {"log_level", "namespaces", "leader_election"}
    assert all(hasattr(before, name) for name in RESTART)
    assert set(RESTART.values()) <= set(schema("settings/operator")["properties"])


def test_settings_are_not_written_to() -> None:
    settings = Settings.parse({"GLOBAL_LABELS": '{"a":"b"}'})
    with pytest.raises(TypeError):
        settings.global_labels["a"] = "c"  # type: ignore[index]
