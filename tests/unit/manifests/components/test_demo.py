"""The demo: captured, reachable, and touched by the webhook as the only part of ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from speedscale_manifests.components.demo import COMPONENT
from speedscale_manifests.components.inventory import inventory
from speedscale_manifests.objects.waves import WAVE
from speedscale_manifests.values import from_mapping
from speedscale_schemas import annotations
from speedscale_schemas.errors import ConfigError

Build = Callable[..., Any]
IGNORE = "operator.speedscale.com/ignore"


def test_names_and_containers(build: Build) -> None:
    objects = build(COMPONENT)
    assert [c["name"] for c in objects.pod("Deployment", "java-server")["containers"]] == ["java-server"]
    assert [c["name"] for c in objects.pod("Deployment", "java-client")["containers"]] == ["java-client"]
    assert objects.one("Deployment", "java-server")["spec"]["replicas"] == 1


def test_the_server_is_captured_and_the_client_is_not(build: Build) -> None:
    objects = build(COMPONENT)
    server = objects.one("Deployment", "java-server")["metadata"]
    client = objects.one("Deployment", "java-client")["metadata"]
    assert server["annotations"] == {
        "sidecar.speedscale.com/inject": "true",
        "sidecar.speedscale.com/tls-out": "true",
        "sidecar.speedscale.com/tls-java-tool-options": "true",
    }
    assert IGNORE not in server["annotations"]
    assert "annotations" not in client


@pytest.mark.parametrize("kind", ["transparent", "reverse", "forward", "dual"])
def test_its_annotations_are_right(build: Build, kind: str) -> None:
    server = build(COMPONENT, sidecar={"proxy_type": kind}).one("Deployment", "java-server")
    parsed = annotations.parse(server["metadata"]["annotations"], kind="Deployment")
    assert not parsed.problems, parsed.problems


@pytest.mark.parametrize(
    ("kind", "port", "proxied"),
    [("transparent", 8080, False), ("reverse", 4143, False), ("forward", 8080, True), ("dual", 4143, True)],
)
def test_traffic_meets_the_sidecar_in_every_mode(
    build: Build, environment: Build, kind: str, port: int, proxied: bool
) -> None:
    objects = build(COMPONENT, sidecar={"proxy_type": kind})
    (service_port,) = objects.one("Service")["spec"]["ports"]
    assert (service_port["port"], service_port["targetPort"]) == (8080, port)
    found = environment(objects.pod("Deployment", "java-server")["containers"][0])
    assert (found.get("HTTPS_PROXY") == "http://127.0.0.1:4140") is proxied
    (rule,) = objects.one("NetworkPolicy", "java-server")["spec"]["ingress"]
    assert rule["ports"] == [{"port": port, "protocol": "TCP"}]


def test_the_client_knows_its_server_in_any_namespace(build: Build, environment: Build) -> None:
    pod = build(COMPONENT, namespace="observability").pod("Deployment", "java-client")
    assert environment(pod["containers"][0])["SERVER_URL"] == "http://java-server.observability.svc:8080"


def test_orders_are_paid_only_where_a_dependency_is_named(build: Build, environment: Build) -> None:
    def server(**tree: object) -> Any:
        return environment(build(COMPONENT, **tree).pod("Deployment", "java-server")["containers"][0])

    assert "DEPENDENCY_URL" not in server()
    url = "https://payments.shop.svc:8443"
    assert server(demo={"dependencyURL": url})["DEPENDENCY_URL"] == url


@pytest.mark.parametrize("url", ["payments:8443", "ftp://payments", "https://user@payments", "https://payments/?a=1"])
def test_a_dependency_that_is_no_plain_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="dependencyURL"):
        from_mapping({"demo": {"dependencyURL": url}})


def test_it_comes_after_everything_else() -> None:
    placed = inventory(from_mapping({}))
    waves = {p.component: int(p.manifest["metadata"]["annotations"][WAVE]) for p in placed if p.managed}
    assert waves["demo"] > max(wave for name, wave in waves.items() if name != "demo")


def test_all_of_ours_but_the_demo_is_left_alone() -> None:
    values = from_mapping({"ebpf": {"enabled": True}, "backend": {"enabled": True}})
    kinds = ("Deployment", "StatefulSet", "DaemonSet", "Job")
    for placed in inventory(values):
        if placed.manifest["kind"] in kinds:
            marked = placed.manifest["metadata"]["annotations"].get(IGNORE) == "true"
            assert marked is (placed.component != "demo"), placed.manifest["metadata"]["name"]


def test_none_of_it_without_a_demo(problems: Build, build: Build) -> None:
    assert not COMPONENT.enabled(from_mapping({"deployDemo": ""}))
    assert problems(build(COMPONENT).all) == []
