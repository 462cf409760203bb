"""What looks like a secret, and what only resembles one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

RULE = "no-secret-material"
# In pieces, so that no scanner takes this file for a leak.
SECRETS = {
    "private key": "-----BEGIN " + "PRIVATE KEY-----\nMIIE",
    "RSA key": "-----BEGIN RSA " + "PRIVATE KEY-----",
    "AWS": "key=" + "AKIA" + "IOSFODNN7EXAMPLE",
    "AWS session": "ASIA" + "IOSFODNN7EXAMPLE",
    "GitHub": "ghp_" + "a1" * 18,
    "GitHub fine-grained": "github_pat_" + "A1" * 20,
    "Slack": "xoxb-" + "1234567890-abc",
    "Stripe": "sk_live_" + "a1" * 10,
    "JWT": "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0In0" + ".c2lnbmF0dXJl",
    "proxy": "http://user:pass" + "@proxy.example.com:3128",
    "database": "postgresql://app:pa%40ss" + "@db/shop",
}
HARMLESS = (
    "-----BEGIN CERTIFICATE-----",
    "https://proxy.example.com:3128",
    "http://$(USER):$(PASSWORD)@proxy:3128",
    "https://speedscale-forwarder.speedscale.svc:80",
    "mail: someone@example.com, site: https://example.com",
    "AKIAlower",
    "sk_test_" + "a1" * 10,
    "eyJ is how a token begins",
)


@pytest.mark.parametrize("text", SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize("before", ["", "first line\n", "a: ", '"'])
def test_secrets_are_found_wherever_they_stand(text: str, before: str, world: Callable[..., Any]) -> None:
    spoilt = world({})
    spoilt.one("ConfigMap")["data"]["X"] = before + text
    (finding,) = spoilt.findings(RULE)
    assert finding.path == "data.X"
    assert text not in str(finding)


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_none_raises_no_alarm(text: str, world: Callable[..., Any]) -> None:
    spoilt = world({})
    spoilt.one("ConfigMap")["data"]["X"] = text
    assert spoilt.findings(RULE) == []


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        ({"name": "DB_PASSWORD", "value": "hunter2"}, True),
        ({"name": "GITHUB_TOKEN", "value": "x"}, True),
        ({"name": "AWS_SECRET_ACCESS_KEY", "value": "x"}, True),
        ({"name": "DB_PASSWORD", "value": ""}, False),
        ({"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}, False),
        ({"name": "FORWARDER_TOKEN_FILE", "value": "/etc/token"}, False),
        ({"name": "TOKEN", "value": "/etc/token"}, False),
        ({"name": "API_KEY_SECRET_NAME", "value": "speedscale-apikey"}, False),
    ],
)
def test_variables_by_their_name(entry: dict[str, Any], found: bool, world: Callable[..., Any]) -> None:
    spoilt = world({})
    spoilt.box()["env"].append(entry)
    assert bool(spoilt.findings("no-secret-variables")) is found
