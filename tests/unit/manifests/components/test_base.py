"""The Namespace and the CustomResourceDefinition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from speedscale_manifests.components import base, crd
from speedscale_schemas import trafficreplay

OPTIONS = "argocd.argoproj.io/sync-options"


def test_a_person_confirms_that_a_namespace_goes(build: Callable[..., Any]) -> None:
    namespace = build(base.COMPONENT, namespace="obs").one("Namespace", "obs")
    assert namespace["metadata"]["annotations"][OPTIONS] == "Delete=confirm,Prune=confirm"
    assert "namespace" not in namespace["metadata"]


def test_somebody_else_may_make_it(build: Callable[..., Any]) -> None:
    assert build(base.COMPONENT, createNamespace=False).all == []


@pytest.mark.parametrize(
    ("tree", "level"),
    [({}, None), ({"ebpf": {"enabled": True}}, "privileged"), ({"hostNetwork": True}, "privileged")],
)
def test_it_says_so_where_something_asks_for_the_node(
    tree: dict[str, Any], level: str | None, build: Callable[..., Any]
) -> None:
    labels = build(base.COMPONENT, **tree).one("Namespace")["metadata"]["labels"]
    assert labels.get("pod-security.kubernetes.io/enforce") == level


def test_the_definition_is_never_pruned(build: Callable[..., Any]) -> None:
    definition = build(crd.COMPONENT).one("CustomResourceDefinition", "trafficreplays.speedscale.com")
    assert definition["metadata"]["annotations"][OPTIONS] == "ServerSideApply=true,Prune=false,Delete=false"


def test_the_definition_is_what_users_know(build: Callable[..., Any]) -> None:
    spec = build(crd.COMPONENT).one("CustomResourceDefinition")["spec"]
    assert spec["group"] == "speedscale.com"
    assert spec["scope"] == "Namespaced"
    assert spec["names"]["kind"] == "TrafficReplay"
    assert spec["names"]["plural"] == "trafficreplays"
    assert spec["names"]["singular"] == "trafficreplay"
    assert spec["names"]["shortNames"] == ["replay"]
    (version,) = spec["versions"]
    assert version["name"] == "v1"
    assert version["served"] is version["storage"] is True
    assert version["subresources"] == {"status": {}}
    columns = [(column["name"], column["jsonPath"]) for column in version["additionalPrinterColumns"]]
    assert columns == [
        ("Active", ".status.active"),
        ("Mode", ".spec.mode"),
        ("Status", ".status.conditions[-1:].message"),
        ("Age", ".metadata.creationTimestamp"),
    ]
    assert version["schema"]["openAPIV3Schema"] == trafficreplay.crd_schema()


def test_kubernetes_takes_them(build: Callable[..., Any], problems: Callable[..., list[str]]) -> None:
    assert problems([*build(base.COMPONENT).all, *build(crd.COMPONENT).all]) == []


def test_other_tools_get_no_annotations(build: Callable[..., Any]) -> None:
    for component in (base.COMPONENT, crd.COMPONENT):
        for manifest in build(component, argocd={"annotations": False}).all:
            assert "annotations" not in manifest["metadata"]
