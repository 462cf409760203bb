"""What stands in the output."""

from __future__ import annotations

from typing import Any

import pytest

from speedscale_manifests.components import inventory as table
from speedscale_manifests.components.component import CHARTS, Component
from speedscale_manifests.components.inventory import COMPONENTS, inventory
from speedscale_manifests.objects import config_map, reference, waves
from speedscale_manifests.values import from_mapping
from speedscale_schemas.errors import ConfigError

EVERYTHING = {"ebpf": {"enabled": True}, "backend": {"enabled": True}, "operator": {"replicas": 2}}


def listed(**tree: Any) -> list[str]:
    return [f"{item.chart} {reference(item.manifest)}" for item in inventory(from_mapping(tree))]


def test_what_the_operators_chart_had_is_there() -> None:
    found = {entry.partition(" ")[2] for entry in listed()}
    assert found >= {
        "Namespace speedscale",
        "CustomResourceDefinition trafficreplays.speedscale.com",
        "ClusterRole speedscale-operator",
        "ClusterRoleBinding speedscale-operator",
        "ServiceAccount speedscale/speedscale-operator",
        "ConfigMap speedscale/speedscale-operator",
        "Deployment speedscale/speedscale-operator",
        "Service speedscale/speedscale-operator",
        "MutatingWebhookConfiguration speedscale-operator",
        "MutatingWebhookConfiguration speedscale-operator-replay",
        "ValidatingWebhookConfiguration speedscale-operator-replay",
    }
    assert not [entry for entry in found if entry.startswith("Secret ")]


def test_charts_stand_together_and_in_order() -> None:
    charts = [CHARTS.index(item.chart) for item in inventory(from_mapping(EVERYTHING))]
    assert charts == sorted(charts)
    assert set(charts) == set(range(len(CHARTS)))


def test_in_profile_operator_only_identities_of_managed_components_are_in_git() -> None:
    both = {profile: inventory(from_mapping({**EVERYTHING, "profile": profile})) for profile in ("gitops", "operator")}
    assert any(item.managed for item in both["gitops"])
    assert not any(item.managed for item in both["operator"])
    workloads = [
        item for item in both["operator"] if item.manifest["kind"] in ("Deployment", "DaemonSet", "StatefulSet")
    ]
    assert [item.component for item in workloads] == ["operator"]
    accounts = {
        profile: [str(reference(p.manifest)) for p in placed if p.manifest["kind"] == "ServiceAccount"]
        for profile, placed in both.items()
    }
    assert accounts["gitops"] == accounts["operator"]


def test_templates_are_never_in_git() -> None:
    assert not [entry for entry in listed(**EVERYTHING) if "PodTemplate" in entry or "@" in entry]


def test_every_object_has_its_wave() -> None:
    for item in inventory(from_mapping(EVERYTHING)):
        assert item.manifest["metadata"]["annotations"][waves.WAVE] in {"-3", "-2", "-1", "0", "1", "2"}
    for item in inventory(from_mapping({**EVERYTHING, "argocd": {"annotations": False}})):
        kept = item.manifest["metadata"].get("annotations", {})
        assert not [key for key in kept if key.startswith("argocd.argoproj.io/")]


def test_the_same_values_give_the_same_objects_in_the_same_order() -> None:
    assert inventory(from_mapping(EVERYTHING)) == inventory(from_mapping(dict(reversed(EVERYTHING.items()))))


def test_components_are_told_apart_by_name() -> None:
    assert len({component.name for component in COMPONENTS}) == len(COMPONENTS)


def test_two_makers_of_one_object_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    twins = tuple(
        Component(name, "operator", identity=lambda values: [config_map(values, "operator", {})]) for name in ("a", "b")
    )
    monkeypatch.setattr(table, "COMPONENTS", twins)
    with pytest.raises(ConfigError, match=r"ConfigMap speedscale/speedscale-operator is made by a and by b"):
        inventory(from_mapping({}))
