"""An object goes through cdk8s and comes out as it went in; what JavaScript would change is refused."""

from __future__ import annotations

from typing import Any

import pytest
from cdk8s import App, Chart
from hypothesis import given, settings
from hypothesis import strategies as st

from speedscale_manifests.constructs import RawObject
from speedscale_manifests.constructs.plain import plain
from speedscale_manifests.constructs.scopes import is_cluster_scoped

_KEYS = st.text(st.characters(exclude_categories=("Cs",)), max_size=8).filter(lambda key: not key.startswith("$jsii."))
_LEAVES = (
    st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(-(2.0**53), 2.0**53)
    | st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
    | st.sampled_from(["${Token[1]}", "0o17", "yes", "", "__proto__", "constructor"])
)
_NODES = st.recursive(
    _LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3), max_leaves=12
)
_BODIES = st.dictionaries(st.sampled_from(["spec", "data", "rules", "a/b", "c~d", "webhooks"]), _NODES, max_size=4)
_METADATA = st.fixed_dictionaries(
    {"name": st.just("x")},
    optional={
        "namespace": st.sampled_from(["shop", "pay"]),
        "labels": st.dictionaries(st.sampled_from(["a", "1", "10", "b.c/d"]), st.text("ab", max_size=3), max_size=3),
        "annotations": st.dictionaries(
            _KEYS, st.text(st.characters(exclude_categories=("Cs",)), max_size=5), max_size=3
        ),
        "finalizers": st.lists(st.sampled_from(["a/b", "c/d"]), max_size=2, unique=True),
        "generateName": st.just("x-"),
    },
)


def _chart(namespace: str | None = None, labels: dict[str, str] | None = None) -> Chart:
    return Chart(App(), "c", namespace=namespace, labels=labels, disable_resource_name_hashes=True)


@settings(max_examples=25)  # each is a round through Node
@given(st.lists(st.tuples(_METADATA, _BODIES), min_size=1, max_size=6))
def test_what_goes_in_comes_out(parts: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
    chart = _chart()
    manifests = [{"apiVersion": "v1", "kind": "Anything", "metadata": metadata, **body} for metadata, body in parts]
    for number, manifest in enumerate(manifests):
        RawObject(chart, str(number), manifest)
    assert chart.to_json() == manifests


def test_labels_can_be_added_afterwards_and_the_chart_adds_its_own() -> None:
    chart = _chart(labels={"team": "platform"})
    made = RawObject(
        chart, "o", {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x", "labels": {"a": "b"}}}
    )
    made.metadata.add_label("c", "d")
    assert made.to_json()["metadata"]["labels"] == {"a": "b", "c": "d", "team": "platform"}


@pytest.mark.parametrize(
    ("api_version", "kind", "known", "namespace"),
    [
        ("v1", "ConfigMap", None, "shop"),
        ("v1", "Namespace", None, None),
        ("rbac.authorization.k8s.io/v1", "ClusterRole", None, None),
        ("example.com/v1", "Thing", None, "shop"),
        ("example.com/v1", "Thing", True, None),
        ("v1", "Namespace", False, "shop"),
    ],
)
def test_a_chart_stamps_its_namespace_on_namespaced_objects_only(
    api_version: str, kind: str, known: bool | None, namespace: str | None
) -> None:
    manifest = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}}
    made = RawObject(_chart("shop"), "o", manifest, cluster_scoped=known)
    assert made.to_json()["metadata"].get("namespace") == namespace


def test_a_namespace_of_its_own_stays() -> None:
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": "own"}}
    assert RawObject(_chart("shop"), "o", manifest).to_json() == manifest


@pytest.mark.parametrize(
    ("manifest", "missing"),
    [
        ({"kind": "A", "metadata": {"name": "x"}}, "apiVersion is missing"),
        ({"apiVersion": "v1", "metadata": {}}, "kind, metadata.name is missing"),
        ({}, "apiVersion, kind, metadata.name is missing"),
    ],
)
def test_names_are_explicit(manifest: dict[str, Any], missing: str) -> None:
    with pytest.raises(ValueError, match=f"c/o: {missing}"):
        RawObject(_chart(), "o", manifest)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, "null would vanish"),
        (2**53 + 1, "loses digits"),
        (1e300, "loses digits"),
        (float("nan"), "is no JSON number"),
        (b"x", "bytes is no JSON type"),
        ({1: 2}, "key 1 is int"),
        ({"$jsii.byref": "x"}, "belongs to jsii"),
    ],
)
def test_what_would_not_arrive_is_refused_with_its_path(value: Any, told: str) -> None:
    with pytest.raises(ValueError, match=r"^spec\.a\[1\]: .*" + told):
        plain({"spec": {"a": [0, value]}})


def test_the_table_of_scopes_goes_by_group_and_kind() -> None:
    assert is_cluster_scoped({"apiVersion": "storage.k8s.io/v1beta1", "kind": "StorageClass"})
    assert not is_cluster_scoped({"apiVersion": "example.com/v1", "kind": "StorageClass"})
