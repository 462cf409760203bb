"""Ports of addresses, for policies."""

from __future__ import annotations

import pytest

from speedscale_manifests.components.urls import ports


@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("http://otelcol:4318/v1/logs", 4318),
        ("https://otelcol", 443),
        ("http://otelcol", 80),
        ("http://user:word@proxy:3128", 3128),
        ("http://[fd00::1]:9000", 9000),
        ("minio.storage.svc:9000", 9000),
    ],
)
def test_of_one(url: str, port: int) -> None:
    assert ports(url) == [port]


def test_of_many_each_once_sorted_and_none_for_none() -> None:
    assert ports("https://b", "", "http://a:81", "https://c") == [81, 443]
    assert ports("", "") == []
