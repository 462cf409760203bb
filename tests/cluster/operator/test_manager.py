"""The operator as processes on a real API server: start, probes, leading, ending."""

from __future__ import annotations

import pytest
from harness.operator import Installation

pytestmark = pytest.mark.integration


def test_it_becomes_ready(operator: Installation) -> None:
    (replica,) = operator.replicas
    code, text = replica.get("/readyz")
    assert code == 200, text
    assert "[+] certificate" in text
    assert replica.get("/healthz") == (200, "ok\n")
    assert replica.metric("speedscale_operator_watch_objects", process="admission", watch="namespaces") > 2
