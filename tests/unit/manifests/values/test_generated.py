"""What is made of the schema: fresh, complete, and in agreement with the loader."""

from __future__ import annotations

import dataclasses
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from ruamel.yaml import YAML

from speedscale_manifests import values as v
from speedscale_manifests.values import combinations, loading, reading, tree
from speedscale_manifests.values.layers import Layer
from speedscale_schemas import validation

ROOT = Path(__file__).resolve().parents[4]
VALUES = ROOT / "cdk8s" / "values.yaml"


@pytest.fixture(scope="module")
def gen_values() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gen_values", ROOT / "scripts" / "gen_values.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_values_file_gives_exactly_the_defaults() -> None:
    layer = reading.read(VALUES.read_bytes(), "values.yaml")
    assert layer.tree == v.defaults()
    assert v.load([VALUES]).tree() == v.defaults()


def test_every_reader_of_yaml_reads_the_values_file_alike() -> None:
    text = VALUES.read_text()
    assert yaml.safe_load(text) == v.defaults()
    assert YAML(typ="safe", pure=True).load(text) == v.defaults()


def test_every_setting_of_the_values_file_has_a_comment() -> None:
    lines = VALUES.read_text().splitlines()
    keys = {path[-1] for path, _ in tree.settings()}
    assert lines[0].startswith("# yaml-language-server: $schema=")
    schema = (VALUES.parent / lines[0].partition("=")[2]).resolve()
    assert schema == ROOT / "schemas/src/speedscale_schemas/documents/values.schema.json"
    for number, line in enumerate(lines):
        found = re.match(r"( *)([A-Za-z_0-9]+):", line)
        if found and found[2] in keys and "SecurityContext" not in line:
            above = [earlier for earlier in lines[:number] if earlier.strip()][-1]
            inside = (
                above.strip().startswith("#") or not line.startswith("  ") or above.strip() in ("limits:", "requests:")
            )
            assert inside or len(found[1]) > 4, line


def test_model_and_values_file_are_fresh(gen_values: ModuleType) -> None:
    schema = validation.schema("values")
    model = ROOT / "cdk8s/src/speedscale_manifests/values/model.py"
    assert model.read_text("utf-8") == gen_values.model(schema), "run `make gen`"
    assert VALUES.read_text("utf-8") == gen_values.commented(schema), "run `make gen`"


def test_every_setting_has_its_attribute(gen_values: ModuleType) -> None:
    values = v.load()
    assert gen_values.snake("createTLSCerts") == "create_tls_certs"
    assert gen_values.snake("disableSidecarSmartReverseDNS") == "disable_sidecar_smart_reverse_dns"
    for path, attribute in gen_values.attributes(validation.schema("values")):
        expected: Any = values.frozen
        found: Any = values
        for part in path.split("."):
            expected = expected[part]
        for name in attribute.split("."):
            found = getattr(found, name)
        if not dataclasses.is_dataclass(found):
            assert found == expected, path


def examples(node: dict[str, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, prop in tree.resolve(node).get("properties", {}).items():
        for example in tree.resolve(prop).get("examples", ()):
            yield (*path, key), example
        yield from examples(prop, (*path, key))


def test_every_example_of_the_schema_is_taken() -> None:
    found = list(examples(dict(validation.schema("values")), ()))
    assert len(found) > 150
    assert [(path, wrong) for path, example in found if (wrong := form_refused(path, example))] == []


def form_refused(path: tuple[str, ...], example: Any) -> list[str]:
    """Return why the form of an example is refused; that it may need another setting is no matter."""
    mapping: Any = example
    for part in reversed(path):
        mapping = {part: mapping}
    refusals = loading.judge([Layer("example", mapping)])[1]
    return [str(r) for r in refusals if r.rule == "schema" and "is missing" not in r.reason]


def test_the_page_lists_every_rule() -> None:
    page = (ROOT / "docs" / "reference" / "values.md").read_text()
    for rule in (*combinations.LAYER, *combinations.MERGED):
        assert f"| {rule.name} |" in page


def test_presets_explain_themselves() -> None:
    folder = Path(loading.__file__).parent / "presets"
    for name in loading.presets():
        assert (folder / f"{name}.yaml").read_text().startswith("# ")
