"""Objects → files: one file an object, kustomizations over them, collisions refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from speedscale_manifests.output import render
from speedscale_schemas.errors import ConfigError


@dataclass(frozen=True)
class _Placed:
    chart: str
    manifest: dict[str, Any]


def _config_map(chart: str, name: str, namespace: str = "speedscale", api: str = "v1") -> _Placed:
    metadata = {"name": name, "namespace": namespace}
    return _Placed(chart, {"apiVersion": api, "kind": "ConfigMap", "metadata": metadata, "data": {"a": "yes"}})


def test_each_object_is_a_file_and_each_folder_a_kustomization() -> None:
    files = render([_config_map("operator", "b"), _config_map("operator", "a"), _config_map("demo", "c")], "speedscale")
    assert list(files) == [
        "demo/configmap-c.yaml",
        "demo/kustomization.yaml",
        "kustomization.yaml",
        "operator/configmap-a.yaml",
        "operator/configmap-b.yaml",
        "operator/kustomization.yaml",
    ]
    assert yaml.safe_load(files["kustomization.yaml"])["resources"] == ["demo", "operator"]
    assert yaml.safe_load(files["operator/kustomization.yaml"])["resources"] == ["configmap-a.yaml", "configmap-b.yaml"]
    assert b'a: "yes"\n' in files["demo/configmap-c.yaml"]


def test_the_order_in_which_objects_come_does_not_show() -> None:
    placed = [_config_map("operator", "b"), _config_map("demo", "c"), _config_map("operator", "a")]
    assert list(render(placed).items()) == list(render(placed[::-1]).items())


def test_the_same_name_in_another_namespace_has_a_folder_of_its_own() -> None:
    files = render([_config_map("c", "a"), _config_map("c", "a", "shop"), _config_map("c", "a", "pay")], "speedscale")
    assert yaml.safe_load(files["c/kustomization.yaml"])["resources"] == [
        "configmap-a.yaml",
        "pay/configmap-a.yaml",
        "shop/configmap-a.yaml",
    ]


def test_objects_that_would_share_a_file_are_refused_and_both_named() -> None:
    twins = [_config_map("c", "a"), _config_map("c", "a", api="example.com/v1"), _config_map("c", "a", "shop")]
    with pytest.raises(ConfigError) as refused:
        render(twins)
    assert [str(problem) for problem in refused.value.problems] == [
        "c/configmap-a.yaml: v1 ConfigMap a in namespace speedscale and "
        "example.com/v1 ConfigMap a in namespace speedscale would both be this file; rename one of them",
        "c/configmap-a.yaml: v1 ConfigMap a in namespace speedscale and v1 ConfigMap a in namespace shop"
        " would both be this file; rename one of them",
    ]


def test_an_object_whose_name_cannot_be_a_file_is_refused() -> None:
    with pytest.raises(ConfigError, match="system:auth"):
        render([_config_map("c", "system:auth")])


def test_nothing_is_no_file_at_all() -> None:
    assert render([]) == {}
