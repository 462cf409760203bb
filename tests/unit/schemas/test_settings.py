"""Settings from the environment: types, defaults, and what a person is told when something is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from speedscale_schemas import settings
from speedscale_schemas.errors import ConfigError
from speedscale_schemas.formats import FORMATS
from speedscale_schemas.wording import problems

DOCUMENT: dict[str, Any] = {
    "type": "object",
    "required": ["APP_NAME"],
    "properties": {
        "APP_NAME": {"type": "string", "description": "Name of the application."},
        "LOG_LEVEL": {"type": "string", "default": "info", "enum": ["info", "debug"]},
        "PROXY_IN_PORT": {"type": "integer", "default": 4143, "minimum": 1, "maximum": 65535},
        "IDLE_TIMEOUT_S": {"type": "number", "default": 1.5},
        "TLS_OUT_UNWRAP": {"type": "boolean", "default": True},
        "IGNORE_HOSTS": {"type": "array", "items": {"type": "string"}, "default": ["a"]},
        "IGNORE_PORTS": {"type": "array", "items": {"type": "integer"}, "default": []},
        "EXPORTERS": {"type": "array", "items": {"type": "object"}, "default": []},
        "LIMITS": {"type": "object", "default": {}},
        "API_TOKEN": {"type": "string", "writeOnly": True, "minLength": 8, "default": ""},
        "OPTIONAL": {"type": ["integer", "null"], "default": None},
    },
}


@pytest.fixture(autouse=True)
def _one_service(monkeypatch: pytest.MonkeyPatch) -> None:
    def schema(kind: str) -> Mapping[str, Any]:
        return DOCUMENT if kind == "settings/toy" else {"properties": {"OTHER_SERVICE_KEY": {}, "LOG_LEVELS": {}}}

    def check(kind: str, document: object, *, source: str = "") -> list[Any]:
        validator = Draft202012Validator(schema(kind), format_checker=FORMATS)
        return problems(validator.iter_errors(document), document, source)

    monkeypatch.setattr(settings, "schema", schema)
    monkeypatch.setattr(settings, "check", check)
    monkeypatch.setattr(settings, "kinds", lambda: ("settings/other", "settings/toy"))


def parse(**environ: str) -> dict[str, Any]:
    return settings.parse("toy", {"APP_NAME": "shop", **environ})


def told(environ: dict[str, str]) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        settings.parse("toy", {"APP_NAME": "shop", **environ})
    return caught.value.problems


def test_defaults_where_unset() -> None:
    values = parse()
    assert values["APP_NAME"] == "shop"
    assert values["PROXY_IN_PORT"] == 4143
    assert values["TLS_OUT_UNWRAP"] is True
    assert values["OPTIONAL"] is None


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("PROXY_IN_PORT", " 80 ", 80),
        ("IDLE_TIMEOUT_S", "0.25", 0.25),
        ("IDLE_TIMEOUT_S", "3", 3.0),
        ("TLS_OUT_UNWRAP", "False", False),
        ("TLS_OUT_UNWRAP", "yes", True),
        ("TLS_OUT_UNWRAP", "0", False),
        ("IGNORE_HOSTS", "a, b ,,c", ["a", "b", "c"]),
        ("IGNORE_HOSTS", "", []),
        ("IGNORE_HOSTS", '["a,b"]', ["a,b"]),
        ("IGNORE_PORTS", "80,443", [80, 443]),
        ("EXPORTERS", '[{"type":"otlp"}]', [{"type": "otlp"}]),
        ("EXPORTERS", "", []),
        ("LIMITS", '{"a":1}', {"a": 1}),
        ("OPTIONAL", "7", 7),
    ],
)
def test_values_are_typed(name: str, text: str, value: object) -> None:
    assert parse(**{name: text})[name] == value


@pytest.mark.parametrize("name", ["PROXY_IN_PORT", "IDLE_TIMEOUT_S", "TLS_OUT_UNWRAP", "LIMITS"])
def test_empty_means_unset_and_never_off(name: str) -> None:
    assert parse(**{name: " "})[name] == DOCUMENT["properties"][name]["default"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("PROXY_IN_PORT", "80a", "environment: PROXY_IN_PORT: '80a': expected a whole number"),
        ("PROXY_IN_PORT", "1_0", "environment: PROXY_IN_PORT: '1_0': expected a whole number"),
        ("PROXY_IN_PORT", "99999", "environment: PROXY_IN_PORT: 99999: expected 65535 or less"),
        ("IDLE_TIMEOUT_S", "inf", "environment: IDLE_TIMEOUT_S: 'inf': expected a number"),
        ("TLS_OUT_UNWRAP", "flase", "environment: TLS_OUT_UNWRAP: 'flase': expected true or false"),
        ("IGNORE_PORTS", "80,x", "environment: IGNORE_PORTS: '80,x': expected a whole number"),
        ("LIMITS", "[]", "environment: LIMITS: '[]': expected a JSON object, found list"),
        ("LIMITS", "{", "environment: LIMITS: '{': expected a JSON object (Expecting"),
        (
            "LOG_LEVEL",
            "inof",
            "environment: LOG_LEVEL: \"inof\": expected one of info, debug; did you mean 'info'?",
        ),
        ("API_TOKEN", "hunter2", "environment: API_TOKEN: (hidden): expected at least 8 characters, found 7"),
    ],
)
def test_bad_values(name: str, text: str, message: str) -> None:
    (problem,) = told({name: text})
    assert problem.startswith(message)


def test_all_problems_are_reported_together() -> None:
    assert len(told({"PROXY_IN_PORT": "x", "LOG_LEVEL": "x", "TLS_OUT_UNWRAP": "x"})) == 3


def test_a_missing_required_setting_says_what_it_is_for() -> None:
    with pytest.raises(ConfigError) as caught:
        settings.parse("toy", {})
    assert caught.value.problems == ("environment: APP_NAME: missing: Name of the application",)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("PROXY_IN_PROT", "PROXY_IN_PORT"),
        ("PROXYIN_PORT", "PROXY_IN_PORT"),
        ("proxy_in_port", "PROXY_IN_PORT"),
        ("IDLE_TIMEOTU_S", "IDLE_TIMEOUT_S"),
        ("TLS_OUT_UNWARP", "TLS_OUT_UNWRAP"),
    ],
)
def test_a_misspelt_name_is_told(name: str, meant: str) -> None:
    assert told({name: "1"}) == (f"environment: {name}: unknown setting of toy; did you mean '{meant}'?",)


@pytest.mark.parametrize(
    "name",
    [
        "PATH",
        "HOME",
        "PROXY_IN_HOST",
        "PROXY_UP_PORT",
        "SHOP_SERVICE_HOST",
        "SHOP_PORT_80_TCP_ADDR",
        "OTHER_SERVICE_KEY",
        "LOG_LEVELS",
        "APP_NAMESPACE",
    ],
)
def test_what_belongs_to_others_never_stops_a_service(name: str) -> None:
    assert parse(**{name: "x"})["APP_NAME"] == "shop"


def test_a_service_link_is_no_slip() -> None:
    assert parse(PROXYIN_PORT="tcp://10.0.0.1:80")["PROXY_IN_PORT"] == 4143


def test_a_slip_is_forgiven_where_the_right_name_is_given_too() -> None:
    assert parse(PROXY_IN_PROT="1", PROXY_IN_PORT="2")["PROXY_IN_PORT"] == 2
