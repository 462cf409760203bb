"""The operator's rights: where they hold, and how little they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from speedscale_manifests.components import rbac

Build = Callable[..., Any]
Rights = Callable[[Iterable[Any]], set[tuple[str, str, str]]]


def on_secrets(role: dict[str, Any]) -> list[tuple[list[str], list[str]]]:
    return [(rule.get("resourceNames", []), rule["verbs"]) for rule in role["rules"] if "secrets" in rule["resources"]]


def test_without_a_selector_workloads_of_the_whole_cluster(build: Build, rights: Rights) -> None:
    objects = build(rbac.COMPONENT)
    assert [item["kind"] for item in objects.all] == ["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"]
    assert ("apps", "deployments", "patch") in rights([objects.one("ClusterRole")])
    assert objects.one("Role")["metadata"]["namespace"] == "speedscale"


def test_with_a_selector_only_what_has_no_namespace_is_cluster_wide(build: Build, rights: Rights) -> None:
    objects = build(rbac.COMPONENT, namespaceSelector=["shop", "pay"])
    assert {resource for _, resource, _ in rights([objects.one("ClusterRole")])} == {
        "customresourcedefinitions",
        "mutatingwebhookconfigurations",
        "validatingwebhookconfigurations",
        "namespaces",
        "nodes",
        "ciliumnodes",
    }
    namespaces = [item["metadata"]["namespace"] for item in objects.all if item["kind"] == "Role"]
    assert namespaces == ["shop", "pay", "speedscale"]
    for namespace in namespaces:
        found = rights([objects.one("Role", namespace=namespace)])
        assert ("apps", "deployments", "patch") in found
        assert (("coordination.k8s.io", "leases", "create") in found) is (namespace == "speedscale")
    for rule in objects.one("ClusterRole")["rules"]:
        if rule["resources"] == ["namespaces"]:
            assert rule["resourceNames"] == ["shop", "pay", "speedscale"]


def test_bindings_are_of_the_account_in_our_namespace(build: Build) -> None:
    for item in build(rbac.COMPONENT, namespace="obs", namespaceSelector=["shop"]).all:
        if item["kind"].endswith("Binding"):
            assert item["subjects"] == [{"kind": "ServiceAccount", "name": "speedscale-operator", "namespace": "obs"}]


@pytest.mark.parametrize(
    "tree",
    [
        {},
        {"profile": "operator"},
        {"secretAccessList": ["*"]},
        {"namespaceSelector": ["shop"]},
        {"ebpf": {"enabled": True}},
    ],
)
def test_no_right_leads_to_other_rights(tree: dict[str, Any], build: Build, rights: Rights) -> None:
    objects = build(rbac.COMPONENT, **tree)
    found = rights(item for item in objects.all if item["kind"] in ("Role", "ClusterRole"))
    assert not [right for right in found if right[0] == "rbac.authorization.k8s.io"]
    assert not [right for right in found if right[1] in ("serviceaccounts", "pods/exec", "serviceaccounts/token")]
    assert not {verb for _, _, verb in found} & {"*", "escalate", "bind", "impersonate", "deletecollection"}
    assert not [right for right in found if right[1] == "pods" and right[2] not in ("get", "list", "watch")]


def test_secrets_are_ours_by_name(build: Build) -> None:
    objects = build(rbac.COMPONENT)
    copies = ["speedscale-certs", "speedscale-apikey", "speedscale-jks", "speedscale-dlp-key"]
    assert on_secrets(objects.one("ClusterRole")) == [(copies, ["get", "patch", "delete"]), ([], ["create"])]
    ((own, _),) = on_secrets(objects.one("Role"))
    kept = ["webhook", "forwarder", "cloud", "collector", "own"]
    assert own == [*copies, *(f"speedscale-{name}-certs" for name in kept)]


def test_listed_secrets_may_be_read_and_no_more(build: Build) -> None:
    role = build(rbac.COMPONENT, secretAccessList=["db", "speedscale-jks"]).one("ClusterRole")
    assert on_secrets(role)[2:] == [(["db"], ["get"])]


def test_all_secrets_are_an_explicit_wildcard_and_still_not_listed(build: Build) -> None:
    assert on_secrets(build(rbac.COMPONENT, secretAccessList=["*"]).one("ClusterRole"))[2:] == [([], ["get"])]


@pytest.mark.parametrize(
    ("tree", "writes"),
    [
        ({}, True),
        ({"createTLSCerts": False, "certificates": {"mode": "manual"}}, False),
        ({"certificates": {"mode": "cert-manager", "issuerRef": {"name": "i"}}}, False),
    ],
)
def test_a_ca_bundle_that_others_inject_is_never_written(tree: dict[str, Any], writes: bool, build: Build) -> None:
    role = build(rbac.COMPONENT, **tree).one("ClusterRole")
    verbs = [
        verb
        for rule in role["rules"]
        if "admissionregistration.k8s.io" in rule["apiGroups"]
        for verb in rule["verbs"]
        if rule["resourceNames"]
    ]
    assert ("patch" in verbs) is writes
    assert "create" not in verbs


@pytest.mark.parametrize(
    ("tree", "verbs"),
    [
        ({"operator": {"drift": "off"}}, set()),
        ({}, {"get", "list", "watch"}),
        ({"operator": {"drift": "enforce"}}, {"get", "list", "watch", "patch"}),
        ({"profile": "operator"}, {"get", "list", "watch", "create", "patch", "delete"}),
    ],
)
def test_managed_components_are_touched_as_far_as_drift_says(
    tree: dict[str, Any], verbs: set[str], build: Build, rights: Rights
) -> None:
    found = rights([build(rbac.COMPONENT, **tree).one("Role")])
    assert {verb for group, resource, verb in found if (group, resource) == ("apps", "deployments")} == verbs
    assert {verb for group, resource, verb in found if resource == "persistentvolumeclaims"} == verbs


def test_policies_of_replays_are_made_only_where_policies_are_wanted(build: Build, rights: Rights) -> None:
    wanted = ("networking.k8s.io", "networkpolicies", "create")
    assert wanted in rights([build(rbac.COMPONENT).one("ClusterRole")])
    assert wanted not in rights([build(rbac.COMPONENT, networkPolicies={"enabled": False}).one("ClusterRole")])


def test_kubernetes_takes_them(build: Build, problems: Callable[..., list[str]]) -> None:
    assert problems(build(rbac.COMPONENT, namespaceSelector=["shop"]).all) == []
