"""Which proxy an address is reached by."""

from __future__ import annotations

import os

import pytest

from speedscale_runtime.delivery.proxies import proxy_of


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("url", "environment", "proxy"),
    [
        ("https://c.example:4317", {}, None),
        ("https://c.example:4317", {"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        ("http://c.example:4317", {"HTTPS_PROXY": "http://p:1"}, None),
        ("http://c.example:4317", {"http_proxy": "http://p:1"}, "http://p:1"),
        ("https://c.example", {"HTTPS_PROXY": "http://p:1", "https_proxy": "http://q:2"}, "http://q:2"),
        ("https://c.example", {"HTTPS_PROXY": ""}, None),
        ("https://c.example:4317", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "example.com,.example"}, None),
        ("https://c.example:4317", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "c.example:4317"}, None),
        ("https://c.example:4317", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "c.example:4318"}, "http://p:1"),
        ("https://c.example:4317", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, None),
    ],
)
def test_the_environment_says_so(
    monkeypatch: pytest.MonkeyPatch, url: str, environment: dict[str, str], proxy: str | None
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert proxy_of(url) == proxy
