"""What looks like a secret, and what only resembles one."""

from __future__ import annotations

import pytest

from speedscale_manifests.values import secrets


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE", "a private key"),
        ("-----BEGIN PRIVATE KEY-----", "a private key"),
        ("AKIA" + "IOSFODNN7EXAMPLE", "an AWS access key"),
        ("key=ASIA" + "IOSFODNN7EXAMPLE;", "an AWS access key"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "a JSON web token"),
        ("ghp_" + "a1" * 18, "a GitHub token"),
        ("glpat-" + "a1" * 10, "a GitLab token"),
        ("xoxb-1234567890-abc", "a Slack token"),
        ("AIza" + "a1b2c" * 7, "a Google API key"),
        ("sk_live_" + "a1" * 12, "a payment provider's key"),
        ("http://user:pw@proxy.example.com:3128", "a password in an address"),
        ("https://:pw@host", "a password in an address"),
        ("https://a1b2c3d4e5f6a7b8@host/path", "a token in an address"),
        ("https://h/v1?api_key=abcd1234", "a key in the query of an address"),
        ("Bearer abcdefghij0123456789", "the credentials of an HTTP header"),
        ("authorization: Basic dXNlcjpwYXNz", "the credentials of an HTTP header"),
    ],
)
def test_forms(value: str, name: str) -> None:
    assert secrets.form(value) == name
    assert secrets.hidden(("clusterName",), value) == "(hidden)"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "basic authentication is required",
        "bearer of good news and more words",
        "-----BEGIN CERTIFICATE-----",
        "http://otelcol.example.com:4318/v1?tenant=a",
        "https://example.com/@user/path",
        "https://grafana.example.com/d/abc?from=a@b",
        "spiffe://cluster.local/ns/x/sa/y",
        "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "AKIA[0-9A-Z]{16}",
        "registry.example.com/mirror@sha256",
    ],
)
def test_ordinary_texts(value: str) -> None:
    assert secrets.form(value) == ""


@pytest.mark.parametrize(
    "key", ["password", "example.com/api-key", "Authorization", "AWS_SECRET_ACCESS_KEY", "clientSecret"]
)
def test_keys_that_name_a_secret(key: str) -> None:
    assert secrets.found(("globalAnnotations", key), "x")
    assert not secrets.found(("globalAnnotations", key), "")
    assert not secrets.found(("globalAnnotations", key), True)


@pytest.mark.parametrize(
    "key", ["apiKeySecret", "credentialsSecret", "headersSecret", "agent-inject-secret-password", "token-review"]
)
def test_keys_that_name_something_else(key: str) -> None:
    assert secrets.found(("globalAnnotations", key), "some-name") == ""


def test_rules_speak_of_secrets_without_being_one() -> None:
    path = ("rules", "dlp", "r", "custom", 0, "password")
    assert secrets.found(path, "x") == ""
    assert secrets.found(path, "http://u:p@h")
