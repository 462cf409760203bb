"""The rights that doctor asks about are those that the synthesised Roles give: no more, no fewer."""

from __future__ import annotations

from typing import Any

import pytest

from speedscale_controller.cli.diagnosis import rights
from speedscale_controller.settings import compose
from speedscale_manifests.components import rbac_grants
from speedscale_manifests.components.inventory import inventory
from speedscale_manifests.values import Values, from_mapping

Held = set[tuple[str, str, str, str]]


def granted(grants: Any) -> Held:
    return {
        (group, resource, verb, name)
        for grant in grants
        for group in grant.groups
        for resource in grant.resources
        for verb in grant.verbs
        for name in grant.object_names or ("",)
    }


def asked(needs: Any) -> Held:
    return {
        (need.group, resource, verb, name)
        for need in needs
        for resource in need.resources
        for verb in need.verbs
        for name in need.names or ("",)
    }


def settings(values: Values) -> Any:
    data = next(
        item.manifest["data"]
        for item in inventory(values)
        if item.manifest["kind"] == "ConfigMap" and item.manifest["metadata"]["name"] == "speedscale-operator"
    )
    return compose({"POD_NAMESPACE": values.namespace, "POD_NAME": "x"}, data, None).settings


@pytest.mark.parametrize(
    "tree",
    [
        {},
        {"profile": "operator"},
        {"operator": {"drift": "off"}},
        {"operator": {"drift": "enforce"}},
        {"namespaceSelector": ["shop", "bank"]},
        {"secretAccessList": ["db-login", "speedscale-jks"]},
        {"secretAccessList": ["*"]},
        {"certificates": {"mode": "cert-manager", "issuerRef": {"name": "ca"}}},
        {"networkPolicies": {"enabled": False}},
        {"image": {"pullSecrets": ["registry"]}},
    ],
    ids=str,
)
def test_the_table_is_that_of_the_roles(tree: dict[str, Any]) -> None:
    values = from_mapping(tree)
    told = settings(values)
    assert asked(rights.cluster(told)) == granted(rbac_grants.cluster(values))
    policies = values.network_policies.enabled
    assert asked(rights.workloads(told, policies=policies)) == granted(rbac_grants.workloads(values))
    assert asked(rights.own(told)) == granted(rbac_grants.own(values))


def test_questions_are_asked_once_and_in_every_namespace() -> None:
    told = settings(from_mapping({"namespaceSelector": ["shop", "bank"]}))
    questions = rights.questions(told, policies=True)
    assert len({q[:5] for q in questions}) == len(questions)
    places = {q[3] for q in questions if q[1] == "deployments" and q[2] == "patch"}
    assert places == {"shop", "bank", "speedscale"}
    assert rights.service_account(None, "x") == "system:serviceaccount:x:speedscale-operator"
