"""The Helm form: the same objects, what Helm would misread escaped, values refused, versions that Helm takes."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from speedscale_manifests.components.component import Placed
from speedscale_manifests.output import Writer
from speedscale_manifests.output.helm import chart, chart_version, escaped
from speedscale_manifests.output.paths import unsafe
from speedscale_manifests.synth import placed
from speedscale_manifests.values import from_mapping
from speedscale_schemas.errors import ConfigError

VALUES = from_mapping({})


def parsed(files: dict[str, bytes]) -> list[dict[str, Any]]:
    """Return the objects of a chart whose templates hold no actions but escaped braces."""
    texts = (text.decode() for path, text in files.items() if path.startswith("templates/") and "/" in path[10:])
    return [yaml.safe_load(text.replace('{{ "{{" }}', "{{")) for text in texts]


def names(manifests: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(manifest["kind"], manifest["metadata"]["name"]) for manifest in manifests}


def test_the_objects_are_those_of_the_output_without_the_namespace() -> None:
    whole = [dict(item.manifest) for item in placed(VALUES)]
    assert names(parsed(chart(VALUES, placed(VALUES)))) == names(whole) - {("Namespace", "speedscale")}


def test_nothing_differs_but_that_the_definition_is_kept() -> None:
    ours = {(m["kind"], m["metadata"]["name"]): m for m in parsed(chart(VALUES, placed(VALUES)))}
    for item in placed(VALUES):
        made = ours.get((item.manifest["kind"], item.manifest["metadata"]["name"]), item.manifest)
        if made["kind"] == "CustomResourceDefinition":
            assert made["metadata"]["annotations"].pop("helm.sh/resource-policy") == "keep"
        assert made == item.manifest


def test_the_objects_that_were_given_stay_as_they_were() -> None:
    given_objects = placed(VALUES)
    chart(VALUES, given_objects)
    assert given_objects == placed(VALUES)


def test_equal_values_give_equal_bytes() -> None:
    assert chart(VALUES, placed(VALUES)) == chart(VALUES, reversed(placed(VALUES)))


def test_our_writer_can_write_every_file(tmp_path: Any) -> None:
    files = chart(VALUES, placed(VALUES))
    assert [path for path in files if unsafe(path)] == []
    assert len(Writer(tmp_path / "chart").write(files).written) == len(files)


def test_chart_yaml_says_what_it_is() -> None:
    about = yaml.safe_load(chart(VALUES, placed(VALUES))["Chart.yaml"])
    assert about["apiVersion"] == "v2"
    assert about["version"] == VALUES.image.tag.removeprefix("v")
    assert about["appVersion"] == VALUES.image.tag
    assert about["kubeVersion"] == ">=1.25.0-0"


@pytest.mark.parametrize(
    ("tag", "version"),
    [
        ("v0.2.0", "0.2.0"),
        ("1.2.3-rc.1", "1.2.3-rc.1"),
        ("1.2.3+build.5", "1.2.3+build.5"),
        ("latest", "0.0.0-latest"),
        ("v1.2", "0.0.0-1-2"),
        ("2024_01.main", "0.0.0-2024-01-main"),
        ("01.2.3", "0.0.0-01-2-3"),
        ("___", "0.0.0-untagged"),
    ],
)
def test_a_tag_becomes_a_version_that_helm_takes(tag: str, version: str) -> None:
    assert chart_version(tag) == version


def test_another_version_may_be_given_and_has_to_be_one() -> None:
    assert yaml.safe_load(chart(VALUES, [], version="9.9.9")["Chart.yaml"])["version"] == "9.9.9"
    with pytest.raises(ValueError, match=r"'v9' is no chart version; expected SemVer 2"):
        chart(VALUES, [], version="v9")


def test_values_are_refused_by_a_schema_and_none_are_offered() -> None:
    files = chart(VALUES, placed(VALUES))
    assert yaml.safe_load(files["values.yaml"]) == {}
    schema = json.loads(files["values.schema.json"])
    assert schema["additionalProperties"] is False
    assert list(schema["properties"]) == ["global"]


def test_another_namespace_is_refused_by_name() -> None:
    values = from_mapping({"namespace": "observability"})
    guard = chart(values, placed(values))["templates/guard.yaml"].decode()
    assert guard.startswith('{{- if ne .Release.Namespace "observability" }}')
    assert "@" not in guard


def test_two_objects_that_would_share_a_file_are_refused() -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "speedscale"}}
    assert len(chart(VALUES, [Placed("operator", "x", config, managed=False)])) == 7
    with pytest.raises(ConfigError, match="would both be this file"):
        chart(VALUES, [Placed("operator", "x", config, managed=False)] * 2)


@given(st.text(alphabet='{}"- ab\n%`', max_size=30))
def test_only_what_opens_an_action_is_escaped(text: str) -> None:
    made = escaped(text)
    assert made.replace('{{ "{{" }}', "{{") == text
    assert ("{{" in text) or made == text
