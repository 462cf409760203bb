"""Names of files: where an object lies, and which paths are refused."""

from __future__ import annotations

import pytest

from speedscale_manifests.output.paths import INDEX, check, kustomization, path_of, unsafe
from speedscale_schemas.errors import ConfigError


def _object(kind: str, name: str, namespace: str = "") -> dict[str, object]:
    metadata = {"name": name, "namespace": namespace} if namespace else {"name": name}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata}


@pytest.mark.parametrize(
    ("kind", "name", "namespace", "path"),
    [
        ("ConfigMap", "speedscale-forwarder", "speedscale", "operator/configmap-speedscale-forwarder.yaml"),
        ("CustomResourceDefinition", "x.example.com", "", "operator/customresourcedefinition-x.example.com.yaml"),
        ("Role", "speedscale-operator", "shop", "operator/shop/role-speedscale-operator.yaml"),
        ("Namespace", "shop", "", "operator/namespace-shop.yaml"),
    ],
)
def test_an_object_lies_in_its_chart_and_those_of_other_namespaces_below(
    kind: str, name: str, namespace: str, path: str
) -> None:
    assert path_of("operator", _object(kind, name, namespace), "speedscale") == path


def test_without_a_home_all_objects_lie_in_the_chart() -> None:
    assert path_of("c", _object("Role", "r", "shop")) == "c/role-r.yaml"


def test_a_kustomization_lists_and_changes_nothing() -> None:
    assert kustomization(["b.yaml", "a.yaml"]) == {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": ["a.yaml", "b.yaml"],
    }


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/etc/passwd",
        "a//b",
        "a/",
        "./a",
        "a/../b",
        "..",
        "a\\b",
        "a:b.yaml",
        "clusterrole-system:auth.yaml",
        "a b.yaml",
        "con.yaml",
        "x/LPT1",
        "a./b",
        "é.yaml",
        ".hidden",
        "-rf",
        "a\nb",
        "a\0b",
        "a" * 256,
        INDEX,
    ],
)
def test_a_path_that_some_file_system_cannot_hold_is_refused(path: str) -> None:
    assert unsafe(path)
    with pytest.raises(ConfigError):
        check([path])


def test_paths_that_fall_together_where_case_is_folded_are_refused_all_at_once() -> None:
    with pytest.raises(ConfigError) as refused:
        check(["c/role-a.yaml", "c/role-A.yaml", "d", "d/e", "ok/f.yaml", "x:y"])
    assert len(refused.value.problems) == 3
    assert "is the same file as" in str(refused.value)
    assert "d: is a file and the folder of d/e" in refused.value.problems
