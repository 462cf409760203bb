"""What holds for every kind of document, and that the files we ship are valid documents themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from speedscale_schemas import validation
from speedscale_schemas.formats import FORMATS

KINDS = validation.kinds()
BUILTIN = {"filters": "filter-rule", "dlp": "dlp-rule", "testconfigs": "test-config"}
OUTPUTS = ("result-line", "mock-line", "snapshot")
"""What we write and others read: a property that is absent says nothing, so it need not have a default."""
REGISTRY: Registry[Any] = Registry().with_resources(
    [(f"speedscale:{kind}", Resource.from_contents(validation.schema(kind))) for kind in KINDS]
)


def walk(node: Any, path: str = "#") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every subschema; values of `default`, `examples`, `const` and `enum` are data, not schemas."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from walk(item, f"{path}/{index}")
    if not isinstance(node, dict):
        return
    yield path, node
    for key, value in node.items():
        if key in ("properties", "patternProperties", "$defs", "dependentSchemas"):
            for name, inner in value.items():
                yield from walk(inner, f"{path}/{key}/{name}")
        elif key not in ("default", "examples", "const", "enum"):
            yield from walk(value, f"{path}/{key}")


def resolved(kind: str, node: Mapping[str, Any]) -> Mapping[str, Any]:
    resolver = REGISTRY.resolver(f"speedscale:{kind}")
    while "$ref" in node:
        found = resolver.lookup(node["$ref"])
        resolver = found.resolver
        node = {**found.contents, **{key: value for key, value in node.items() if key != "$ref"}}
    return node


def properties(kind: str) -> Iterator[tuple[str, Mapping[str, Any], bool]]:
    """Yield every property of a kind with its path, and whether it is required (in an alternative, too)."""
    for path, node in walk(validation.schema(kind)):
        required = set(node.get("required", ()))
        for branch in (*node.get("anyOf", ()), *node.get("oneOf", ())):
            required |= set(branch.get("required", ()))
        if "maxProperties" in node:  # giving a property is the choice (a filter's criterion), so none has a default
            required |= set(node.get("properties", ()))
        for name, prop in node.get("properties", {}).items():
            if isinstance(prop, dict) and prop:
                yield f"{path}/properties/{name}", resolved(kind, prop), name in required


def in_branch(path: str) -> bool:
    """A property inside if/then/not or an alternative narrows one that is described elsewhere."""
    return any(part in ("if", "then", "else", "not", "allOf", "anyOf", "oneOf") for part in path.split("/"))


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_a_2020_12_schema_under_its_own_name(kind: str) -> None:
    document = validation.schema(kind)
    assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert document["$id"] == f"speedscale:{kind}"
    assert document.get("title")
    assert document.get("description")
    Draft202012Validator.check_schema(document)


@pytest.mark.parametrize("kind", KINDS)
def test_every_property_says_what_it_is(kind: str) -> None:
    assert [path for path, prop, _ in properties(kind) if not in_branch(path) and not prop.get("description")] == []


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in OUTPUTS])
def test_every_property_has_a_default_or_is_required(kind: str) -> None:
    missing = [
        path
        for path, prop, required in properties(kind)
        if not in_branch(path) and not required and "default" not in prop and "const" not in prop
    ]
    assert missing == []


def names_in(value: Any) -> Iterator[str]:
    """Yield every key of a value and of all values in it."""
    if isinstance(value, dict):
        yield from value
        value = list(value.values())
    for item in value if isinstance(value, list) else ():
        yield from names_in(item)


@pytest.mark.parametrize("kind", KINDS)
def test_every_property_is_shown_in_an_example(kind: str) -> None:
    nodes = list(walk(validation.schema(kind)))
    shown = {name for _, node in nodes for name in names_in([*node.get("examples", ()), node.get("default")])}
    missing = [
        path
        for path, prop, _ in properties(kind)
        if not in_branch(path)
        and not (prop.get("examples") or prop.get("default") or prop.get("type") == "boolean")
        and not ("const" in prop or "enum" in prop or path.rpartition("/")[2] in shown)
    ]
    assert missing == []


@pytest.mark.parametrize("kind", KINDS)
def test_examples_and_defaults_are_valid(kind: str) -> None:
    wrong: list[str] = []
    for path, node in walk(validation.schema(kind)):
        absolute = {"$ref": f"speedscale:{kind}{path}"}
        validator = Draft202012Validator(absolute, registry=REGISTRY, format_checker=FORMATS)
        for number, example in enumerate(node.get("examples", ())):
            wrong += [f"{path} example {number}: {error.message}" for error in validator.iter_errors(example)]
        if node.get("default") is not None:
            wrong += [f"{path} default: {error.message}" for error in validator.iter_errors(node["default"])]
    assert wrong == []


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.startswith("settings/")])
def test_settings_are_closed_and_named_like_variables(kind: str) -> None:
    document = validation.schema(kind)
    assert document["additionalProperties"] is False
    assert all(name.replace("_", "").isalnum() and name == name.upper() for name in document["properties"])


def builtin_files() -> list[tuple[str, str]]:
    root = resources.files("speedscale_schemas") / "builtin"
    if not root.is_dir():
        return []
    return sorted((folder.name, file.name) for folder in root.iterdir() if folder.is_dir() for file in folder.iterdir())


@pytest.mark.parametrize(("folder", "name"), builtin_files())
def test_what_we_ship_is_valid(folder: str, name: str) -> None:
    assert name.endswith(".json")
    source = f"builtin/{folder}/{name}"
    text = (resources.files("speedscale_schemas") / "builtin" / folder / name).read_bytes()
    document = validation.load(BUILTIN[folder], text, source=source)
    assert document["id"] == name.removesuffix(".json")
    assert json.loads(text) == document


def test_each_folder_of_shipped_files_has_a_kind() -> None:
    assert {folder for folder, _ in builtin_files()} <= set(BUILTIN)
