"""Two values mean the same when the API server would take them as the same."""

from __future__ import annotations

from typing import Any

import pytest

from speedscale_manifests.parity.equality import ABSENT, quantity, same

CONTAINER = "spec.template.spec.containers[main]"


@pytest.mark.parametrize(
    ("path", "one", "other"),
    [
        (f"{CONTAINER}.resources.limits.cpu", "0.5", "500m"),
        (f"{CONTAINER}.resources.requests.memory", "1Gi", "1024Mi"),
        ("data[FORWARDER_CONFIG].resources.limits.cpu", "2", 2),
        (f"{CONTAINER}.resources.limits[ephemeral-storage]", "1G", "1000M"),
        (f"{CONTAINER}.ports[web].protocol", "TCP", ABSENT),
        (f"{CONTAINER}.livenessProbe.httpGet.scheme", ABSENT, "HTTP"),
        (f"{CONTAINER}.readinessProbe.timeoutSeconds", 1, ABSENT),
        ("spec.template.spec.hostNetwork", False, ABSENT),
        ("webhooks[x].clientConfig.service.port", 443, ABSENT),
        ("webhooks[x].reinvocationPolicy", ABSENT, "Never"),
    ],
)
def test_the_same(path: str, one: Any, other: Any) -> None:
    assert same(path, one, other)
    assert same(path, other, one)


@pytest.mark.parametrize(
    ("path", "one", "other"),
    [
        (f"{CONTAINER}.resources.limits.memory", "1G", "1Gi"),
        (f"{CONTAINER}.resources.limits.cpu", "x", "y"),
        (f"{CONTAINER}.env[LIMIT].value", "1000m", "1"),
        ("data[A]", "true", True),
        ("data[A]", 1, True),
        (f"{CONTAINER}.livenessProbe.periodSeconds", 30, ABSENT),
        ("spec.template.spec.hostNetwork", True, ABSENT),
        (f"{CONTAINER}.securityContext.allowPrivilegeEscalation", False, ABSENT),
        (f"{CONTAINER}.securityContext.runAsNonRoot", True, ABSENT),
    ],
)
def test_not_the_same(path: str, one: Any, other: Any) -> None:
    assert not same(path, one, other)
    assert not same(path, other, one)


@pytest.mark.parametrize(
    ("text", "amount"),
    [("1", 1), ("1.5", 1.5), ("300m", 0.3), ("2k", 2000), ("1Ki", 1024), ("1e3", 1000), (3, 3)],
)
def test_quantities(text: str | int, amount: float) -> None:
    found = quantity(text)
    assert found is not None
    assert float(found) == amount


@pytest.mark.parametrize("text", ["", "abc", "1Xi", "1..2", None, True and [1], "."])
def test_what_is_no_quantity(text: Any) -> None:
    assert quantity(text) is None
