"""Layers: maps merge, lists replace, null takes away, and each value knows who set it."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

from speedscale_manifests import values as v


def test_defaults_alone() -> None:
    values = v.load()
    assert values.tree() == v.defaults()
    assert set(values.sources.values()) == {"default"}
    assert values.forwarder.persistence.size == "2Gi"


def test_files_in_order_with_origins(tmp_path: Path) -> None:
    one, two = tmp_path / "values.yaml", tmp_path / "values.prod.yaml"
    one.write_text("forwarder:\n  replicas: 2\n  resources: {limits: {cpu: '1'}}\nnamespaceSelector: [a, b]\n")
    two.write_text("forwarder: {replicas: 3}\nnamespaceSelector: [c]\n")
    values = v.load([one, str(two)])
    assert values.forwarder.replicas == 3
    assert values.forwarder.resources["limits"] == {"cpu": "1", "memory": "512M"}
    assert values.namespace_selector == ("c",)
    assert values.sources["forwarder.replicas"] == f"{two}:1:13"
    assert values.sources["forwarder.resources.limits.cpu"] == f"{one}:3:24"
    assert values.sources["forwarder.resources.limits.memory"] == "default"
    assert values.sources["namespaceSelector[0]"] == f"{two}:2:21"
    assert values.origin(("namespaceSelector", 0)) == f"{two}:2:21"


def test_null_takes_a_default_away_and_it_stays_away() -> None:
    values = v.from_mapping({"globalPodSecurityContext": {"runAsUser": None, "capabilities": {"drop": None}}})
    assert "runAsUser" not in values.global_pod_security_context
    assert values.global_pod_security_context["capabilities"] == {}
    assert "null" not in json.dumps(values.tree())


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ({"forwarder": {"replicas": None}}, 1),
        ({"forwarder": None}, 1),
        ({"tolerations": None}, 1),
    ],
)
def test_null_on_settings(setting: dict[str, object], expected: int) -> None:
    values = v.from_mapping(setting)
    assert values.forwarder.replicas == expected
    assert values.tolerations == (() if "tolerations" in setting else v.load().tolerations)


def test_null_empties_maps_and_goes_back_to_the_default_of_scalars(tmp_path: Path) -> None:
    below = tmp_path / "below.yaml"
    below.write_text("clusterName: x\nglobalLabels: {a: b}\nforwarder: {persistence: {size: 9Gi}}\n")
    above = tmp_path / "above.yaml"
    above.write_text("clusterName: ~\nglobalLabels: ~\nforwarder: {persistence: ~}\nglobalSecurityContext: ~\n")
    values = v.load([below, above])
    assert values.cluster_name == "my-cluster"
    assert values.global_labels == {}
    assert values.global_security_context == {}
    assert values.forwarder.persistence.size == "2Gi"


def test_null_removes_an_entry_of_a_lower_file(tmp_path: Path) -> None:
    below = tmp_path / "below.yaml"
    below.write_text(
        "forwarder: {exporters: {a: {otel_endpoint: 'http://a:4318'}, b: {otel_endpoint: 'http://b:4318'}}}\n"
    )
    values = v.load([below], ["forwarder.exporters.a=null"])
    assert list(values.forwarder.exporters) == ["b"]


def test_a_preset_stands_below_files_whoever_names_it(tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    file.write_text("preset: openshift\nglobalPodSecurityContext: {runAsGroup: 7}\n")
    values = v.load([file])
    assert "runAsUser" not in values.global_pod_security_context
    assert values.global_pod_security_context["runAsGroup"] == 7
    values = v.load([file], ["preset=eks-calico"])
    assert values.host_network is True
    assert values.sources["hostNetwork"].startswith("preset eks-calico:")
    assert values.global_pod_security_context["runAsUser"] == 2100
    assert v.load([file], ["preset=null"]).preset == ""


def test_quantities_and_whole_numbers_have_one_form() -> None:
    one = v.from_mapping({"forwarder": {"resources": {"limits": {"cpu": 2, "memory": 1.5e9}}, "replicas": 2.0}})
    two = v.from_mapping({"forwarder": {"resources": {"limits": {"cpu": "2", "memory": "1500000000"}}, "replicas": 2}})
    assert one.tree() == two.tree()
    assert type(one.forwarder.replicas) is int
    assert v.from_mapping({"forwarder": {"exporterMaxLag": 0.5}}).forwarder.exporter_max_lag == "0.5"


def test_values_are_read_only_and_copies_are_not() -> None:
    values = v.load()
    context = values.global_pod_security_context
    with pytest.raises(TypeError, match="read-only"):
        context["runAsUser"] = 1  # type: ignore[index]
    with pytest.raises(TypeError, match="read-only"):
        context.update(a=1)  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        values.namespace = "x"  # type: ignore[misc]
    copied = copy.deepcopy(context)
    copied["capabilities"]["drop"].append("X")  # type: ignore[index]
    assert context["capabilities"]["drop"] == ("ALL",)
    tree = values.tree()
    tree["image"]["tag"] = "x"
    assert values.tree()["image"]["tag"] == v.defaults()["image"]["tag"]
    v.defaults()["image"]["tag"] = "y"
    assert v.defaults()["image"]["tag"] != "y"


def test_the_same_values_are_equal_however_they_were_given(tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    file.write_text("hostNetwork: true\n")
    assert v.load([file]) == v.load(sets=["hostNetwork=true"]) == v.from_mapping({"hostNetwork": True})
    assert v.load([file]) != v.load()
