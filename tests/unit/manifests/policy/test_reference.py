"""The page of rules and exemptions."""

from __future__ import annotations

from speedscale_manifests.policy import EXEMPTIONS, RULES, reference


def test_every_rule_and_exemption_is_there() -> None:
    page = reference.page()
    for rule in RULES:
        assert f"| `{rule.id}` | {rule.description}" in page
    for exemption in EXEMPTIONS:
        assert exemption.reason in page


def test_no_cell_breaks_a_table() -> None:
    assert {line.count("|") for line in reference.page().splitlines() if line.startswith("|")} == {4, 6}
