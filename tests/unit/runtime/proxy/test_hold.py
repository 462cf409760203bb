"""The hook that holds the application back: ends when the sidecar is ready, and in any case."""

from __future__ import annotations

import threading

import pytest
from prometheus_client import CollectorRegistry

from speedscale_runtime.proxy import hold
from speedscale_runtime.telemetry.endpoints import Endpoints


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_it_returns_when_the_sidecar_takes_connections(host: str) -> None:
    asked = threading.Event()
    reasons = ["starting", "starting", ""]

    def ready() -> str:
        asked.set()
        return reasons.pop(0)

    endpoints = Endpoints(CollectorRegistry(), ready, host=host, port=0)
    port = endpoints.start()
    assert hold.wait(port)
    assert asked.is_set()
    assert not reasons
    endpoints.stop()


def test_nobody_there_holds_nothing_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    endpoints = Endpoints(CollectorRegistry(), lambda: "starting", host="127.0.0.1", port=0)
    port = endpoints.start()
    assert not hold.wait(port, 0.0)
    endpoints.stop()
    monkeypatch.setenv("HEALTH_PORT", str(port))
    monkeypatch.setattr(hold, "wait", lambda _: False)
    assert hold.main() == 0
