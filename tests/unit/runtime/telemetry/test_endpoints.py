"""What every service answers on its own thread: metrics, health, readiness and routes of its own."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable, Iterator

import pytest
from prometheus_client import CollectorRegistry, Counter

from speedscale_runtime.telemetry.endpoints import Endpoints

Get = Callable[[str], tuple[int, str, bytes]]


class Service:
    """What a service tells its endpoints."""

    not_ready = ""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        Counter("speedscale_x_things", "Things", registry=self.registry).inc(3)


@pytest.fixture
def service() -> Service:
    return Service()


def served(service: Service, metrics: CollectorRegistry | Callable[[], bytes]) -> Iterator[Get]:
    endpoints = Endpoints(
        metrics, lambda: service.not_ready, host="127.0.0.1", port=0, json_routes={"/stats": lambda: b'{"a":1}'}
    )
    port = endpoints.start()

    def get(path: str) -> tuple[int, str, bytes]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as answer:
                return answer.status, answer.headers["Content-Type"], answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers["Content-Type"], error.read()

    yield get
    endpoints.stop()


@pytest.fixture
def get(service: Service) -> Iterator[Get]:
    yield from served(service, service.registry)


@pytest.fixture
def get_text(service: Service) -> Iterator[Get]:
    yield from served(service, lambda: b"a 1\n")


def test_metrics_of_a_registry_and_of_a_function(get: Get, get_text: Get) -> None:
    status, kind, text = get("/metrics")
    assert (status, b"speedscale_x_things_total 3.0\n" in text) == (200, True)
    assert get_text("/metrics?x=1") == (200, kind, b"a 1\n")
    assert kind.startswith("text/plain; version=0.0.4")


def test_ready_says_why_not(get: Get, service: Service) -> None:
    assert get("/readyz")[0] == 200
    service.not_ready = "draining"
    assert get("/readyz")[::2] == (503, b"draining\n")
    assert get("/healthz")[::2] == (200, b"ok\n")


def test_routes_of_the_service_and_no_others(get: Get) -> None:
    assert get("/stats") == (200, "application/json", b'{"a":1}')
    status, _, text = get("/nothing")
    assert (status, text) == (404, b"not found; try /metrics, /healthz, /readyz, /stats\n")


@pytest.mark.parametrize(("host", "asked"), [("::1", ("::1",)), ("::", ("127.0.0.1", "::1"))])
def test_in_a_pod_with_an_ipv6_address(service: Service, host: str, asked: tuple[str, ...]) -> None:
    endpoints = Endpoints(service.registry, lambda: "", host=host, port=0)
    port = endpoints.start()
    for address in asked:
        shown = f"[{address}]" if ":" in address else address
        with urllib.request.urlopen(f"http://{shown}:{port}/healthz") as answer:
            assert answer.read() == b"ok\n"
    endpoints.stop()
