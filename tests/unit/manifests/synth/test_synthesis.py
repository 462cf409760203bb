"""Values → files: through cdk8s and without it the same bytes; other people's apps by the same writer."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from cdk8s import App, Chart

from speedscale_manifests import synth
from speedscale_manifests.constructs import RawObject, Speedscale
from speedscale_manifests.output import render
from speedscale_manifests.values import from_mapping
from speedscale_schemas.errors import ConfigError


@pytest.mark.parametrize(
    "settings", [{}, {"profile": "operator", "namespace": "capture", "namespaceSelector": ["shop", "pay"]}]
)
def test_the_way_through_cdk8s_changes_no_byte(settings: dict[str, Any]) -> None:
    values = from_mapping(settings)
    assert synth.synthesise(values) == render(synth.placed(values), values.namespace)


def test_files_hold_the_objects_one_each() -> None:
    values = from_mapping({})
    files = synth.synthesise(values)
    manifests = [yaml.safe_load(text) for path, text in files.items() if not path.endswith("kustomization.yaml")]
    key = str
    assert sorted(manifests, key=key) == sorted(synth.objects(values), key=key)


def test_nothing_of_the_machine_is_in_the_output(tmp_path: object) -> None:
    text = b"".join(synth.synthesise(from_mapping({})).values()).decode()
    assert "/work" not in text
    assert str(tmp_path) not in text


def test_an_app_of_the_users_is_written_by_our_yaml() -> None:
    app = App()
    chart = Chart(app, "shop", namespace="shop")
    data = {"yes": "0o17", "on": "12:30:45"}
    RawObject(chart, "c", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": data})
    Speedscale(app, "speedscale", {"deployDemo": ""})
    files = synth.files_of(app, "speedscale")
    assert yaml.safe_load(files["shop/shop/configmap-c.yaml"])["data"] == data
    assert "speedscale-operator/deployment-speedscale-operator.yaml" in files
    assert "shop" in yaml.safe_load(files["kustomization.yaml"])["resources"]


def test_twins_in_an_app_are_refused() -> None:
    app = App()
    chart = Chart(app, "shop")
    for number in range(2):
        RawObject(chart, str(number), {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}})
    with pytest.raises(ConfigError, match=r"shop/configmap-c.yaml"):
        synth.files_of(app)
