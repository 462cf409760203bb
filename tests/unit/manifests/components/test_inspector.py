"""The inspector: absent when off, and no more rights than what it offers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from speedscale_manifests.components import inspector
from speedscale_manifests.components.inspector import COMPONENT
from speedscale_manifests.components.inventory import inventory
from speedscale_manifests.values import from_mapping

Build = Callable[..., Any]


def roles(objects: Any) -> list[dict[str, Any]]:
    return [m for m in objects.identity if m["kind"] in ("Role", "ClusterRole")]


@pytest.mark.parametrize("profile", ["gitops", "operator"])
def test_off_means_absent(profile: str) -> None:
    off = inventory(from_mapping({"dashboardAccess": False, "profile": profile}))
    assert "inspector" not in [placed.component for placed in off]
    assert "speedscale-inspector" not in json.dumps([placed.manifest for placed in off])
    assert "inspector" in [placed.component for placed in inventory(from_mapping({}))]


def test_it_reads_no_secret_and_grants_nothing(build: Build, rights: Build) -> None:
    found = rights(roles(build(COMPONENT)))
    assert not [r for r in found if r[1] in ("secrets", "serviceaccounts", "roles", "rolebindings", "pods/exec")]
    assert not [r for r in found if r[0] == "rbac.authorization.k8s.io"]


def test_it_writes_to_workloads_replays_and_one_config_map_only(build: Build, rights: Build) -> None:
    writing = {r for r in rights(roles(build(COMPONENT))) if r[2] not in ("get", "list", "watch")}
    assert writing == {
        ("apps", "deployments", "patch"),
        ("apps", "statefulsets", "patch"),
        ("apps", "daemonsets", "patch"),
        ("batch", "jobs", "patch"),
        ("batch", "cronjobs", "patch"),
        ("argoproj.io", "rollouts", "patch"),
        ("speedscale.com", "trafficreplays", "create"),
        ("speedscale.com", "trafficreplays", "delete"),
        ("", "configmaps", "patch"),
        ("", "events", "create"),
        ("", "events", "patch"),
    }


def test_the_config_map_is_named(build: Build) -> None:
    (rule,) = build(COMPONENT).one("Role")["rules"]
    assert rule["resources"] == ["configmaps"]
    assert rule["resourceNames"] == ["speedscale-operator-override"]
    assert "create" not in rule["verbs"]


def test_in_selected_namespaces_it_has_roles_there_and_nothing_over_workloads_elsewhere(
    build: Build, rights: Build
) -> None:
    objects = build(COMPONENT, namespaceSelector=["shop", "pay"])
    cluster = objects.one("ClusterRole")
    assert rights([cluster]) == {("", "nodes", "list"), ("", "namespaces", "get")}
    (named,) = [r for r in cluster["rules"] if r["resources"] == ["namespaces"]]
    assert named["resourceNames"] == ["shop", "pay", "speedscale"]
    for namespace in ("shop", "pay", "speedscale"):
        role = objects.one("Role", "speedscale-inspector", namespace)
        assert ("speedscale.com", "trafficreplays", "create") in rights([role])
        binding = objects.one("RoleBinding", "speedscale-inspector", namespace)
        assert binding["subjects"] == [
            {"kind": "ServiceAccount", "name": "speedscale-inspector", "namespace": "speedscale"}
        ]


def test_every_right_has_a_reason() -> None:
    grants = (*inspector.WORKLOADS, *inspector.CLUSTER, *inspector.OWN)
    assert all(grant.reason for grant in grants)


def test_names_of_secrets_come_from_the_values(build: Build, environment: Build) -> None:
    pod = build(COMPONENT, secretAccessList=["login"]).pod("Deployment")
    names = environment(pod["containers"][0])["SECRET_NAMES"].split(",")
    assert names[0] == "login"
    assert "speedscale-apikey" in names


@pytest.mark.parametrize(
    ("tree", "url", "ca"),
    [
        ({}, None, None),
        ({"appUrl": "app.example.com"}, "https://app.example.com", None),
        (
            {"backend": {"enabled": True}},
            "https://speedscale-cloud.speedscale.svc",
            "/var/run/secrets/speedscale/backend-ca/ca.crt",
        ),
        ({"backend": {"enabled": True}, "appUrl": "app.example.com"}, "https://app.example.com", None),
    ],
)
def test_it_knows_its_backend(build: Build, environment: Build, tree: dict[str, Any], url: str, ca: str) -> None:
    pod = build(COMPONENT, **tree).pod("Deployment")
    found = environment(pod["containers"][0])
    assert (found.get("SPEEDSCALE_APP_URL"), found.get("BACKEND_CA_FILE")) == (url, ca)
    mounted = [v["secret"] for v in pod["volumes"] if "secret" in v]
    assert [m["secretName"] for m in mounted] == ["speedscale-apikey", *(["speedscale-cloud-certs"] if ca else [])]
    assert all(m["items"] == [{"key": "ca.crt", "path": "ca.crt"}] for m in mounted[1:])


def test_labels_and_key_of_the_backend(build: Build, environment: Build) -> None:
    pod = build(COMPONENT, inspector={"accessLabels": {"env": "test"}}, apiKeySecret="mine").pod("Deployment")
    (container,) = pod["containers"]
    assert environment(container)["ACCESS_LABELS"] == '{"env":"test"}'
    assert "envFrom" not in container
    (volume,) = [v for v in pod["volumes"] if v["name"] == "backend-key"]
    assert (volume["secret"]["secretName"], volume["secret"]["optional"]) == ("mine", True)
    (mount,) = [m for m in container["volumeMounts"] if m["name"] == "backend-key"]
    assert mount["mountPath"] == environment(container)["BACKEND_SECRET_DIR"]


def test_redaction_and_profile_are_those_of_the_installation(build: Build, environment: Build) -> None:
    usual = environment(build(COMPONENT).pod("Deployment")["containers"][0])
    assert (usual["WITH_DLP"], usual["PROFILE"]) == ("true", "gitops")
    other = build(COMPONENT, dlp={"enabled": False}, profile="operator").pod("Deployment")
    found = environment(other["containers"][0])
    assert (found["WITH_DLP"], found["PROFILE"]) == ("false", "operator")


def test_nothing_connects_to_it(build: Build, problems: Build) -> None:
    objects = build(COMPONENT)
    assert objects.none("Service")
    assert "ingress" not in objects.one("NetworkPolicy")["spec"]
    assert "Ingress" in objects.one("NetworkPolicy")["spec"]["policyTypes"]
    assert problems(objects.all) == []
