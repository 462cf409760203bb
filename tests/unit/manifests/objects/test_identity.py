"""Names, labels and annotations."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from speedscale_manifests.objects import config_map, labels, metadata, names, selector, service, service_account
from speedscale_manifests.values import from_mapping

ROOT = Path(__file__).resolve().parents[4]
OURS = {
    "globalLabels": {"team": "platform"},
    "globalAnnotations": {"example.com/owner": "platform"},
}


def test_every_object_says_what_it_is_part_of() -> None:
    assert metadata(from_mapping({}), "forwarder") == {
        "name": "speedscale-forwarder",
        "namespace": "speedscale",
        "labels": {
            "app": "speedscale-forwarder",
            "controlplane.speedscale.com/component": "forwarder",
            "app.kubernetes.io/part-of": "speedscale",
            "app.kubernetes.io/version": names.VERSION,
        },
    }


def test_the_version_is_that_of_the_distribution() -> None:
    project = tomllib.loads((ROOT / "cdk8s" / "pyproject.toml").read_text("utf-8"))
    assert project["project"]["version"] == names.VERSION


def test_the_demo_keeps_its_names() -> None:
    assert selector("java-server") == {"app": "java-server", "controlplane.speedscale.com/component": "java-server"}


def test_selectors_hold_nothing_that_changes_with_a_version() -> None:
    assert set(selector("operator").items()) < set(labels("operator").items())
    assert names.VERSION not in selector("operator").values()


@pytest.mark.parametrize("on", [True, False])
def test_users_labels_and_annotations_stand_where_they_belong_only(on: bool) -> None:
    found = metadata(from_mapping(OURS), "operator", user_labels=on, user_annotations=on)
    assert ("team" in found["labels"]) is on
    assert ("annotations" in found) is on


def test_users_labels_never_win_over_ours() -> None:
    """Values refuse such a label; a user's own app that builds Values by hand must not break selectors either."""
    found = metadata(replace(from_mapping({}), global_labels={"app": "mine"}), "operator", user_labels=True)
    assert found["labels"]["app"] == "speedscale-operator"


def test_cluster_scoped_objects_have_no_namespace() -> None:
    assert "namespace" not in metadata(from_mapping({}), "operator", namespace="")


def test_no_namespace_is_hard_coded() -> None:
    values = from_mapping({"namespace": "observability"})
    for manifest in (
        config_map(values, "operator", {}),
        service(values, "operator", []),
        service_account(values, "operator"),
    ):
        assert manifest["metadata"]["namespace"] == "observability"


def test_which_secrets_are_ours() -> None:
    values = from_mapping(
        {"apiKeySecret": "cloud-key", "dlp": {"keySecret": "tokens"}, "image": {"pullSecrets": ["r"]}}
    )
    assert names.copied_secrets(values) == ("speedscale-certs", "cloud-key", "speedscale-jks", "tokens", "r")
    kept = set(names.own_secrets(values)) - set(names.copied_secrets(values))
    assert kept == {f"speedscale-{name}-certs" for name in ("webhook", "forwarder", "cloud", "collector", "own")}


def test_our_namespace_is_watched_with_the_selected_ones_and_once() -> None:
    assert names.watched_namespaces(from_mapping({})) == ()
    assert names.watched_namespaces(from_mapping({"namespaceSelector": ["shop"]})) == ("shop", "speedscale")
    both = from_mapping({"namespaceSelector": ["speedscale", "shop"]})
    assert names.watched_namespaces(both) == ("speedscale", "shop")
