"""Refusals: every problem at once, in order, each with place, path, reason, nearest name and remedy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from speedscale_manifests import values as v
from speedscale_manifests.values import loading
from speedscale_schemas.errors import ConfigError


def problems(text: str, tmp_path: Path, *sets: str) -> list[str]:
    file = tmp_path / "values.yaml"
    file.write_text(text)
    with pytest.raises(v.ValuesError) as caught:
        v.load([file], sets)
    return [problem.replace(f"{tmp_path}/", "") for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("forwader: {}", "values.yaml:1:1: forwader: unknown key 'forwader'; did you mean 'forwarder'?"),
        ("registry: x", "values.yaml:1:1: registry: unknown key 'registry'; did you mean 'image.registry'?"),
        ("image:\n  tag: 1.20", 'values.yaml:2:3: image.tag: 1.20: expected text, found a number; quote it: "1.20"'),
        ("image: {tag: true}", 'image.tag: true: expected text, found a boolean; quote it: "true"'),
        ("hostNetwork: 'true'", 'hostNetwork: "true": expected true or false, found text; without quotes: true'),
        ("operator: {replicas: '2'}", 'operator.replicas: "2": expected a whole number, found text; without quotes: 2'),
        ("operator: {replicas: 2.5}", "operator.replicas: 2.5: expected a whole number, found a number"),
        ("operator: {replicas: 9}", "operator.replicas: 9: expected 5 or less"),
        (
            "namespaceSelector: shop",
            'namespaceSelector: "shop": expected a list, found text; a list, even of one: [shop]',
        ),
        ("namespaceSelector: [a, a]", "namespaceSelector: a list: expected each item once"),
        ("image: {pullPolicy: always}", "expected one of Always, IfNotPresent, Never; did you mean 'Always'?"),
        ("operator: {drift: reprot}", "expected one of nothing, enforce, report, off; did you mean 'report'?"),
        ("clusterName: -x", 'clusterName: "-x": expected at most 63 letters, digits'),
        ("namespace: 'a\n\n'", 'namespace: "a\\n": expected a name of at most 63'),
        ("globalLabels: {'a b': c}", "globalLabels.a b: 'a b' is no valid key"),
        ("imageTags: {gopoxy: v1}", "imageTags.gopoxy: unknown key 'gopoxy'; did you mean 'goproxy'?"),
        ("globalPodSecurityContext: {runAsUSer: 1}", "unknown key 'runAsUSer'; did you mean 'runAsUser'?"),
        ("forwarder: {persistence: {size: 5 GB}}", 'forwarder.persistence.size: "5 GB": expected a quantity'),
        (
            "forwarder: {exporters: {x: {filter_rule: standard}}}",
            "the key 'otel_endpoint' is missing",
        ),
        ("forwarder: {exporters: {x: {otel_endpoint: 'otelcol:4318'}}}", "expected an address with its scheme"),
        ("forwarder: 5", "forwarder: 5: expected a map, found a number"),
        ("forwarder: [a]", "forwarder: a list: expected a map"),
        ("networkPolicies: {apiServerPorts: ~}", "networkPolicies.apiServerPorts: []: expected at least 1 items"),
        ("tolerations: [~]", "tolerations[0]: "),
        ("affinity: {nodeAffinity: {a: [~]}}", "affinity.nodeAffinity.a[0]: an item is nothing"),
        ("preset: esk", 'preset: "esk": expected one of nothing, gke-autopilot'),
    ],
)
def test_what_is_wrong_is_told(text: str, told: str, tmp_path: Path) -> None:
    found = problems(text, tmp_path)
    assert len(found) == 1, found
    assert told in found[0]


def test_everything_at_once_in_order(tmp_path: Path) -> None:
    text = "zzz: 1\noperator:\n  replicas: x\nimage: {tag: 1.2}\nhostNetwork: yes\n"
    found = problems(text, tmp_path, "forwarder.replica=2", "operator.drift=no")
    assert [problem.split(": ")[0] for problem in found] == [
        "values.yaml:1:1",
        "values.yaml:3:3",
        "values.yaml:4:9",
        "values.yaml:5:14",
        "--set forwarder.replica=2",
        "--set operator.drift=no",
    ]


def test_a_wrong_lower_layer_is_refused_although_a_later_one_overrides_it(tmp_path: Path) -> None:
    assert "operator.replicas" in problems("operator: {replicas: x}", tmp_path, "operator.replicas=2")[0]


def test_an_overlay_may_name_one_key_of_an_entry(tmp_path: Path) -> None:
    below, above = tmp_path / "a.yaml", tmp_path / "b.yaml"
    below.write_text("forwarder: {exporters: {x: {otel_endpoint: 'http://a:4318'}}}")
    above.write_text("forwarder: {exporters: {x: {filter_rule: standard}}}")
    assert v.load([below, above]).forwarder.exporters["x"]["filter_rule"] == "standard"


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        v.load([tmp_path / "none.yaml", tmp_path])
    assert "there is no such file" in caught.value.problems[0]
    assert "this is a folder" in caught.value.problems[1]


def test_mappings_of_a_program() -> None:
    given: Mapping[str, Any] = MappingProxyType({"namespaceSelector": ("a",), "forwarder": MappingProxyType({})})
    assert v.from_mapping(given).namespace_selector == ("a",)
    with pytest.raises(v.ValuesError) as caught:
        v.from_mapping({"clusterName": Path("x"), 5: 1, "forwarder": {"replicas": float("nan")}}, "my app")  # type: ignore[dict-item]
    assert [str(refusal.place) for refusal in caught.value.refusals] == ["my app"] * 3
    assert "a PosixPath is no value" in str(caught.value)
    assert "the key 5 is no text" in str(caught.value)


def test_a_preset_is_among_the_choices_and_loads() -> None:
    from speedscale_manifests.values import tree

    choices = (tree.at(("preset",)) or {})["enum"]
    assert {"", *loading.presets()} == set(choices)
    for name in loading.presets():
        values = v.load(sets=[f"preset={name}"])
        assert values.preset == name
        assert any(source.startswith(f"preset {name}") for source in values.sources.values()) or name == "openshift"
        assert "preset" not in loading.preset(name).tree
    with pytest.raises(KeyError):
        loading.preset("none")
