"""The bundle: what the controller gets is what was synthesised, whole, and small enough to be applied."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from speedscale_manifests.bundle import (
    BUNDLE_LABEL,
    CONTENT,
    CONTENT_HASH,
    MAX_BYTES,
    bundle,
    config_maps,
    content_hash,
)
from speedscale_manifests.components.component import Component
from speedscale_manifests.components.inventory import enabled, inventory
from speedscale_manifests.objects import Manifest, config_map
from speedscale_manifests.objects.emit import emit
from speedscale_manifests.values import Values, from_mapping
from speedscale_schemas.errors import ConfigError
from speedscale_schemas.templates import gaps

DATA = st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=3)
EVERYTHING: Mapping[str, Any] = {"ebpf": {"enabled": True}, "backend": {"enabled": True}}


def by_component(values: Values) -> dict[str, Manifest]:
    return {m["metadata"]["labels"][BUNDLE_LABEL]: m for m in bundle(values)}


def test_a_config_map_for_each_component_with_something_inside() -> None:
    values = from_mapping(EVERYTHING)
    wanted = {c.name for c in enabled(values) if c.managed(values) or c.templates(values)}
    found = by_component(values)
    assert set(found) == wanted
    assert {"sidecar", "collector", "generator", "responder", "redis", "forwarder", "inspector", "nettap"} <= wanted
    for name, manifest in found.items():
        assert manifest["metadata"]["name"] == f"speedscale-bundle-{name}"
        assert manifest["metadata"]["namespace"] == "speedscale"


def told(manifest: Manifest, variable: str) -> tuple[str, list[Manifest]]:
    """Return a variable's value in a component's Deployment, and the component's objects without it."""
    kept = [yaml.safe_load(text) for text in manifest["data"].values()]
    (pod,) = (item["spec"]["template"] for item in kept if item["kind"] == "Deployment")
    (container,) = pod["spec"]["containers"]
    (value,) = (entry["value"] for entry in container["env"] if entry["name"] == variable)
    container["env"] = [entry for entry in container["env"] if entry["name"] != variable]
    return value, kept


def test_what_is_off_is_not_in_it() -> None:
    found = by_component(from_mapping({"dashboardAccess": False, "deployDemo": ""}))
    assert not {"inspector", "demo", "nettap", "cloud"} & set(found)


def test_it_is_the_same_in_both_profiles_but_for_the_operator_s_own() -> None:
    gitops, operator = (from_mapping({**EVERYTHING, "profile": p}) for p in ("gitops", "operator"))
    ours, theirs = by_component(gitops), by_component(operator)
    assert {name for name in ours if ours[name] != theirs[name]} == {"inspector"}  # it says who will undo a change
    assert told(theirs.pop("inspector"), "PROFILE") == ("operator", told(ours.pop("inspector"), "PROFILE")[1])
    assert ours == theirs
    assert [p for p in inventory(gitops) if p.managed]
    assert not [p for p in inventory(operator) if p.managed]


def test_managed_objects_are_those_of_the_output() -> None:
    values = from_mapping(EVERYTHING)
    placed = [p.manifest for p in inventory(values) if p.managed]
    kept = [
        yaml.safe_load(text)
        for m in bundle(values)
        if m["metadata"]["annotations"][CONTENT] == "managed"
        for text in m["data"].values()
    ]

    def key(m: Manifest) -> str:
        return json.dumps(m, sort_keys=True)

    assert sorted(map(key, kept)) == sorted(map(key, placed))


def test_templates_have_gaps_and_managed_objects_none() -> None:
    for manifest in bundle(from_mapping(EVERYTHING)):
        documents = [yaml.safe_load(text) for text in manifest["data"].values()]
        if manifest["metadata"]["annotations"][CONTENT] == "templates":
            assert all(gaps(d) for d in documents)
        else:
            assert not any(gaps(d) for d in documents)


def test_a_key_an_object_named_by_kind_and_name() -> None:
    found = by_component(from_mapping({}))
    assert list(found["responder"]["data"]) == [
        "deployment-speedscale-responder.yaml",
        "networkpolicy-speedscale-responder.yaml",
        "service-responder-http.yaml",
        "service-responder-https.yaml",
    ]
    assert "deployment-speedscale-forwarder.yaml" in found["forwarder"]["data"]
    for manifest in found.values():
        for key, text in manifest["data"].items():
            assert key.startswith(yaml.safe_load(text)["kind"].lower() + "-")


def test_the_hash_is_of_the_content_and_of_nothing_else() -> None:
    one, other = by_component(from_mapping({})), by_component(from_mapping({"logLevel": "debug"}))
    again = by_component(from_mapping({"argocd": {"annotations": True}}))
    for name in one:
        digest = one[name]["metadata"]["annotations"][CONTENT_HASH]
        assert digest == content_hash(one[name]["data"]) == again[name]["metadata"]["annotations"][CONTENT_HASH]
    changed = {n for n in one if one[n]["metadata"]["annotations"] != other[n]["metadata"]["annotations"]}
    assert "forwarder" in changed
    assert "demo" not in changed


def test_the_hash_as_documented() -> None:
    def part(text: str) -> bytes:
        return len(text.encode()).to_bytes(8, "big") + text.encode()

    wanted = hashlib.sha256(part("a") + part("ü") + part("b") + part("")).hexdigest()
    assert content_hash({"b": "", "a": "ü"}) == wanted


@given(
    st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=3),
    st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=3),
)
def test_different_content_has_a_different_hash(one: dict[str, str], other: dict[str, str]) -> None:
    assert (content_hash(one) == content_hash(other)) is (one == other)


def test_each_fits_into_a_config_map_with_room() -> None:
    for manifest in bundle(from_mapping(EVERYTHING)):
        assert sum(map(len, manifest["data"].values())) < MAX_BYTES // 4
        # what client-side apply writes into its annotation
        assert len(json.dumps(manifest)) < 262_144


def fake(size: int, count: int = 1, name: str = "x") -> Component:
    def managed(values: Values) -> list[Manifest]:
        return [config_map(values, "big", {"key": "x" * size}, name=f"{name}-{i}") for i in range(count)]

    return Component(name="big", chart="forwarder", managed=managed)


def test_too_large_is_refused_with_the_largest_object(monkeypatch: pytest.MonkeyPatch) -> None:
    values = from_mapping({})
    monkeypatch.setattr(config_maps, "enabled", lambda _: (fake(MAX_BYTES - 10_000),))
    assert len(json.dumps(bundle(values)[0])) < 262_144
    monkeypatch.setattr(config_maps, "enabled", lambda _: (fake(MAX_BYTES),))
    with pytest.raises(
        ConfigError, match=r"bundle of big: 205,\d+ bytes, more than the 204,800 .* configmap-x-0\.yaml"
    ):
        bundle(values)
    monkeypatch.setattr(config_maps, "enabled", lambda _: (fake(40_000, count=6),))
    with pytest.raises(ConfigError, match="bundle of big: 24"):
        bundle(values)


def test_two_objects_of_one_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    twin = fake(1)
    both = Component(name="big", chart="forwarder", managed=lambda v: [*twin.managed(v), *twin.managed(v)])
    monkeypatch.setattr(config_maps, "enabled", lambda _: (both,))
    with pytest.raises(ConfigError, match=r"two objects would have the key configmap-x-0\.yaml"):
        bundle(from_mapping({}))


def test_a_component_with_both_has_two_config_maps(monkeypatch: pytest.MonkeyPatch) -> None:
    managed = fake(1)
    both = Component(name="big", chart="forwarder", managed=managed.managed, templates=managed.managed)
    monkeypatch.setattr(config_maps, "enabled", lambda _: (both,))
    names = [(m["metadata"]["name"], m["metadata"]["annotations"][CONTENT]) for m in bundle(from_mapping({}))]
    assert names == [("speedscale-bundle-big", "managed"), ("speedscale-bundle-big-templates", "templates")]


@settings(max_examples=10)
@given(st.booleans(), st.integers(1, 3), st.sampled_from(["info", "debug"]))
def test_the_same_values_give_the_same_text(enabled: bool, replicas: int, level: str) -> None:
    tree = {"ebpf": {"enabled": enabled}, "forwarder": {"replicas": replicas}, "logLevel": level}
    backwards = dict(reversed(tree.items()))
    one, two = ([emit(m) for m in bundle(from_mapping(t))] for t in (tree, backwards))
    assert one == two
