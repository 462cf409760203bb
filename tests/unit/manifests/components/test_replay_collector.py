"""The collector's rights: reading, where replays run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from speedscale_manifests.components.replay_collector import COMPONENT
from speedscale_schemas.settings import parse
from speedscale_schemas.templates import examples, fill
from speedscale_schemas.validation import schema

Build = Callable[..., Any]
WANTED = {
    *(("", resource, verb) for resource in ("pods", "events") for verb in ("get", "list", "watch")),
    ("", "pods/log", "get"),
    ("metrics.k8s.io", "pods", "get"),
    ("metrics.k8s.io", "pods", "list"),
}


def test_it_reads_and_nothing_else(build: Build, rights: Build, problems: Build) -> None:
    objects = build(COMPONENT)
    assert rights([objects.one("ClusterRole")]) == WANTED
    assert problems(objects.identity) == []


def test_in_selected_namespaces_only(build: Build, rights: Build) -> None:
    objects = build(COMPONENT, namespaceSelector=["shop"])
    assert objects.none("ClusterRole")
    assert objects.none("ClusterRoleBinding")
    assert rights([objects.one("Role", namespace="shop")]) == WANTED
    assert rights([objects.one("Role", namespace="speedscale")]) == WANTED


def test_who_may_call_it_is_its_own_replay_and_the_operator(build: Build) -> None:
    policy = next(fill(t, examples()) for t in build(COMPONENT).templates if t["kind"] == "NetworkPolicy")
    operator, pods = policy["spec"]["ingress"]
    assert operator["from"][0]["podSelector"]["matchLabels"]["app"] == "speedscale-operator"
    selector = pods["from"][0]["podSelector"]
    assert selector["matchLabels"] == {"replay.speedscale.com/id": examples()["replay_id"]}
    assert selector["matchExpressions"][0]["values"] == ["speedscale-generator", "speedscale-responder"]
    assert [rule["ports"] for rule in (operator, pods)] == [[{"port": 8443, "protocol": "TCP"}]] * 2


def test_its_service_stands_beside_it_and_leads_to_it(build: Build) -> None:
    made = {t["kind"]: fill(t, examples()) for t in build(COMPONENT).templates}
    service, deployment = made["Service"], made["Deployment"]
    assert service["metadata"]["name"] == "speedscale-collector-abstract-yucca"
    assert service["metadata"]["namespace"] == deployment["metadata"]["namespace"] == "speedscale"
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    (port,) = service["spec"]["ports"]
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    assert (port["port"], port["targetPort"]) == (443, "https")
    assert {"name": "https", "containerPort": 8443, "protocol": "TCP"} in container["ports"]


def test_its_settings_are_those_it_knows(build: Build) -> None:
    deployment = next(fill(t, examples()) for t in build(COMPONENT).templates if t["kind"] == "Deployment")
    environ = {e["name"]: e.get("value", "x") for e in deployment["spec"]["template"]["spec"]["containers"][0]["env"]}
    values = parse("collector", {**environ, "SPEEDSCALE_APP_URL": ""})
    assert values["REPLAY_NAMESPACES"] == ["shop", "payments"]
    assert environ.keys() <= schema("settings/collector")["properties"].keys() | {"HTTP_PROXY"}


def test_it_starts_without_the_redaction_key_and_not_without_its_certificate(build: Build) -> None:
    deployment = next(t for t in build(COMPONENT).templates if t["kind"] == "Deployment")
    secrets = {
        v["secret"]["secretName"]: v["secret"]
        for v in deployment["spec"]["template"]["spec"]["volumes"]
        if "secret" in v
    }
    assert secrets["speedscale-dlp-key"]["optional"] is True
    assert "optional" not in secrets["speedscale-collector-certs"]
