"""The installation as constructs: object for object what the components say, in charts with plain names."""

from __future__ import annotations

from typing import Any

import pytest
from cdk8s import App, Chart

from speedscale_manifests import synth
from speedscale_manifests.components.inventory import COMPONENTS
from speedscale_manifests.constructs import Forwarder, Nettap, Operator, Speedscale, standalone
from speedscale_manifests.constructs.parts import BY_NAME
from speedscale_manifests.objects import Manifest
from speedscale_manifests.values import ValuesError, from_mapping

EVERYTHING = {"ebpf": {"enabled": True}, "backend": {"enabled": True}, "preInstall": {"enabled": True}}


def _by_chart(values: Any) -> dict[str, list[Manifest]]:
    charts: dict[str, list[Manifest]] = {}
    for item in synth.placed(values):
        charts.setdefault(item.chart, []).append(item.manifest)
    return charts


@pytest.mark.parametrize("profile", ["gitops", "operator"])
@pytest.mark.parametrize(
    "settings", [{}, EVERYTHING, {"preset": "openshift"}], ids=["defaults", "everything", "openshift"]
)
def test_objects_arrive_as_the_components_made_them(profile: str, settings: dict[str, Any]) -> None:
    values = from_mapping({"profile": profile, **settings})
    installation = standalone(values)
    assert {name: chart.to_json() for name, chart in installation.charts.items()} == _by_chart(values)


def test_each_component_has_a_class() -> None:
    assert list(BY_NAME) == [known.name for known in COMPONENTS]


def test_charts_have_names_without_hashes() -> None:
    app = App()
    installation = Speedscale(app, "capture", {"deployDemo": ""})
    assert [chart.node.id for chart in app.charts] == [f"capture-{name}" for name in installation.charts]
    assert "demo" not in installation.charts


def test_values_that_are_wrong_name_the_construct() -> None:
    with pytest.raises(ValuesError) as refused:
        Speedscale(App(), "capture", {"namspace": "x"})
    assert "capture" in str(refused.value)
    assert "namespace" in str(refused.value)


def test_one_component_in_a_chart_of_the_users() -> None:
    chart = Chart(App(), "mine", namespace="elsewhere", labels={"team": "shop"})
    forwarder = Forwarder(chart, "forwarder", {"namespace": "capture"})
    kinds = {o.kind for o in forwarder.objects}
    assert {"Deployment", "Service", "ServiceAccount"} <= kinds
    for manifest in chart.to_json():
        assert manifest["metadata"]["namespace"] == "capture"
        assert manifest["metadata"]["labels"]["team"] == "shop"


def test_cluster_scoped_objects_get_no_namespace_of_a_chart() -> None:
    chart = Chart(App(), "mine", namespace="elsewhere")
    Nettap(chart, "nettap", {"ebpf": {"enabled": True}})
    roles = [m for m in chart.to_json() if m["kind"] in ("ClusterRole", "ClusterRoleBinding")]
    assert roles
    assert all("namespace" not in m["metadata"] for m in roles)


def test_what_profile_operator_leaves_to_the_controller_is_not_put_out() -> None:
    chart = Chart(App(), "mine")
    assert {o.kind for o in Forwarder(chart, "f", {"profile": "operator"}).objects} == {"ServiceAccount"}


def test_an_object_can_be_found_and_changed() -> None:
    chart = Chart(App(), "mine")
    operator = Operator(chart, "operator")
    operator.find("Deployment").metadata.add_annotation("example.com/a", "b")
    (deployment,) = [m for m in chart.to_json() if m["kind"] == "Deployment"]
    assert deployment["metadata"]["annotations"]["example.com/a"] == "b"
    with pytest.raises(LookupError, match="Deployment speedscale-operator"):
        operator.find("StatefulSet")
