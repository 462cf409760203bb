"""Effective rights: what a subject gains and loses, wherever the rule stands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from speedscale_manifests.upgrade import RightsChange
from speedscale_manifests.upgrade.rights import changes

Manifest = dict[str, Any]
Make = Callable[..., list[Manifest]]


def rule(verbs: str, resources: str = "pods", group: str = "", names: str = "") -> Manifest:
    made: Manifest = {"apiGroups": [group], "resources": resources.split(), "verbs": verbs.split()}
    return {**made, "resourceNames": names.split()} if names else made


def test_a_verb_more_is_told_with_resource_and_scope(rights: Make) -> None:
    found = changes(rights([rule("get list")]), rights([rule("get list delete", "pods")]))
    assert found == (RightsChange("ServiceAccount speedscale/operator", ("delete pods in speedscale",), ()),)


def test_groups_and_names_are_told(rights: Make) -> None:
    old, new = rights([]), rights([rule("get update", "deployments", "apps", "shop")])
    assert changes(old, new)[0].gained == ("get, update deployments.apps 'shop' in speedscale",)


def test_a_rule_that_is_only_written_otherwise_is_no_change(rights: Make) -> None:
    assert changes(rights([rule("get list")]), rights([rule("list"), rule("get")])) == ()


def test_a_verb_that_moves_to_another_role_is_no_change(rights: Make) -> None:
    old = rights([rule("get list")])
    new = [*rights([rule("get")]), *rights([rule("list")], role="second")]
    assert changes(old, new) == ()


def test_from_a_namespace_to_the_cluster_is_a_gain_and_no_loss(rights: Make) -> None:
    (change,) = changes(rights([rule("get")]), rights([rule("get")], namespace=""))
    assert change.gained == ("get pods in the whole cluster",)
    assert change.lost == ()


def test_from_one_name_to_all_is_a_gain_and_no_loss(rights: Make) -> None:
    (change,) = changes(rights([rule("get", names="a")]), rights([rule("get")]))
    assert (change.gained, change.lost) == (("get pods in speedscale",), ())


def test_a_wildcard_covers_what_it_replaces(rights: Make) -> None:
    (change,) = changes(rights([rule("get list")]), rights([rule("*", "*", "*")]))
    assert (change.gained, change.lost) == (("* *.* in speedscale",), ())
    (back,) = changes(rights([rule("*", "*", "*")]), rights([rule("get list")]))
    assert (back.gained, back.lost) == ((), ("* *.* in speedscale",))


def test_a_subresource_is_another_resource(rights: Make) -> None:
    (change,) = changes(rights([rule("get")]), rights([rule("get", "pods pods/log")]))
    assert change.gained == ("get pods/log in speedscale",)


def test_another_subject_in_a_binding_is_told(rights: Make) -> None:
    old, new = rights([rule("get")]), rights([rule("get")])
    new[1]["subjects"].append({"kind": "Group", "name": "system:authenticated"})
    assert changes(old, new) == (RightsChange("Group system:authenticated", ("get pods in speedscale",), ()),)


def test_a_role_from_elsewhere_is_named(rights: Make) -> None:
    binding = rights([rule("get")])[1]
    binding["roleRef"] = {"kind": "ClusterRole", "name": "cluster-admin"}
    (change,) = changes([], [binding])
    assert "all of ClusterRole cluster-admin" in change.gained[0]


def test_urls_are_rights_of_the_whole_cluster(rights: Make) -> None:
    new = rights([{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}], namespace="")
    assert changes(rights([], namespace=""), new)[0].gained == ("get /metrics in the whole cluster",)


def test_from_the_cluster_to_a_namespace_says_where_it_stays(rights: Make) -> None:
    (change,) = changes(rights([rule("get list")], namespace=""), rights([rule("get")], namespace="shop"))
    assert change.gained == ()
    assert change.lost == ("list pods in the whole cluster", "get pods in the whole cluster (still in shop)")
