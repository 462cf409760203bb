"""The page of rights."""

from __future__ import annotations

from speedscale_manifests.components import rbac_grants, rbac_reference
from speedscale_manifests.components.inventory import inventory
from speedscale_manifests.values import from_mapping


def test_every_right_is_there_with_its_reason() -> None:
    page = rbac_reference.page()
    values = from_mapping({})
    for grant in (*rbac_grants.cluster(values), *rbac_grants.workloads(values), *rbac_grants.own(values)):
        assert f"| {', '.join(grant.resources)} | {' '.join(grant.verbs)} |" in page
        assert grant.reason in page


def test_what_values_change_is_shown_alone() -> None:
    page = rbac_reference.page()
    section = page.split("### With `secretAccessList: [db-login]`")[1].split("### With")[0]
    assert section.count("\n| ") == 3  # head, rule, one grant
    assert "`db-login`" in section


def test_every_account_with_a_token_is_there() -> None:
    """Whatever has rights in the fullest installation is on the page, rule by rule."""
    page = rbac_reference.page()
    values = from_mapping({"ebpf": {"enabled": True}, "backend": {"enabled": True}})
    for item in inventory(values):
        if item.manifest["kind"] not in ("Role", "ClusterRole"):
            continue
        for rule in item.manifest["rules"]:
            groups = ", ".join(group or "(core)" for group in rule["apiGroups"])
            assert f"| {groups} | {', '.join(rule['resources'])} | {' '.join(rule['verbs'])} |" in page, item.component


def test_it_says_the_same_twice() -> None:
    assert rbac_reference.page() == rbac_reference.page()


def test_no_cell_breaks_a_table() -> None:
    columns = {line.count("|") for line in rbac_reference.page().splitlines() if line.startswith("|")}
    assert columns == {4, 6}
