"""Rights with reasons."""

from __future__ import annotations

import pytest

from speedscale_manifests.objects import Grant, cluster_role, cluster_role_binding, role, role_binding, rules
from speedscale_manifests.values import from_mapping

VALUES = from_mapping({"namespace": "obs"})
PODS = Grant(("",), ("pods",), ("get", "list"), "show them")


def test_a_rule_holds_what_the_grant_says_but_not_why() -> None:
    assert rules([PODS]) == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}]
    named = Grant(("",), ("secrets",), ("get",), "read it", ("mine",))
    assert named.rule()["resourceNames"] == ["mine"]


@pytest.mark.parametrize(
    "grant",
    [
        Grant(("*",), ("pods",), ("get",), "x"),
        Grant(("",), ("*",), ("get",), "x"),
        Grant(("",), ("pods/*",), ("get",), "x"),
        Grant(("",), ("pods",), ("*",), "x"),
        Grant(("",), ("pods",), ("get",), "x", ("*",)),
        Grant((), ("pods",), ("get",), "x"),
        Grant(("",), (), ("get",), "x"),
        Grant(("",), ("pods",), (), "x"),
    ],
)
def test_wildcards_and_gaps_are_refused(grant: Grant) -> None:
    with pytest.raises(ValueError, match="wildcards and gaps"):
        grant.rule()


def test_a_binding_joins_role_and_account() -> None:
    for made, binding in (
        (role(VALUES, "a", [PODS]), role_binding(VALUES, "a")),
        (role(VALUES, "a", [PODS], namespace="shop"), role_binding(VALUES, "a", namespace="shop")),
        (cluster_role(VALUES, "a", [PODS]), cluster_role_binding(VALUES, "a")),
    ):
        assert binding["roleRef"]["kind"] == made["kind"]
        assert binding["roleRef"]["name"] == made["metadata"]["name"]
        assert binding["metadata"].get("namespace") == made["metadata"].get("namespace")
        assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "speedscale-a", "namespace": "obs"}]


def test_a_binding_to_a_role_of_another_name() -> None:
    binding = role_binding(VALUES, "a", name="b", account="c", to=("ClusterRole", "d"))
    assert binding["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "d"}
    assert binding["subjects"][0]["name"] == "c"
    assert cluster_role_binding(VALUES, "a", to="d")["roleRef"]["name"] == "d"
