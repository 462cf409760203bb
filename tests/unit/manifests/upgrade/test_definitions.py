"""Changes of a definition: what breaks objects that exist, and what is safe."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from speedscale_manifests.upgrade import Change, Risk, compare
from speedscale_manifests.upgrade.definitions import changes

Manifest = dict[str, Any]
Make = Callable[..., Manifest]
PATH = "spec.versions[v1].schema.spec.x"


def one(old: Manifest, new: Manifest) -> Change:
    (change,) = changes(old, new)
    return change


CASES: list[tuple[Manifest, Manifest, Risk, str]] = [
    ({"type": "string"}, {"type": "integer"}, Risk.BREAKING, "type"),
    ({"type": "integer"}, {"type": "number"}, Risk.NONE, "type"),
    ({"type": "string", "enum": ["a", "b"]}, {"type": "string", "enum": ["a"]}, Risk.BREAKING, "enum"),
    ({"type": "string", "enum": ["a"]}, {"type": "string", "enum": ["a", "b"]}, Risk.NONE, "enum"),
    ({"type": "string"}, {"type": "string", "enum": ["a"]}, Risk.BREAKING, "enum"),
    ({"type": "string", "enum": ["a"]}, {"type": "string"}, Risk.NONE, "enum"),
    ({"type": "integer", "minimum": 1}, {"type": "integer", "minimum": 2}, Risk.BREAKING, "minimum"),
    ({"type": "integer", "minimum": 2}, {"type": "integer", "minimum": 1}, Risk.NONE, "minimum"),
    ({"type": "integer"}, {"type": "integer", "minimum": 1}, Risk.BREAKING, "minimum"),
    ({"type": "string", "maxLength": 9}, {"type": "string", "maxLength": 8}, Risk.BREAKING, "maxLength"),
    ({"type": "string", "maxLength": 9}, {"type": "string"}, Risk.NONE, "maxLength"),
    ({"type": "string"}, {"type": "string", "pattern": "a"}, Risk.BREAKING, "pattern"),
    ({"type": "string", "pattern": "a"}, {"type": "string", "pattern": "b"}, Risk.BREAKING, "pattern"),
    ({"type": "string", "pattern": "a"}, {"type": "string"}, Risk.NONE, "pattern"),
    ({"type": "string", "nullable": True}, {"type": "string"}, Risk.BREAKING, "nullable"),
    ({"type": "string"}, {"type": "string", "nullable": True}, Risk.NONE, "nullable"),
    ({"type": "string", "default": "a"}, {"type": "string", "default": "b"}, Risk.NOTE, "default"),
    ({"type": "string", "description": "a"}, {"type": "string", "description": "b"}, Risk.NONE, "description"),
    (
        {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        {"type": "object"},
        Risk.BREAKING,
        "x-kubernetes-preserve-unknown-fields",
    ),
    (
        {"type": "string"},
        {"type": "string", "x-kubernetes-validations": [{"rule": "self != 'a'", "message": "m"}]},
        Risk.BREAKING,
        "x-kubernetes-validations",
    ),
    (
        {"type": "string", "x-kubernetes-validations": [{"rule": "self != 'a'", "message": "m"}]},
        {"type": "string", "x-kubernetes-validations": [{"rule": "self != 'a'", "message": "other words"}]},
        Risk.NONE,
        "x-kubernetes-validations",
    ),
    (
        {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
        {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "atomic"},
        Risk.BREAKING,
        "x-kubernetes-list-type",
    ),
]


@pytest.mark.parametrize(("old", "new", "risk", "key"), CASES, ids=[f"{c[3]}-{n}" for n, c in enumerate(CASES)])
def test_keywords(definition: Make, old: Manifest, new: Manifest, risk: Risk, key: str) -> None:
    change = one(definition({"x": old}), definition({"x": new}))
    assert (change.path, change.risk) == (f"{PATH}.{key}", risk)


def test_a_removed_field_breaks_and_a_new_one_does_not(definition: Make) -> None:
    text = {"type": "string"}
    assert one(definition({"x": text}), definition({})).risk is Risk.BREAKING
    assert one(definition({}), definition({"x": text})).risk is Risk.NONE


def test_a_new_required_field_breaks_unless_it_has_a_default(definition: Make) -> None:
    text = {"type": "string"}
    assert one(definition({}), definition({"x": text}, ["x"])).risk is Risk.BREAKING
    assert one(definition({}), definition({"x": {**text, "default": ""}}, ["x"])).risk is Risk.NONE
    assert one(definition({"x": text}), definition({"x": text}, ["x"])).risk is Risk.BREAKING
    assert one(definition({"x": text}, ["x"]), definition({"x": text})).risk is Risk.NONE


def test_fields_deep_inside_are_found(definition: Make) -> None:
    def made(kind: str) -> Manifest:
        inner = {"type": "object", "properties": {"b": {"type": kind}}}
        return definition({"x": {"type": "array", "items": inner}})

    assert one(made("string"), made("boolean")).path == f"{PATH}[].b.type"


def test_versions(definition: Make) -> None:
    old = definition({})
    gone = copy.deepcopy(old)
    gone["spec"]["versions"] = []
    assert one(old, gone).risk is Risk.BREAKING
    more = copy.deepcopy(old)
    more["spec"]["versions"].append({**more["spec"]["versions"][0], "name": "v2", "storage": False})
    assert one(old, more).risk is Risk.NONE
    assert one(old, definition({}, served=False)).risk is Risk.BREAKING
    assert "written again" in one(old, definition({}, storage=False)).note


def test_subresources(definition: Make) -> None:
    with_status = definition({}, subresources={"status": {}})
    assert one(with_status, definition({})).risk is Risk.BREAKING
    assert one(definition({}), with_status).risk is Risk.NOTE


def test_printer_columns_are_told_and_safe(definition: Make) -> None:
    def made(path: str) -> Manifest:
        return definition({}, additionalPrinterColumns=[{"name": "Mode", "type": "string", "jsonPath": path}])

    change = one(made(".a"), made(".b"))
    assert change.path == "spec.versions[v1].additionalPrinterColumns[Mode].jsonPath"
    assert change.risk is Risk.NONE


def test_another_scope_or_kind_loses_the_objects(definition: Make) -> None:
    new = definition({})
    new["spec"]["scope"] = "Cluster"
    report = compare([definition({})], [new])
    assert report.risk is Risk.LOSS


def test_the_report_tells_a_definitions_changes_once(definition: Make) -> None:
    report = compare([definition({"x": {"type": "string"}})], [definition({"x": {"type": "integer"}})])
    (change,) = report.objects
    assert [field.path for field in change.changes] == [f"{PATH}.type"]
