"""What an account may do is found from whichever roles grant it, and is compared by coverage."""

from __future__ import annotations

from typing import Any

import pytest

from speedscale_manifests.parity.rights import EVERY_VERB, covers, rights_of, told

ACCOUNT = {"kind": "ServiceAccount", "name": "op", "namespace": "speedscale"}


def role(name: str, *rules: dict[str, Any], namespace: str = "") -> dict[str, Any]:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"kind": "Role" if namespace else "ClusterRole", "metadata": metadata, "rules": list(rules)}


def binding(to: str, kind: str = "ClusterRole", namespace: str = "", *, subject: Any = ACCOUNT) -> dict[str, Any]:
    metadata = {"name": "b"} | ({"namespace": namespace} if namespace else {})
    ref = {"kind": kind, "name": to}
    return {
        "kind": "RoleBinding" if namespace else "ClusterRoleBinding",
        "metadata": metadata,
        "roleRef": ref,
        "subjects": [subject],
    }


def rule(resource: str, *verbs: str, names: tuple[str, ...] = ()) -> dict[str, Any]:
    found: dict[str, Any] = {"apiGroups": [""], "resources": [resource], "verbs": list(verbs)}
    return found | ({"resourceNames": list(names)} if names else {})


def rights(*objects: dict[str, Any]) -> dict[str, list[str]]:
    return rights_of(objects, "speedscale").get("Rights/op", {})


def test_a_cluster_role_bound_everywhere() -> None:
    assert rights(role("r", rule("pods", "get", "list")), binding("r")) == {
        "core/pods get": ["everywhere"],
        "core/pods list": ["everywhere"],
    }


def test_a_cluster_role_bound_in_a_namespace_holds_there_only() -> None:
    found = rights(role("r", rule("pods", "get")), binding("r", namespace="shop"))
    assert found == {"core/pods get": ["in shop"]}


def test_roles_of_two_namespaces_add_up() -> None:
    objects = [role("r", rule("pods", "get"), namespace=n) for n in ("shop", "pay")]
    objects += [binding("r", "Role", n) for n in ("shop", "pay")]
    assert rights(*objects) == {"core/pods get": ["in pay", "in shop"]}


def test_a_role_that_is_not_there_is_a_right_of_its_own() -> None:
    found = rights(role("r", rule("pods", "get"), namespace="shop"), binding("r", "Role", "pay"))
    assert found == {"Role/r *": ["in pay"]}
    assert rights(binding("cluster-admin")) == {"ClusterRole/cluster-admin *": ["everywhere"]}


def test_a_role_without_a_namespace_is_of_the_installation() -> None:
    here = {**role("r", rule("pods", "get"), namespace="x"), "metadata": {"name": "r"}}
    bound = {**binding("r", "Role", "x"), "metadata": {"name": "b"}}
    assert rights(here, bound) == {"core/pods get": ["in speedscale"]}


def test_a_wildcard_verb_is_every_verb() -> None:
    found = rights(role("r", rule("pods", "*")), binding("r"))
    assert set(found) == {f"core/pods {verb}" for verb in EVERY_VERB}


def test_names_are_kept_and_a_wider_grant_swallows_them() -> None:
    named = rule("secrets", "get", names=("a", "b"))
    assert rights(role("r", named), binding("r")) == {"core/secrets get": ["everywhere named a", "everywhere named b"]}
    assert rights(role("r", named, rule("secrets", "get")), binding("r")) == {"core/secrets get": ["everywhere"]}


def test_a_grant_everywhere_swallows_that_of_a_namespace() -> None:
    objects = [role("r", rule("pods", "get")), binding("r"), binding("r", namespace="shop")]
    assert rights(*objects) == {"core/pods get": ["everywhere"]}


def test_only_service_accounts_are_listed_and_others_by_namespace() -> None:
    user = {"kind": "User", "name": "op"}
    stranger = {"kind": "ServiceAccount", "name": "op", "namespace": "shop"}
    objects = [role("r", rule("pods", "get")), binding("r", subject=user), binding("r", subject=stranger)]
    assert set(rights_of(objects, "speedscale")) == {"Rights/op@shop"}


@pytest.mark.parametrize(
    ("wide", "narrow", "expected"),
    [
        (["everywhere"], ["everywhere"], True),
        (["everywhere"], ["in shop", "in pay named x"], True),
        (["everywhere named x"], ["in shop named x"], True),
        (["everywhere named x"], ["in shop named y"], False),
        (["everywhere named x"], ["everywhere"], False),
        (["in shop"], ["in shop named x"], True),
        (["in shop"], ["in pay"], False),
        (["in shop", "in pay"], ["everywhere"], False),
        (["in shop", "in pay"], ["in pay"], True),
    ],
)
def test_coverage(wide: list[str], narrow: list[str], expected: bool) -> None:
    assert covers(wide, narrow) is expected


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        (["everywhere"], "everywhere"),
        (["in shop", "in pay"], "in pay, shop"),
        (["everywhere named b", "everywhere named a"], "everywhere named a, b"),
        (["in shop named x", "in pay named x", "everywhere named y"], "everywhere named y; in pay, shop named x"),
    ],
)
def test_places_for_people(places: list[str], expected: str) -> None:
    assert told(places) == expected
