"""The bundle that synthesis writes is read back whole; half of one, or an edited one, is refused with its reasons."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml

from speedscale_controller.bundle import Bundle, BundleError
from speedscale_manifests.bundle import bundle, content_hash
from speedscale_manifests.values import from_mapping

Object = dict[str, Any]


@pytest.fixture
def config_maps() -> list[Object]:
    return copy.deepcopy(bundle(from_mapping({"ebpf": {"enabled": True}})))


def of(config_maps: list[Object], component: str) -> Object:
    return next(c for c in config_maps if c["metadata"]["name"] == f"speedscale-bundle-{component}")


def problems(config_maps: list[Object]) -> str:
    with pytest.raises(BundleError) as caught:
        Bundle.read(config_maps)
    return "\n".join(caught.value.problems)


def test_what_synthesis_wrote_is_read(config_maps: list[Object]) -> None:
    read = Bundle.read(config_maps)
    assert read.version == config_maps[0]["metadata"]["labels"]["app.kubernetes.io/version"]
    assert read.sidecar["kind"] == "PodTemplate"
    assert {"forwarder", "inspector", "nettap"} <= set(read.components)
    assert [m["kind"] for m in read.template("generator")] == ["Job", "NetworkPolicy"]
    assert "DaemonSet" in [m["kind"] for m in read.managed("nettap")]
    for config_map in config_maps:
        assert read.hashes[config_map["metadata"]["name"]] == content_hash(config_map["data"])


def test_what_is_not_deployed_has_no_objects_and_no_templates(config_maps: list[Object]) -> None:
    read = Bundle.read(c for c in config_maps if "nettap" not in c["metadata"]["name"])
    assert read.managed("nettap") == ()
    with pytest.raises(KeyError):
        read.template("nettap")


def test_the_order_does_not_matter_and_others_config_maps_neither(config_maps: list[Object]) -> None:
    others = [{"metadata": {"name": "settings"}}, {"metadata": {"name": "x", "labels": None}, "data": {"a": "b"}}, {}]
    assert Bundle.read([*others, *reversed(config_maps)]) == Bundle.read(config_maps)


def test_an_edited_text_is_refused(config_maps: list[Object]) -> None:
    data = of(config_maps, "sidecar")["data"]
    (key,) = data
    data[key] += " "
    told = problems(config_maps)
    assert "ConfigMap speedscale-bundle-sidecar" in told
    assert "edited by hand" in told


@pytest.mark.parametrize("missing", ["controlplane.speedscale.com/content-hash", "controlplane.speedscale.com/content"])
def test_a_missing_annotation_is_told(config_maps: list[Object], missing: str) -> None:
    del of(config_maps, "redis")["metadata"]["annotations"][missing]
    assert missing in problems(config_maps)


def test_two_versions_are_half_a_bundle_and_the_odd_ones_are_named(config_maps: list[Object]) -> None:
    of(config_maps, "nettap")["metadata"]["labels"]["app.kubernetes.io/version"] = "0.1.0"
    assert "0.1.0: speedscale-bundle-nettap" in problems(config_maps)


def test_without_the_sidecar_it_is_no_bundle(config_maps: list[Object]) -> None:
    config_maps.remove(of(config_maps, "sidecar"))
    assert "sidecar's PodTemplate" in problems(config_maps)
    assert "sidecar's PodTemplate" in problems([])


def test_two_config_maps_of_one_component_are_refused(config_maps: list[Object]) -> None:
    twin = copy.deepcopy(of(config_maps, "redis"))
    twin["metadata"]["name"] = "speedscale-bundle-redis-copy"
    assert "both hold templates of redis" in problems([*config_maps, twin])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: [", "is no YAML"),
        ("[]", "apiVersion, kind, metadata.name missing"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {}\n", "metadata.name missing"),
        ("- " * 3000 + "a", "key bad.yaml"),
        ("\x00", "is no YAML"),
    ],
)
def test_what_is_no_object_is_refused_though_its_hash_fits(config_maps: list[Object], text: str, told: str) -> None:
    config_map = of(config_maps, "redis")
    config_map["data"]["bad.yaml"] = text
    config_map["metadata"]["annotations"]["controlplane.speedscale.com/content-hash"] = content_hash(config_map["data"])
    assert told in problems(config_maps)


def test_what_yaml_would_read_as_something_else_is_read_as_written(config_maps: list[Object]) -> None:
    for config_map in config_maps:
        assert all(yaml.safe_load(text) for text in config_map["data"].values())
    pod = Bundle.read(config_maps).sidecar["template"]["spec"]
    assert all(isinstance(e.get("value", ""), str) for c in pod["containers"] for e in c["env"])


def test_more_parts_than_any_bundle_has_are_refused(config_maps: list[Object]) -> None:
    many = []
    for number in range(65):
        one = copy.deepcopy(of(config_maps, "redis"))
        one["metadata"]["name"] += str(number)
        one["metadata"]["labels"]["controlplane.speedscale.com/bundle"] = f"redis{number}"
        many.append(one)
    assert "at most 64" in problems([*config_maps, *many])
