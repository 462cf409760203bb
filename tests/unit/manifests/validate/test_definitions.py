"""What an API server demands of a definition, and custom resources against one."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from speedscale_manifests import synth
from speedscale_manifests.validate import definitions
from speedscale_manifests.validate.custom import custom
from speedscale_manifests.values import from_mapping

Manifest = dict[str, Any]
OURS = next(one for one in synth.objects(from_mapping({})) if one["kind"] == "CustomResourceDefinition")
TEXT = {"type": "string"}


def made(spec: Manifest, **version: Any) -> Manifest:
    schema = {"type": "object", "properties": {"spec": spec, "status": {"type": "object"}}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"kind": "Thing", "plural": "things", "singular": "thing"},
            "versions": [
                {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}, **version}
            ],
        },
    }


def wrong(manifest: Manifest) -> list[tuple[str, str]]:
    return [(".".join(map(str, path)), reason) for path, reason in definitions.check(manifest)]


def test_ours_is_good() -> None:
    assert wrong(OURS) == []


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({}, "a type is missing"),
        ({"type": "object", "properties": {"a": {}}}, "a type is missing"),
        ({"type": ["string", "null"]}, "nullable: true"),
        ({"$ref": "#/x"}, "$ref may not stand"),
        ({"type": "object", "patternProperties": {}}, "patternProperties may not stand"),
        ({"type": "array"}, "an array names the schema of its items"),
        ({"type": "object", "properties": {}, "additionalProperties": TEXT}, "not together with properties"),
        ({"type": "object", "additionalProperties": False}, "false is not allowed"),
        ({"type": "array", "items": TEXT, "uniqueItems": True}, "use x-kubernetes-list-type: set"),
        ({"x-kubernetes-int-or-string": True, "type": "string"}, "no type beside"),
        ({"type": "string", "x-kubernetes-embedded-resource": True}, "an embedded resource is an object"),
        ({"type": "object", "properties": {"a": TEXT}, "required": ["b"]}, "b: required, but no property"),
        ({"type": "string", "pattern": "("}, "no regular expression"),
        ({"type": "string", "anyOf": [{"type": "string"}]}, "type may not stand inside"),
        ({"type": "string", "not": {"description": "x"}}, "description may not stand inside"),
        ({"type": "object", "oneOf": [{"properties": {"a": {"minLength": 1}}}]}, "outside of the junctor"),
        ({"type": "object", "properties": {"a": TEXT}, "oneOf": [{"properties": {"a": TEXT}}]}, "type may not stand"),
        ({"type": "string", "x-kubernetes-list-type": "set"}, "is for arrays"),
        ({"type": "array", "items": TEXT, "x-kubernetes-list-type": "bag"}, "expected atomic, set or map"),
        ({"type": "array", "items": {"type": "object"}, "x-kubernetes-list-type": "set"}, "scalars or atomic"),
        ({"type": "array", "items": {"type": "object"}, "x-kubernetes-list-type": "map"}, "belong together"),
        ({"type": "string", "default": 3}, "does not fit its schema"),
        ({"type": "string", "default": None}, "null is the default of a nullable field only"),
        ({"type": "string", "x-kubernetes-validations": [{"rule": " ", "message": "m"}]}, "this one is empty"),
        ({"type": "string", "x-kubernetes-validations": [{"rule": "self == (1", "message": "m"}]}, "do not match"),
        ({"type": "string", "x-kubernetes-validations": [{"rule": "self == 'a", "message": "m"}]}, "do not match"),
        (
            {"type": "string", "x-kubernetes-validations": [{"rule": "'self' == ''", "message": "m"}]},
            "looks at nothing",
        ),
        ({"type": "string", "x-kubernetes-validations": [{"rule": "self != ''"}]}, "without a message"),
        ({"type": "string", "x-kubernetes-validations": [{"rule": "self != ''", "message": "a\nb"}]}, "one line"),
        (
            {
                "type": "array",
                "items": {
                    "type": "string",
                    "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "m"}],
                },
            },
            "oldSelf is not known",
        ),
    ],
)
def test_rules_of_structural_schemas(spec: Manifest, words: str) -> None:
    found = wrong(made(spec))
    assert [reason for _, reason in found if words in reason], found


@pytest.mark.parametrize(
    "spec",
    [
        {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]},
        {"type": "string", "nullable": True, "default": None},
        {"type": "object", "properties": {"a": TEXT}, "oneOf": [{"required": ["a"]}, {"not": {"required": ["a"]}}]},
        {
            "type": "array",
            "items": {"type": "object", "properties": {"k": TEXT}, "required": ["k"]},
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["k"],
        },
        {"type": "string", "x-kubernetes-validations": [{"rule": "self == oldSelf || self == '('", "message": "m"}]},
    ],
)
def test_what_a_structural_schema_may_say(spec: Manifest) -> None:
    assert wrong(made(spec)) == []


def test_list_map_keys_have_to_be_there() -> None:
    item = {"type": "object", "properties": {"k": TEXT, "o": {"type": "object"}}}
    array = {"type": "array", "items": item, "x-kubernetes-list-type": "map"}
    assert "required or have a default" in wrong(made({**array, "x-kubernetes-list-map-keys": ["k"]}))[0][1]
    assert "no scalar property" in wrong(made({**array, "x-kubernetes-list-map-keys": ["o"]}))[0][1]
    assert "no scalar property" in wrong(made({**array, "x-kubernetes-list-map-keys": ["x"]}))[0][1]


def changed(path: str, value: Any) -> Manifest:
    manifest: Any = copy.deepcopy(made({"type": "object"}))
    *parents, last = path.split(".")
    node = manifest
    for part in parents:
        node = node[int(part)] if part.isdigit() else node[part]
    node[last] = value
    result: Manifest = manifest
    return result


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("metadata.name", "thing.example.com", "things.example.com"),
        ("spec.scope", "Global", "Namespaced or Cluster"),
        ("spec.names.plural", "Things", "lower case"),
        ("spec.preserveUnknownFields", True, "has to be false"),
        ("spec.versions.0.storage", False, "exactly one version is stored, found 0"),
        ("spec.versions.0.served", False, "no version is served"),
        ("spec.versions.0.schema", {}, "needs a schema"),
        ("spec.versions.0.schema.openAPIV3Schema.type", "string", "the root is of type object"),
        (
            "spec.versions.0.schema.openAPIV3Schema.properties",
            {"metadata": {"type": "object", "required": ["labels"]}},
            "only type, name and generateName",
        ),
        ("spec.versions.0.additionalPrinterColumns", [{"jsonPath": ".spec.mod"}], "has no 'mod'"),
        ("spec.versions.0.additionalPrinterColumns", [{"jsonPath": "spec"}], "starts with a dot"),
    ],
)
def test_names_versions_and_columns(path: str, value: Any, words: str) -> None:
    found = wrong(changed(path, value))
    assert [reason for _, reason in found if words in reason], found


def test_status_has_to_be_in_the_schema() -> None:
    manifest = made({"type": "object"}, subresources={"status": {}})
    assert wrong(manifest) == []
    del manifest["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]
    assert "the schema has no status" in wrong(manifest)[0][1]


@pytest.mark.parametrize(
    ("spec", "good", "bad"),
    [
        ({"type": "object", "properties": {"a": TEXT}}, {"a": "x"}, {"b": "x"}),
        ({"type": "object"}, {}, {"anything": 1}),
        ({"type": "object", "x-kubernetes-preserve-unknown-fields": True}, {"anything": 1}, "text"),
        ({"type": "object", "additionalProperties": TEXT}, {"a": "x"}, {"a": 1}),
        ({"x-kubernetes-int-or-string": True}, 3, [3]),
        ({"type": "string", "nullable": True}, None, 3),
        ({"type": "array", "items": {"type": "object", "properties": {"a": TEXT}}}, [{"a": "x"}], [{"b": "x"}]),
    ],
)
def test_custom_resources_are_checked_with_unknown_fields_refused(spec: Manifest, good: Any, bad: Any) -> None:
    schema = made(spec)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    validator = Draft202012Validator(custom(schema))
    thing = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "a", "labels": {"x": "y"}}}
    assert validator.is_valid({**thing, "spec": good})
    assert not validator.is_valid({**thing, "spec": bad})
    assert not validator.is_valid({**thing, "spec": good, "sepc": good})
