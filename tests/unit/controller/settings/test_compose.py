"""ConfigMap, override and environment as one: who wins, what is refused, and what holds then."""

from __future__ import annotations

import pytest

from speedscale_controller.settings import Refused, compose, of_process
from speedscale_schemas.errors import ConfigError
from speedscale_schemas.overrides import COMPONENT_KEYS
from speedscale_schemas.validation import schema

POD = {"POD_NAME": "operator-0", "POD_NAMESPACE": "speedscale"}
GITOPS = {"PROFILE": "gitops", "LOG_LEVEL": "info", "CLUSTER_NAME": "a"}
OPERATOR = {**GITOPS, "PROFILE": "operator"}


def test_without_a_reading_the_environment_counts() -> None:
    assert compose({**POD, "LOG_LEVEL": "debug"}, None, None).settings.log_level == "debug"


def test_the_override_wins_key_by_key() -> None:
    composed = compose(POD, OPERATOR, {"LOG_LEVEL": "debug", "FORWARDER_CONFIG": '{"replicas":2}'})
    assert composed.settings.log_level == "debug"
    assert composed.settings.cluster_name == "a"
    assert composed.settings.forwarder_config == {"replicas": 2}
    assert composed.problems == ()


def test_a_key_that_left_the_override_is_gone_though_the_environment_still_has_it() -> None:
    environ = {**POD, **GITOPS, "LOG_LEVEL": "debug", "DRIFT": "off"}
    composed = compose(environ, GITOPS, None)
    assert (composed.settings.log_level, composed.settings.drift) == ("info", "report")


def test_the_secret_wins_over_both() -> None:
    environ = {**POD, "SPEEDSCALE_APP_URL": "secret.example.com", "SPEEDSCALE_API_KEY": "k"}
    composed = compose(environ, {**OPERATOR, "SPEEDSCALE_APP_URL": "a"}, {"SPEEDSCALE_APP_URL": "b"})
    assert (composed.settings.app_url, composed.settings.api_key) == ("secret.example.com", "k")


def test_ports_of_the_process_stay() -> None:
    assert compose({**POD, "WEBHOOK_PORT": "0"}, GITOPS, None).settings.webhook_port == 0


def test_component_keys_are_refused_in_profile_gitops_all_together() -> None:
    override = {"FORWARDER_CONFIG": "{}", "IMAGE_TAG": "v9", "LOG_LEVEL": "debug"}
    composed = compose(POD, GITOPS, override)
    ((reason, text),) = composed.problems
    assert reason is Refused.COMPONENT_IN_GIT
    assert "FORWARDER_CONFIG, IMAGE_TAG are refused" in text
    assert composed.message == text
    assert (composed.settings.image_tag, composed.settings.log_level) == ("", "debug")


def test_the_profile_cannot_be_overridden() -> None:
    for base in (GITOPS, OPERATOR):
        other = "operator" if base is GITOPS else "gitops"
        composed = compose(POD, base, {"PROFILE": other})
        assert composed.settings.profile == base["PROFILE"]
        assert [reason for reason, _ in composed.problems] == [Refused.PROFILE_IN_GIT]


def test_a_mistake_sets_the_whole_override_aside() -> None:
    composed = compose(POD, GITOPS, {"LOG_LEVEL": "loud", "DRIFT": "off", "FORWARDER_CONFIG": "{}"})
    assert [reason for reason, _ in composed.problems] == [Refused.COMPONENT_IN_GIT, Refused.OVERRIDE_INVALID]
    assert (composed.settings.log_level, composed.settings.drift) == ("info", "report")
    assert "nothing of the override is in force" in composed.message


def test_a_mistake_in_the_config_map_keeps_what_held() -> None:
    last = compose(POD, GITOPS, None).settings
    composed = compose(POD, {**GITOPS, "LOG_LEVEL": "loud"}, None, last=last)
    assert composed.settings is last
    assert [reason for reason, _ in composed.problems] == [Refused.CONFIG_INVALID]
    with pytest.raises(ConfigError, match="LOG_LEVEL"):
        compose(POD, {**GITOPS, "LOG_LEVEL": "loud"}, None)


def test_unknown_keys_are_tolerated_and_told() -> None:
    composed = compose(POD, {**GITOPS, "VENDORS_OWN": "1"}, {"ANOTHER_ONE": "2"})
    assert composed.unknown == ("ANOTHER_ONE", "VENDORS_OWN")
    assert composed.problems == ()


def test_a_start_with_a_wrong_override_in_the_environment() -> None:
    environ = {**POD, "LOG_LEVEL": "loud", "HEALTH_PORT": "0"}
    with pytest.raises(ConfigError):
        compose(environ, None, None)
    assert of_process(environ).health_port == 0
    assert compose(environ, GITOPS, {"LOG_LEVEL": "loud"}).settings.log_level == "info"


def test_component_keys_are_keys() -> None:
    assert set(schema("settings/operator")["properties"]) >= COMPONENT_KEYS
